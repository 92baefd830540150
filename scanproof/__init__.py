"""Scanproof: proof that an office's copiers can scan to e-mail through Microsoft 365."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("scanproof")
except PackageNotFoundError:  # a clone that was copied, not installed
    __version__ = "0+unknown"
