"""What a web bundle holds beside the graphs that it is named after: the page, the other networks, the detector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgesr.booth import site
from edgesr.booth.served import BOOTH, DETECTOR, is_data
from edgesr.bundle import GOLDEN, MANIFEST, Bundle, open_bundle
from edgesr.errors import BundleError, CheckpointError, EdgesrError
from edgesr.faces.yunet import find_yunet
from edgesr.models.description import sha256_of

from ..manifest_checks import agreement
from ..parity import Check
from ..verification import Verification, Verify
from .folder import describe

NOT_BUILT = f"the page is not built here, so the bundle's was compared with none ({site.BUILD})"
OF_THE_FILES = ("target", "files", "sha256", "size_bytes", "seconds", "tools", "toolchain", "delegation", "parity")
"""Keys of a manifest that differ between the web bundle and the ONNX bundle in it."""
OF_THIS_EDGESR = ("edgesr", "build_id", "first_visit_bytes")
"""Keys of ``booth.json`` that another version of edgesr writes otherwise."""


def verify_folder(bundle: Bundle, checkpoint: str | Path | None, verify: Verify) -> Verification:
    """Checks of everything in the folder but the graphs of the bundle's own manifest.

    ``verify`` checks the other networks, which are bundles of their own.

    Raises:
        BundleError: one of them is damaged.
    """
    checks: list[Check] = []
    notes: list[str] = []
    unverified: list[str] = []
    if site.is_built():
        checks.append(page_check(bundle))
        checks += booth_checks(bundle)
    else:
        unverified.append(NOT_BUILT)
    checks.append(detector_check(bundle))
    own = {str(Path(file).parent) for file in bundle.manifest["files"].values()}
    for place in model_folders(bundle):
        if place in own:
            checks += list(twin_checks(bundle, place))
            continue
        try:
            other = verify(bundle.folder / place, checkpoint)
        except CheckpointError:  # the one that is given is the int8 network's, and this is the float one
            other = verify(bundle.folder / place, None)
        checks += [Check(f"{place}: {check.name}", check.ok, check.value, check.threshold) for check in other.checks]
        notes += [f"{place}: {note}" for note in other.notes]
        unverified += [f"{place}: {other.unverified}"] if other.unverified else []
    return Verification(tuple(checks), "", tuple(notes), "; ".join(unverified) or None)


def model_folders(bundle: Bundle) -> list[str]:
    """The folders of a web bundle's networks, each a bundle of its own."""
    found = (Path(name) for name in bundle.manifest["sha256"] if name.startswith("models/"))
    return sorted({str(path.parent) for path in found if path.name == MANIFEST and is_data(path.as_posix())})


def page_check(bundle: Bundle) -> Check:
    """Whether the bundle's page is the installed one, file by file; the check's name says where it departs."""
    page = site.site_folder()
    installed = {name: sha256_of(page / name) for name in site.site_files(page)}
    theirs = {name: sha256 for name, sha256 in bundle.manifest["sha256"].items() if not is_data(name)}
    wrong = sorted(name for name in installed | theirs if installed.get(name) != theirs.get(name))
    name = f"page: {wrong[0]} is the installed page's" if wrong else "page: every file is the installed page's"
    all_files = float(len(installed | theirs))
    return Check(name, not wrong, all_files - len(wrong), all_files)


def detector_check(bundle: Bundle) -> Check:
    """Whether the detector is the one that edgesr uses here."""
    same = bundle.manifest["sha256"].get(DETECTOR) == sha256_of(find_yunet())
    return Check("detector is the one in use here", same, float(same), 1.0)


def booth_checks(bundle: Bundle) -> list[Check]:
    """Whether ``booth.json`` says what lies in the folder, and the manifest what ``booth.json`` says."""
    try:
        said: Any = json.loads((bundle.folder / BOOTH).read_bytes())
        expected = json.loads(json.dumps(describe(bundle.folder, default_of(bundle))))
        agrees = isinstance(said, dict) and _without(said) == _without(expected)
        repeats = all(bundle.manifest.get(key) == said.get(key) for key in ("models", "detector"))
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, EdgesrError):
        agrees = repeats = False
    return [
        Check("booth.json is of this folder", agrees, float(agrees), 1.0),
        agreement("models and detector of booth.json", agrees=repeats),
    ]


def default_of(bundle: Bundle) -> str:
    """Key of the network that the bundle is named after.

    Raises:
        BundleError: its graphs do not lie where a web bundle's do.
    """
    parts = Path(bundle.manifest["files"].get("restore", "")).parts
    if len(parts) != 3 or parts[0] != "models":
        raise BundleError(f"{bundle.folder / MANIFEST} has its graphs in another place", "convert again")
    return parts[1]


def twin_checks(bundle: Bundle, place: str) -> Iterator[Check]:
    """The ONNX bundle of the graphs that were compared already: its manifest and golden vectors are the bundle's."""
    inner = open_bundle(bundle.folder / place)
    said, outer = inner.manifest, bundle.manifest
    keys = sorted(set(said) - set(OF_THE_FILES))
    wrong = [key for key in keys if said[key] != outer.get(key)]
    name = f"{place}: manifest says the same of {wrong[0]}" if wrong else f"{place}: manifest says the same"
    yield Check(name, not wrong, float(len(keys) - len(wrong)), float(len(keys)))
    files = {role: f"{place}/{file}" for role, file in said["files"].items()}
    yield Check(f"{place}: the same graphs", files == outer["files"], float(files == outer["files"]), 1.0)
    same = said["sha256"].get(GOLDEN) == outer["sha256"].get(GOLDEN)
    yield Check(f"{place}: the same golden vectors", same, float(same), 1.0)


def _without(said: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key not in OF_THIS_EDGESR}
