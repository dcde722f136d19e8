"""Faces: folders of people, evaluation lists, sample photos, and what training does to them."""

DEGRADATIONS = ("bicubic", "phone", "phone-1", "phone-2", "phone-2-misaligned")
"""What training and evaluation can make LR faces with; ``phone`` is the newest preset (``edgesr.data.degradation``)."""
