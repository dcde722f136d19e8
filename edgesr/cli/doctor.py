"""``edgesr doctor``."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys

import click

from edgesr.cli import output

PYTHON = (3, 11)
NEEDED_BYTES = 4_000_000_000


@click.command("doctor")
@output.json_option
def command(as_json: bool) -> None:
    """Check this installation: Python, pinned packages, targets, the shipped checkpoints, disk.

    Exit code 1 if something has to be mended; a target that is merely not installed is no fault.
    """
    checks = [*python_checks(), *package_checks(), *checkpoint_checks(), disk_check(), *target_checks()]
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
    right = sys.version_info[:2] == PYTHON
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return [check("ok" if right else "fault", "Python", system, "" if right else "use Python 3.11")]


def package_checks() -> list[dict[str, str]]:
    """Every installed package of ours against its pin: another version is not what parity was proven with."""
    from packaging.requirements import Requirement

    rows = []
    try:
        lines = importlib.metadata.requires("edgesr") or []
    except importlib.metadata.PackageNotFoundError:
        return [check("fault", "edgesr", "runs from a folder, not installed", "pip install -e '.[all]'")]
    for line in lines:
        requirement = Requirement(line)
        if requirement.name == "edgesr":
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
        rows.append(check("ok" if fits else "fault", requirement.name, found, hint))
    return rows


def checkpoint_checks() -> list[dict[str, str]]:
    from edgesr.errors import EdgesrError
    from edgesr.models import load_checkpoint
    from edgesr.models.checkpoint import shipped_names

    rows = []
    for name in shipped_names():
        try:
            loaded = load_checkpoint(name, quantized=True)
            rows.append(check("ok", f"checkpoint {name}", f"sha256 {loaded.sha256[:12]}"))
        except EdgesrError as error:
            rows.append(check("fault", f"checkpoint {name}", error.what, "install edgesr again"))
    return rows or [check("fault", "checkpoints", "none in the package", "install edgesr again")]


def disk_check() -> dict[str, str]:
    from edgesr.convert.tflite_environment import tflite_environment

    folder = tflite_environment().folder
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    hint = "" if free > NEEDED_BYTES else "the TFLite environment takes 2.6 GB"
    return check("ok" if free > NEEDED_BYTES else "note", "free disk", f"{free / 1e9:.0f} GB", hint)


def target_checks() -> list[dict[str, str]]:
    from edgesr.convert.target import TARGETS

    rows = []
    for target in TARGETS.values():
        missing = target.missing()
        found = f"{', '.join(missing)} missing" if missing else "ready"
        rows.append(
            check("note" if missing else "ok", f"target {target.name}", found, target.remedy if missing else "")
        )
    return rows
