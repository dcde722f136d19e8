"""Faces in photos: where they are, how they are aligned, what describes them, whose they are."""
