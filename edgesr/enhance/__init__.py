"""Whole photos and clips: faces found, restored with a gallery, and pasted back.

>>> import edgesr
>>> done = edgesr.enhance_photo("party.jpg", "me.gallery", "party-sharp.jpg")  # doctest: +SKIP
>>> [face.reason for face in done.faces]  # doctest: +SKIP
"""

from edgesr.enhance.deliver import enhance_photo, write_enhanced
from edgesr.enhance.photo import Photo, photo_of, read_photo
from edgesr.enhance.regions import Network
from edgesr.enhance.run import Enhanced, EnhancedFace, Enhancer, Settings, open_enhancer
from edgesr.enhance.write import write_photo

__all__ = [
    "Enhanced",
    "EnhancedFace",
    "Enhancer",
    "Network",
    "Photo",
    "Settings",
    "enhance_photo",
    "open_enhancer",
    "photo_of",
    "read_photo",
    "write_enhanced",
    "write_photo",
]
