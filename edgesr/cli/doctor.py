"""``edgesr doctor``."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import sys

import click

from edgesr.cli import output
from edgesr.models.description import sha256_of
from edgesr.process import extras

PYTHONS = (3, 11), (3, 13)
"""The first and the last that edgesr is tested on."""
DEVELOPERS = ("dev", "page")
"""Extras whose packages edgesr does not run with."""
NEEDED_BYTES = 1_000_000_000


@click.command("doctor")
@output.json_option
def command(as_json: bool) -> None:
    """Check this installation: Python, packages, shipped checkpoints, face detector and embedder, disk, targets.

    Exit code 1 if something has to be mended; a target that is merely not installed is no fault.
    """
    checks = [*python_checks(), *package_checks(), *checkpoint_checks()]
    checks += [detector_check(), embedder_check(), disk_check(), *target_checks()]
    faults = [check for check in checks if check["state"] == "fault"]
    if as_json:
        hints = [fault["hint"] for fault in faults]
        verdict = output.failure(f"{len(faults)} faults: {faults[0]['what']}", "; ".join(hints)) if faults else {}
        output.write_json({"ok": not faults, "checks": checks, **verdict})
    else:
        output.table(("", "what", "found", "try"), [tuple(check.values()) for check in checks])
    if faults:
        raise output.NegativeResult


def check(state: str, what: str, found: str, hint: str = "") -> dict[str, str]:
    return {"state": state, "what": what, "found": found, "hint": hint}


def python_checks() -> list[dict[str, str]]:
    right = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return [check("ok" if right else "fault", "Python", system, "" if right else "use Python 3.11, 3.12 or 3.13")]


def package_checks() -> list[dict[str, str]]:
    """Every installed package of ours against the versions that edgesr takes."""
    from packaging.requirements import Requirement

    rows = []
    try:
        lines = importlib.metadata.requires("edgesr") or []
    except importlib.metadata.PackageNotFoundError:
        return [check("fault", "edgesr", "runs from a folder, not installed", "pip install -e '.[all]'")]
    for line in lines:
        requirement = Requirement(line)
        marker = requirement.marker
        if requirement.name == "edgesr" or (marker and any(marker.evaluate({"extra": extra}) for extra in DEVELOPERS)):
            continue
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            if requirement.marker is None:
                rows.append(check("fault", requirement.name, "missing", f"pip install '{requirement}'"))
            continue
        # A CUDA build says 2.13.0+cu130: the same release.
        fits = requirement.specifier.contains(found.split("+")[0])
        hint = "" if fits else f"pip install '{requirement.name}{requirement.specifier}'"
        row = check("ok" if fits else "fault", requirement.name, found, hint)
        if row not in rows:  # several extras ask for the same
            rows.append(row)
    return rows


def checkpoint_checks() -> list[dict[str, str]]:
    from edgesr.errors import EdgesrError, UnavailableError
    from edgesr.models.description import shipped_names
    from edgesr.runtime.shipped import shipped_graphs

    rows = []
    for name in shipped_names():
        try:
            if extras.has_torch():
                from edgesr.models import load_checkpoint

                found = f"sha256 {load_checkpoint(name, quantized=True).sha256[:12]}"
            else:
                graphs = shipped_graphs(name)
                found = f"ONNX graphs of the weights with sha256 {graphs.manifest['checkpoint_sha256'][:12]}"
            rows.append(check("ok", f"checkpoint {name}", found))
        except UnavailableError as error:
            rows.append(check("note", f"checkpoint {name}", error.what, error.hint))
        except EdgesrError as error:
            rows.append(check("fault", f"checkpoint {name}", error.what, "install edgesr again"))
    return rows or [check("fault", "checkpoints", "none in the package", "install edgesr again")]


def detector_check() -> dict[str, str]:
    """Which detector the commands would take, by file and version, and whether it finds a sample face."""
    import numpy as np

    from edgesr.data.samples import sample_faces
    from edgesr.errors import EdgesrError, UnavailableError
    from edgesr.faces.detection import FaceDetector, open_detector
    from edgesr.faces.yunet import YUNET_VARIABLE

    said: list[str] = []
    try:
        detector = open_detector(None, said.append)
        picture = np.pad(sample_faces(256)[0].target, ((128, 128), (128, 128), (0, 0)), mode="edge")
        count = len(detector.detect(picture))
    except EdgesrError as error:
        # Not to be installed is no fault, to name a file that is not there is one.
        missing = isinstance(error, UnavailableError) and not os.environ.get(YUNET_VARIABLE)
        return check("note" if missing else "fault", "face detector", error.what, error.hint)
    of = versioned("opencv-python-headless") if isinstance(detector, FaceDetector) else versioned("dlib-bin")
    file = f", {detector.path}, sha256 {sha256_of(detector.path)[:12]}" if isinstance(detector, FaceDetector) else ""
    found = f"{detector.name} on {of}{file}"
    if count != 1:
        return check("fault", "face detector", f"{found}; it finds {count} faces where 1 is", "install edgesr again")
    return check("note" if said else "ok", "face detector", found, "; ".join(said))


def embedder_check() -> dict[str, str]:
    """The face embedder that tells people apart, by file and version, and whether it does so for two sample people."""
    from edgesr.data.samples import sample_faces
    from edgesr.errors import EdgesrError
    from edgesr.faces.dlib_models import open_dlib
    from edgesr.faces.identity import DLIB_NETWORK, DlibEmbedder, IdentityMeter

    try:
        embedder = DlibEmbedder()
        file = open_dlib("identity")[1] / DLIB_NETWORK
    except EdgesrError as error:
        return check("note", "face embedder", f"{error.what}; an ONNX one goes by --embedder", error.hint)
    first, second = sample_faces(128)[:2]
    meter = IdentityMeter(embedder)
    same, other = (meter.compare(image, first.target)["identity"] for image in (first.exemplar, second.target))
    found = f"{embedder.name} on {versioned('dlib-bin')}, {file}, sha256 {sha256_of(file)[:12]}"
    if same <= other:
        return check(
            "fault", "face embedder", f"{found}; it takes two people for one", "pip install 'edgesr[identity]'"
        )
    return check("ok", "face embedder", found)


def versioned(package: str) -> str:
    """A package with its version, or its name alone where it came some other way."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return f"{package} {importlib.metadata.version(package)}"
    return package


def disk_check() -> dict[str, str]:
    from edgesr.convert.tflite.environment import tflite_environment

    folder = tflite_environment().folder
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    hint = "" if free > NEEDED_BYTES else "what edgesr setup tflite installs takes 120 MB, a conversion some more"
    return check("ok" if free > NEEDED_BYTES else "note", "free disk", f"{free / 1e9:.0f} GB", hint)


def target_checks() -> list[dict[str, str]]:
    from edgesr.convert.targets import TARGETS

    rows = []
    for target in TARGETS.values():
        missing = target.missing()
        found = f"{', '.join(missing)} missing" if missing else "ready"
        rows.append(
            check("note" if missing else "ok", f"target {target.name}", found, target.remedy if missing else "")
        )
    return rows
