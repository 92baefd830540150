"""``python -m scanproof``: the same as the command ``scanproof``, where no script of it is on the path."""

from __future__ import annotations

import sys

from scanproof.cli import main

if __name__ == "__main__":
    sys.exit(main())
