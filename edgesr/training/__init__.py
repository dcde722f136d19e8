"""Training networks on folders of people."""
