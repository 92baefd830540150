"""pytest's hooks only; what they call is in ``scanproof``."""
