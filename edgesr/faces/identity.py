"""Identity similarity: how much a restored face is, to a face embedder, the person of the original.

The figure is the cosine similarity of the two faces' embeddings: 1 where equal, higher is better. Beside it stands
their Euclidean distance, lower is better, for which dlib's embedder is known (below 0.6: the same person).

Where the face lies is found on the original and used for every method alike, so that a blurred face is not
cropped differently from a sharp one. Never judge with the embedder that a loss was trained with.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.faces.arcface import ARCFACE_BOX
from edgesr.faces.dlib_models import open_dlib
from edgesr.images.imaging import Pixels, to_unit
from edgesr.process import threads as thread_choice
from edgesr.process.exclusive import Exclusive

Vector = npt.NDArray[np.float64]
Frame = npt.NDArray[np.float64]
"""Where a face lies, in pixels, as its embedder needs it."""


RECENT = 16
"""Images whose vectors are kept: more than methods restore a target."""

DLIB_NETWORK = "dlib_face_recognition_resnet_model_v1.dat"


class Embedder(Protocol):
    """Turns an aligned face, uint8 [S, S, 3], into a vector. Several threads may use one; after a fork nobody."""

    name: str

    def locate(self, truth: Pixels) -> tuple[Frame, bool]:
        """Where the face lies in the original; False where it was not found and its usual place is taken."""
        ...

    def embed(self, image: Pixels, frame: Frame) -> Vector:
        """The vector of the face at ``frame``."""
        ...


class DlibEmbedder:
    """dlib's ResNet (128 numbers), on landmarks of dlib's HOG detector and five-point predictor."""

    name = "dlib ResNet"
    USUAL_BOX = (0.21, 0.30, 0.79, 0.88)
    """Left, top, right and bottom of what the detector finds in aligned crops, on average, for what it misses."""
    DETECTED_AT = 256
    """The detector knows faces from 80 pixels on, so smaller crops are doubled."""

    def __init__(self) -> None:
        """Load the models, by path: importing their package would need a setuptools from before 2025.

        Raises:
            UnavailableError: dlib or its models are not installed.
        """
        dlib, folder = open_dlib("identity similarity")
        self._dlib: Any = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._network = dlib.face_recognition_model_v1(str(folder / DLIB_NETWORK))
        self.exclusive = Exclusive(self.name)

    def locate(self, truth: Pixels) -> tuple[Frame, bool]:
        """Five landmarks [5, 2] (x, y) of the largest face that was found."""
        truth = np.ascontiguousarray(truth)
        with self.exclusive():
            found = self._detector(truth, 1 if truth.shape[0] < self.DETECTED_AT else 0)
            if found:
                box = max(found, key=lambda rectangle: rectangle.area())
            else:
                box = self._dlib.rectangle(*(round(share * truth.shape[0]) for share in self.USUAL_BOX))
            parts = self._predictor(truth, box).parts()
        return np.array([(point.x, point.y) for point in parts], np.float64), bool(found)

    def embed(self, image: Pixels, frame: Frame) -> Vector:
        points = [self._dlib.point(int(x), int(y)) for x, y in frame]
        # dlib crops by the landmarks alone; the rectangle is only carried along.
        shape = self._dlib.full_object_detection(self._dlib.rectangle(), points)
        with self.exclusive():
            return np.array(self._network.compute_face_descriptor(np.ascontiguousarray(image), shape))


class OnnxEmbedder:
    """Any embedder with ArcFace's interface: RGB [1, 3, 112, 112], (x - 127.5) / 127.5, ArcFace's alignment."""

    SIDE = 112

    def __init__(self, path: Path, threads: int | None = None) -> None:
        """Raises:
        UnavailableError: ONNX Runtime is not installed.
        InputOutputError: the file cannot be loaded, or takes other inputs.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise UnavailableError("an ONNX embedder needs onnxruntime", "pip install 'edgesr[onnx]'") from error
        if not path.is_file():
            raise InputOutputError(f"no embedder {path}")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads or thread_choice.count()
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # it raises its own exceptions, derived from Exception alone
            raise InputOutputError(f"cannot load the embedder {path}: {error}", "it must be an ONNX file") from error
        inputs = self._session.get_inputs()
        fits = len(inputs) == 1 and inputs[0].type == "tensor(float)" and _takes_a_face(inputs[0].shape, self.SIDE)
        if not fits:
            given = ", ".join(f"{i.name} {i.shape} {i.type}" for i in inputs)
            raise InputOutputError(
                f"the embedder {path} takes {given}", f"it must take one float32 [1, 3, {self.SIDE}, {self.SIDE}]"
            )
        self._input = inputs[0].name
        self.exclusive = Exclusive(path.name, alone=False)
        self.name = path.name

    def locate(self, truth: Pixels) -> tuple[Frame, bool]:
        """The box [4] of ArcFace's template; aligned crops need no detector."""
        return np.array(ARCFACE_BOX.edges) * truth.shape[0], True

    def embed(self, image: Pixels, frame: Frame) -> Vector:
        left, top, right, bottom = frame.tolist()
        face = Image.fromarray(image).resize(
            (self.SIDE, self.SIDE), Image.Resampling.BICUBIC, box=(left, top, right, bottom)
        )
        unit = (to_unit(np.asarray(face)) * 2 - 1).transpose(2, 0, 1)[None]
        with self.exclusive():
            return np.asarray(self._session.run(None, {self._input: unit})[0], np.float64).reshape(-1)


