"""What this release is called, and the network that it takes unless told otherwise."""

__version__ = "0.1.0"
DEFAULT_CHECKPOINT = "hime-small-x4-photo"
"""The shipped network that commands take unless told otherwise."""
