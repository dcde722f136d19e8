"""Faces: folders of people, evaluation lists, sample photos, and what training does to them."""
