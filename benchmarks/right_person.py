"""How often the check for somebody else's gallery errs on far faces, and the thresholds that it rests on.

    python benchmarks/right_person.py PHOTOS FACES                            # on test, by the package's own thresholds
    python benchmarks/right_person.py PHOTOS FACES --split val --thresholds   # which thresholds val would choose
    python benchmarks/right_person.py PHOTOS FACES --embedder face_embedding_mobilefacenet.onnx

Every photo is taken from further away as in ``far_faces.py``, its face found and restored by ``enhance`` without
exemplars, and held against a gallery of so many (``--exemplars``) of the person's other photos and one of every other
person. Where that of another passes, the face is restored with it, pasted, and asked whether it is verified as that
person (dlib, as in ``docs/evaluation.md``): the danger that the check is there for. Without any gallery some pass as
well, since the bar of verification itself lets through 1 % of other people's photos; so a threshold is the least at
which galleries add no more than half a point to them.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
from exemplar_count import KNOWN_BY, photos_of
from far_faces import EXEMPLARS, HR, Original, far_photo, gallery_of, nearest, originals, other_photos

import edgesr
from edgesr.enhance.faces import find_faces
from edgesr.enhance.paste import scaled
from edgesr.enhance.photo import Photo
from edgesr.enhance.regions import Network
from edgesr.enhance.run import EnhancedFace, Enhancer
from edgesr.errors import EdgesrError
from edgesr.evaluation.metrics import over_people
from edgesr.evaluation.verification import Verification
from edgesr.faces.alignment import Alignment, crop_face
from edgesr.faces.detection import Detector, open_detector
from edgesr.faces.face import Face
from edgesr.faces.identity import DlibEmbedder, Embedder, IdentityMeter, OnnxEmbedder, Vector
from edgesr.faces.right_person import CALIBRATIONS, SIZES, similarity, threshold_at
from edgesr.images.imaging import Pixels, read_image

ADDED = 0.5
"""Points that galleries of others may add to the faces that are verified as somebody else."""

TRIED = 0.12
"""Share of the wrong pairs, the most alike, that thresholds are looked for in."""


@dataclasses.dataclass(frozen=True)
class Far:
    """A far face with what is known of it."""

    original: Original
    photo: Pixels
    alignment: Alignment
    face: Face
    plain: EnhancedFace
    vector: Vector
    """Of the embedder that judges, on the face restored without exemplars."""


class Measurement:
    """Faces, galleries and judges of one split."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        everything = originals(arguments.photos, arguments.faces, arguments.split)
        people = sorted({one.pair.person for one in everything})[: arguments.people]
        self.everything = [one for one in everything if one.pair.person in people]
        self.first = {one.pair.person: one for one in reversed(self.everything)}
        self.count: int = arguments.exemplars
        self.detector: Detector = open_detector()
        self.model = edgesr.load(arguments.model)
        self.embedder: Embedder = OnnxEmbedder(arguments.embedder) if arguments.embedder else DlibEmbedder()
        self.meter = IdentityMeter(DlibEmbedder())
        self.verification = Verification(self.meter, [one.pair for one in everything], KNOWN_BY)
        self.embedded: dict[Path, Vector] = {}
        self.networks: dict[str, Network] = {}

    def faces(self, side: int) -> list[Far]:
        found = []
        for one in self.everything:
            photo, alignment = far_photo(one, side)
            for face in nearest(find_faces(photo, self.detector), alignment):
                plain = Enhancer([Network(self.model)], self.detector).restore(photo, face)
                if plain.sr is not None:
                    found.append(Far(one, photo, alignment, face, plain, self.embed(plain.sr)))
        return found

    def embed(self, image: Pixels) -> Vector:
        frame, _ = self.embedder.locate(image)
        return self.embedder.embed(image, frame)

    def gallery(self, one: Original) -> list[Vector]:
        """Embeddings of the person's other photos."""
        crops = photos_of(one.pair)[: self.count]
        for crop in crops:
            if crop not in self.embedded:
                self.embedded[crop] = self.embed(read_image(crop))
        return [self.embedded[crop] for crop in crops]

    def pasted(self, far: Far, done: EnhancedFace) -> Vector:
        """dlib's embedding of the face in its enhanced photo."""
        whole = Enhancer([Network(self.model)], self.detector).compose(Photo(far.photo.copy()), [done])
        crop = crop_face(whole.image, scaled(far.alignment, whole.factor), HR)
        return self.meter.vector(crop, read_image(far.original.pair.target))

    def passes(self, vector: Vector, person: str) -> float:
        return self.verification.passes(vector, self.first[person].pair.exemplars)

    def passes_with_gallery(self, far: Far, person: str) -> float:
        if person not in self.networks:
            paths = other_photos(self.first[person], self.everything, self.count)
            self.networks[person] = Network(self.model, gallery_of(self.model, paths, self.detector))
        done = Enhancer([self.networks[person]], self.detector).restore(far.photo, far.face)
        return self.passes(self.pasted(far, done), person)

    def measure(self, side: int, thresholds: bool) -> None:
        faces = self.faces(side)
        people = [far.original.pair.person for far in faces]
        right = np.array([similarity(far.vector, self.gallery(far.original)) for far in faces])
        pairs = [(far, person) for far in faces for person in self.first if person != far.original.pair.person]
        wrong = np.array([similarity(far.vector, self.gallery(self.first[person])) for far, person in pairs])
        of_wrong = [far.original.pair.person for far, _ in pairs]
        pasted = {id(far): self.pasted(far, far.plain) for far in faces}
        plain = np.array([self.passes(pasted[id(far)], person) for far, person in pairs])
        ordered = np.argsort(-wrong)
        calibration = CALIBRATIONS.get(self.embedder.name)
        threshold = threshold_at(side, calibration) if calibration else np.inf
        tried = int(TRIED * len(pairs)) if thresholds else int((wrong >= threshold).sum())
        passed = plain.copy()
        best = np.inf
        for at in ordered[:tried]:
            passed[at] = self.passes_with_gallery(*pairs[at])
            if 100 * (passed - plain).mean() <= ADDED:
                best = wrong[at]
        print(f"{side} px: {len(faces)} of {len(self.everything)} faces found, {len(set(people))} people, ", end="")
        print(f"{len(pairs)} pairs with others; verified as another without any gallery {100 * plain.mean():.2f} %")
        for name, at in (("the package's", threshold), *([("the best here", best)] if thresholds else [])):
            ends = np.where(wrong >= at, passed, plain)
            said = over_people(list(100.0 * (right < at)), people), over_people(list(100.0 * (wrong >= at)), of_wrong)
            print(f"  {name} {at:.3f}: false alarm {said[0]:.1f} %, miss {said[1]:.1f} %, ", end="")
            print(f"verified as another {100 * ends.mean():.2f} %", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--sides", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--model", default=edgesr.DEFAULT_CHECKPOINT)
    parser.add_argument("--embedder", type=Path, help="an ONNX embedder instead of dlib's")
    parser.add_argument("--thresholds", action="store_true", help="the best thresholds of this split, too")
    parser.add_argument("--exemplars", type=int, default=EXEMPLARS, help="photos in a gallery")
    parser.add_argument("--people", type=int, default=None, help="only the first so many")
    arguments = parser.parse_args()
    measurement = Measurement(arguments)
    print(f"{measurement.embedder.name}, {arguments.split}; 95 % intervals over people")
    for side in arguments.sides:
        measurement.measure(side, arguments.thresholds)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgesrError as error:
        sys.exit(str(error))
