"""Training HIME on folders of people."""
