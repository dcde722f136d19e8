"""The faces that lose most: which they are, which layers are to blame, and how they look where they may be shown."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgesr.bundle import Bundle
from edgesr.convert.precision import by_interest
from edgesr.convert.targets import title
from edgesr.errors import EdgesrError
from edgesr.evaluation.metrics import psnr
from edgesr.faces.identity import IdentityMeter
from edgesr.images.imaging import Pixels, resize_bicubic
from edgesr.models.checkpoint import Checkpoint
from edgesr.quantize.scheme import Quantization

from .layers import Blame, SparedNetwork, blame
from .measure import FigureCache, Figures, bundle_key, float_key, measure_faces
from .rows import Row, losses
from .subject import Cell, ReportFace, Settings, Subject, Tools

COLUMNS = 3
"""Artifacts shown side by side."""
SCALES = (4, 8, 16, 32, 64, 128, 255)
"""Ends of the error maps' colour scale, in levels of 255; the smallest that holds nearly all differences is taken."""
HELD = 0.999

Restore = Callable[[ReportFace], Pixels]
Open = Callable[[Bundle | None], Restore]
"""What restores with a bundle, or with the float network in PyTorch."""


@dataclasses.dataclass(frozen=True)
class WorstFace:
    """One of the faces that lose most."""

    face: str
    key: str
    loss_db: float
    blame: tuple[Blame, ...]


@dataclasses.dataclass(frozen=True)
class WorstFaces:
    """The faces of ``split`` that lose most with one artifact, and the layers to blame."""

    faces: tuple[WorstFace, ...] = ()
    blamed: bool = False
    why: str = ""
    """Why nothing is blamed, or no face shown; ``command`` is what helps."""
    command: str = ""
    target: str = ""
    precision: str = ""
    split: str = ""
    of: int = 0
    scale: int = 0
    """Level of 255 at the bright end of the pictures' error maps."""


@dataclasses.dataclass(frozen=True)
class Tile:
    """One picture of a face, a data URI; below it, where there is one, the map of what differs from the float one."""

    title: str
    note: str
    image: str
    map: str | None = None


@dataclasses.dataclass(frozen=True)
class FacePictures:
    """LR, original, bicubic, float network, and every artifact."""

    label: str
    tiles: tuple[Tile, ...]


@dataclasses.dataclass(frozen=True)
class Pictures:
    """The faces that are shown, in the order of ``WorstFaces``; ``legend`` is the maps' colours, 0 to ``scale``."""

    scale: int
    legend: str
    faces: tuple[FacePictures, ...]


def worst_faces(
    subject: Subject,
    rows: Sequence[Row],
    open_restorer: Open,
    settings: Settings,
    meter: IdentityMeter | None,
    tools: Tools,
) -> tuple[WorstFaces, Pictures | None]:
    """The worst of the faces that may be shown, and their pictures; None where none may be."""
    cells = _cells(subject.cells, rows)
    if subject.shown is None or not subject.shown.faces or not cells:
        return WorstFaces(why="no faces may be shown"), None
    main = cells[0]
    assert main.bundle is not None
    tools.say(f"the worst faces of {subject.shown.name} with {main.target} {main.precision}")
    faces = subject.shown.faces

    def figures(name: str, bundle: Bundle | None) -> list[Figures]:
        cache = FigureCache(settings.work / "faces", name)
        return measure_faces(
            lambda: open_restorer(bundle), faces, cache, meter, lambda items: tools.track(items, "worst faces")
        )

    name = float_key(subject.checkpoint, main.bundle.interface.lr_size)
    lost = losses(figures(bundle_key(main.bundle), main.bundle), figures(name, None))
    ranked = sorted(range(len(faces)), key=lambda i: -lost[i])[: settings.worst]
    chosen = [faces[i] for i in ranked]
    networks = {f"{title(cell.target)} {cell.precision}": open_restorer(cell.bundle) for cell in cells[:COLUMNS]}
    pictures = side_by_side(chosen, open_restorer(None), networks)
    blamed, why, command = _blame(subject, main, chosen, tools)
    found = WorstFaces(
        faces=tuple(WorstFace(faces[i].label, faces[i].key, lost[i], blamed.get(faces[i].key, ())) for i in ranked),
        blamed=bool(blamed),
        why=why,
        command=command,
        target=main.target,
        precision=main.precision,
        split=subject.shown.name,
        of=len(faces),
        scale=pictures.scale,
    )
    return found, pictures


