"""ML programs (MIL) as they are saved: read, and evaluated operation by operation without a Mac."""