class IdentityMeter:
    """Compares images with originals; where a face lies and its vector are computed once per original."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.undetected = 0
        """Originals in which no face was found: the usual place was taken, for every method alike."""
        self._originals: dict[str, tuple[Frame, Vector]] = {}
        self._lock = threading.Lock()
        # Measures ask for the same images' vectors in turn: one for all methods of a target, and then the next one.
        self._recent: dict[bytes, Vector] = {}

    def compare(self, image: Pixels, truth: Pixels) -> dict[str, float]:
        """``identity``, the cosine similarity, and ``identity_distance``."""
        _, original = self._original(truth)
        vector = self.vector(image, truth)
        cosine = vector @ original / max(float(np.linalg.norm(vector) * np.linalg.norm(original)), 1e-12)
        return {"identity": float(cosine), "identity_distance": float(np.linalg.norm(vector - original))}

    def vector(self, image: Pixels, truth: Pixels) -> Vector:
        """The image's embedding, at the place where the face lies in the original."""
        frame, original = self._original(truth)
        if image is truth:
            return original
        key = hashlib.sha256(image.tobytes() + truth.tobytes()).digest()
        vector = self._recent.get(key)
        if vector is None:
            vector = self.embedder.embed(image, frame)
            with self._lock:
                self._recent[key] = vector
                if len(self._recent) > RECENT:
                    del self._recent[next(iter(self._recent))]
        return vector

    def _original(self, truth: Pixels) -> tuple[Frame, Vector]:
        key = hashlib.sha256(truth.tobytes()).hexdigest()
        with self._lock:
            if key not in self._originals:
                frame, found = self.embedder.locate(truth)
                self.undetected += not found
                self._originals[key] = frame, self.embedder.embed(truth, frame)
            return self._originals[key]


def open_embedder(file: Path | None = None, needed: bool = False) -> DlibEmbedder | OnnxEmbedder | None:
    """The embedder of an ONNX ``file``; without one dlib's, or None where that is not installed and not ``needed``.

    Raises:
        UnavailableError: the embedder is needed and not installed.
        InputOutputError: the file is missing or is no face embedder.
    """
    if file is not None:
        return OnnxEmbedder(file)
    try:
        return DlibEmbedder()
    except UnavailableError:
        if needed:
            raise
        return None


def open_meter(
    wanted: bool | None = None, file: Path | None = None, report: Callable[[str], None] = lambda _: None
) -> IdentityMeter | None:
    """What measures identity, by ``open_embedder``; None where it is not ``wanted``.

    ``wanted`` None takes it where an embedder is installed, and tells ``report`` where none is.

    Raises:
        UsageError: a file is given and identity is not wanted.
        UnavailableError, InputOutputError: as ``open_embedder`` does.
    """
    if wanted is False:
        if file:
            raise UsageError("--embedder and --no-identity exclude each other")
        return None
    try:
        embedder = open_embedder(file, needed=True)
    except UnavailableError as error:
        if wanted or file:
            raise
        report(f"without identity similarity: {error.what} ({error.hint})")
        return None
    return None if embedder is None else IdentityMeter(embedder)


def _takes_a_face(shape: list[int | str | None], side: int) -> bool:
    """Whether [1, 3, side, side] fits; axes of any size carry a name or nothing."""
    wanted = [1, 3, side, side]
    return len(shape) == 4 and all(not isinstance(n, int) or n == w for n, w in zip(shape, wanted, strict=True))
