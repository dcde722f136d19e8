"""Reading and writing files: complete or not at all, claimed, cleaned up, and where they belong."""
