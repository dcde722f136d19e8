"""Layers that networks are built of, and the forms of them that converters take."""
