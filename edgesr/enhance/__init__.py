"""Whole photos and clips: faces found, restored with a gallery, and pasted back.

>>> from edgesr.enhance import enhance, write_photo
>>> done = enhance("party.jpg", "me.gallery")  # doctest: +SKIP
>>> write_photo(done.photo, Path("party-sharp.png"))  # doctest: +SKIP
"""

from edgesr.enhance.photo import Photo, read_photo
from edgesr.enhance.regions import Network
from edgesr.enhance.run import Enhanced, EnhancedFace, Enhancer, Settings, enhance
from edgesr.enhance.write import write_photo

__all__ = [
    "Enhanced",
    "EnhancedFace",
    "Enhancer",
    "Network",
    "Photo",
    "Settings",
    "enhance",
    "read_photo",
    "write_photo",
]
