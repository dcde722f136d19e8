"""The faces that lose most: which they are, how they look (where they may be shown), and which layers are to blame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgesr.bundle import Bundle
from edgesr.convert.precision import by_interest
from edgesr.convert.targets import title
from edgesr.errors import EdgesrError
from edgesr.faces.identity import IdentityMeter
from edgesr.models.checkpoint import Checkpoint
from edgesr.quantize.scheme import Quantization

from .faces import ReportFace
from .measure import FigureCache, Figures, bundle_key, measure_faces
from .pictures import side_by_side
from .rows import losses
from .subject import Cell, Settings, Subject, Tools

COLUMNS = 3
Open = Callable[[Bundle | None], Callable[[ReportFace], Any]]


def worst_faces(
    subject: Subject,
    rows: Sequence[dict[str, Any]],
    open_restorer: Open,
    settings: Settings,
    meter: IdentityMeter | None,
    tools: Tools,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What JSON says of the worst faces that may be shown, and their pictures (empty where none may be).

    The first has ``target``, ``precision``, ``split``, ``faces`` (each with ``loss_db`` and ``blame``), ``blamed``, and
    where nothing is blamed ``why`` and ``command``.
    """
    cells = _cells(subject.cells, rows)
    nothing: dict[str, Any] = {"faces": [], "blamed": False, "why": "no faces may be shown", "command": ""}
    if subject.shown is None or not subject.shown.faces or not cells:
        return nothing, {}
    main = cells[0]
    assert main.bundle is not None
    tools.say(f"the worst faces of {subject.shown.name} with {main.target} {main.precision}")
    faces = subject.shown.faces
    folder = settings.work / "faces"
    float_name = f"float-{subject.checkpoint.sha256[:20]}-{main.bundle.config.lr_size}"

    def figures(name: str, bundle: Bundle | None) -> list[Figures]:
        def track(items: Sequence[ReportFace]) -> Iterator[ReportFace]:
            return tools.track(items, "worst faces")

        return measure_faces(lambda: open_restorer(bundle), faces, FigureCache(folder, name), meter, track)

    lost = losses(figures(bundle_key(main.bundle), main.bundle), figures(float_name, None))
    ranked = sorted(range(len(faces)), key=lambda i: -lost[i])[: settings.worst]
    chosen = [faces[i] for i in ranked]
    shown = cells[:COLUMNS]
    networks = {f"{title(cell.target)} {cell.precision}": open_restorer(cell.bundle) for cell in shown}
    pictures = side_by_side(chosen, open_restorer(None), networks)
    blamed, why, command = _blame(subject, main, chosen, tools)
    found = {
        "target": main.target,
        "precision": main.precision,
        "split": subject.shown.name,
        "of": len(faces),
        "scale": pictures["scale"],
        "faces": [
            {"face": faces[i].label, "key": faces[i].key, "loss_db": lost[i], "blame": blamed.get(faces[i].key, [])}
            for i in ranked
        ],
        "blamed": bool(blamed),
        "why": why,
        "command": command,
    }
    return found, pictures


def _cells(cells: Sequence[Cell], rows: Sequence[dict[str, Any]]) -> list[Cell]:
    """The measured cells of one target that executes here, the one whose worst faces are shown first."""
    executed = [(row["target"], row["precision"]) for row in rows if row["executed"]]
    if not executed:
        return []

    order = by_interest(name[1] for name in executed)

    def rank(name: tuple[str, str]) -> int:
        return order.index(name[1])

    target = min(executed, key=rank)[0]
    names = sorted((name for name in executed if name[0] == target), key=rank)
    lossy = [name for name in names if name[1] != "fp32"] or names
    by_name = {(cell.target, cell.precision): cell for cell in cells if cell.bundle is not None}
    return [by_name[name] for name in lossy]


def _blame(
    subject: Subject, cell: Cell, faces: Sequence[ReportFace], tools: Tools
) -> tuple[dict[str, list[dict[str, Any]]], str, str]:
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
        from .blame import SparedNetwork, blame

        network = SparedNetwork(made_of, Quantization.from_dict(stored))
        found = blame(network, faces, track=lambda layers: tools.track(layers, "layers to blame"))
    except ImportError as error:
        return {}, f"it needs {error.name}", "pip install 'edgesr[executorch]'"
    except EdgesrError as error:
        return {}, error.what, error.hint
    return found, "", ""