def _cells(cells: Sequence[Cell], rows: Sequence[Row]) -> list[Cell]:
    """The measured cells of one target that executes here, the one whose worst faces are shown first."""
    executed = [row.name for row in rows if row.executed]
    if not executed:
        return []
    order = by_interest(precision for _, precision in executed)

    def rank(name: tuple[str, str]) -> int:
        return order.index(name[1])

    target = min(executed, key=rank)[0]
    names = sorted((name for name in executed if name[0] == target), key=rank)
    lossy = [name for name in names if name[1] != "fp32"] or names
    by_name = {(cell.target, cell.precision): cell for cell in cells if cell.bundle is not None}
    return [by_name[name] for name in lossy]


def _blame(
    subject: Subject, cell: Cell, faces: Sequence[ReportFace], tools: Tools
) -> tuple[dict[str, tuple[Blame, ...]], str, str]:
    """Layers to blame by face; else why there are none, and what to do."""
    assert cell.bundle is not None
    stored = cell.bundle.manifest.get("quantization")
    if not stored:
        return {}, f"{cell.target} {cell.precision} has no quantized layers", "edgesr report --precisions int8-ptq,int8"
    sha256 = cell.bundle.manifest["checkpoint_sha256"]
    made_of: Checkpoint | None = next((c for c in (*subject.quantized, subject.checkpoint) if c.sha256 == sha256), None)
    if made_of is None:
        return {}, f"the checkpoint of {cell.bundle.folder.name} is not here", "edgesr report --quantized CHECKPOINT"
    try:
        network = SparedNetwork(made_of, Quantization.from_dict(stored))
        found = blame(network, faces, track=lambda layers: tools.track(layers, "layers to blame"))
    except ImportError as error:
        return {}, f"it needs {error.name}", "pip install 'edgesr[executorch]'"
    except EdgesrError as error:
        return {}, error.what, error.hint
    return found, "", ""


def side_by_side(faces: Sequence[ReportFace], reference: Restore, networks: Mapping[str, Restore]) -> Pictures:
    """Pictures of each face: LR, original, bicubic, float network, every other network with its map of departures."""
    floats = [reference(face) for face in faces]
    restored = {name: [restore(face) for face in faces] for name, restore in networks.items()}
    departures = {
        name: [_departure(image, wanted) for image, wanted in zip(images, floats, strict=True)]
        for name, images in restored.items()
    }
    everything = [departure for of_one in departures.values() for departure in of_one]
    held = float(np.quantile(np.stack(everything), HELD)) if everything else 0.0
    scale = next(s for s in SCALES if s >= held or s == SCALES[-1])
    found = []
    for i, face in enumerate(faces):
        side = face.truth.shape[0]
        anchor = resize_bicubic(face.lr, side, side)
        tiles = [
            Tile(f"LR, {face.lr.shape[0]} px", "", data_uri(_enlarged(face.lr, side))),
            Tile("original", "", data_uri(face.truth)),
            Tile("bicubic", f"{psnr(anchor, face.truth):.2f} dB", data_uri(anchor)),
            Tile("float, PyTorch", f"{psnr(floats[i], face.truth):.2f} dB", data_uri(floats[i])),
        ]
        for name, images in restored.items():
            lost = psnr(floats[i], face.truth) - psnr(images[i], face.truth)
            changed = data_uri(_coloured(departures[name][i], scale))
            tiles.append(Tile(name, f"{lost:.2f} dB lost", data_uri(images[i]), changed))
        found.append(FacePictures(face.label, tuple(tiles)))
    ramp = np.tile(np.linspace(0, scale, 160), (10, 1))
    return Pictures(scale, data_uri(_coloured(ramp, scale)), tuple(found))


def data_uri(image: Pixels) -> str:
    """The image as lossless WebP inside an address, so that the page needs no other file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="WEBP", lossless=True, quality=100, method=6)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _departure(image: Pixels, wanted: Pixels) -> npt.NDArray[np.float32]:
    """Mean absolute difference over R, G, B in levels of 255, [S, S]."""
    return np.abs(image.astype(np.float32) - wanted.astype(np.float32)).mean(2)


def _coloured(levels: npt.NDArray[np.floating], scale: int) -> Pixels:
    """Black where equal, bright at ``scale``, by a map that is even to the eye and to the colour-blind."""
    from matplotlib import colormaps

    colours = colormaps["inferno"](np.clip(levels / scale, 0, 1))
    return np.rint(colours[..., :3] * 255).astype(np.uint8)


def _enlarged(image: Pixels, side: int) -> Pixels:
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST))
