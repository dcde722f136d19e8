"""A bundle is complete or absent, and nothing of a changed one is ever loaded."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import safetensors

from edgesr.bundle import FORMAT_VERSION, default_name, hashes, open_bundle, write_aside
from edgesr.errors import BundleError, InputOutputError, UsageError
from edgesr.models.hime.config import HIMEConfig


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A well-formed bundle whose model is never loaded."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "model.pte").write_bytes(b"model")
    (folder / "golden.safetensors").write_bytes(b"golden")
    manifest = {
        "format": "edgesr-bundle",
        "format_version": FORMAT_VERSION,
        "name": "network",
        "size_bytes": 5,
        "target": "executorch",
        "precision": "fp32",
        "lowering": "rows",
        "files": {"model": "model.pte"},
        "sha256": hashes(folder),
        "model": HIMEConfig().to_dict(),
        "tensors": {},
        "feature_space": "x",
        "parity": {},
        "checkpoint_sha256": "0",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def edit(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_good_bundle_opens(bundle: Path) -> None:
    assert open_bundle(bundle).config == HIMEConfig()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: (b / "manifest.json").unlink(), "no bundle"),
        (lambda b: (b / "manifest.json").write_text("{"), "cannot read"),
        (lambda b: (b / "manifest.json").write_bytes(b"\xff\xfe\x00"), "cannot read"),
        (lambda b: (b / "manifest.json").write_text("[]"), "does not describe"),
        (lambda b: edit(b, format="other"), "does not describe"),
        (lambda b: edit(b, format_version=99), "format version 99"),
        (lambda b: edit(b, files=None), "no proper 'files'"),
        (lambda b: edit(b, name=None), "no proper 'name'"),
        (lambda b: edit(b, size_bytes="x"), "no proper 'size_bytes'"),
        (lambda b: edit(b, quantization="x"), "no proper 'quantization'"),
        (
            lambda b: edit(b, quantization={"method": "qat", "float_name": "x", "recipe": []}),
            "no proper 'quantization'",
        ),
        (lambda b: (b / "model.pte").write_bytes(b"other"), "is not the file that was converted"),
        (lambda b: (b / "model.pte").unlink(), "is missing"),
        (lambda b: edit(b, sha256={"../../etc/passwd": "0"}), "outside the bundle"),
        (lambda b: (b / "extra.bin").write_bytes(b"x"), "does not list: extra.bin"),
        (lambda b: (b / "golden.safetensors").unlink(), "is missing"),
        (lambda b: edit(b, files={"model": "other.pte"}), "no hash for its model file"),
    ],
)
def test_a_damaged_bundle_is_refused_by_name(bundle: Path, damage, message: str) -> None:
    damage(bundle)
    with pytest.raises(BundleError, match=message):
        open_bundle(bundle)


@pytest.mark.parametrize("place", ["", "deep/er/"])
@pytest.mark.parametrize("name", [".DS_Store", "._model.pte", "._.DS_Store", "Thumbs.db", "desktop.ini", "Desktop.ini"])
def test_litter_of_systems_is_passed_over(bundle: Path, place: str, name: str) -> None:
    (bundle / place).mkdir(parents=True, exist_ok=True)
    (bundle / place / name).write_bytes(b"\0")
    assert open_bundle(bundle).config == HIMEConfig()
    assert name not in json.dumps(hashes(bundle))


@pytest.mark.parametrize(
    "name", ["DS_Store", ".DS_Store/a.js", "_.x", "thumbs.db.exe", ".hidden", "__MACOSX/model.pte", "desktop.ini~"]
)
def test_anything_else_unlisted_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_bytes(b"\0")
    with pytest.raises(BundleError, match="does not list"):
        open_bundle(bundle)


def test_a_link_to_a_folder_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "linked").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(BundleError, match="does not list: linked"):
        open_bundle(bundle)


def test_a_folder_with_nothing_but_litter_is_empty(tmp_path: Path) -> None:
    output = tmp_path / "new"
    output.mkdir()
    (output / ".DS_Store").write_bytes(b"\0")
    with write_aside(output, force=True) as folder:
        (folder / "manifest.json").write_text("{}")
    assert [path.name for path in output.iterdir()] == ["manifest.json"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        open_bundle(tmp_path / "nowhere")


def test_what_fails_leaves_nothing_and_what_stood_there_stays(bundle: Path) -> None:
    before = hashes(bundle)

    def interrupted() -> None:
        with write_aside(bundle, force=True) as folder:
            (folder / "half").write_text("written")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert hashes(bundle) == before
    assert [p.name for p in bundle.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        safetensors.SafetensorError("Error while serializing: I/O error: No space left on device"),
    ],
)
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, failure: Exception) -> None:
    with pytest.raises(InputOutputError, match="No space left"), write_aside(tmp_path / "new", force=False):
        raise failure
    assert not list(tmp_path.iterdir())


def test_a_bundle_is_as_readable_as_any_new_file(tmp_path: Path) -> None:
    with write_aside(tmp_path / "new", force=False) as folder:
        (folder / "deep").mkdir()
        for file in (folder / "golden.safetensors", folder / "deep" / "weight.bin"):
            file.touch(mode=0o600)
    (tmp_path / "any").touch()
    modes = {path.stat().st_mode for path in tmp_path.rglob("*") if path.is_file()}
    assert len(modes) == 1


def test_an_existing_output_is_replaced_only_with_force(bundle: Path) -> None:
    with pytest.raises(UsageError, match="already exists"), write_aside(bundle, force=False):
        pass
    with write_aside(bundle, force=True) as folder:
        (folder / "manifest.json").write_text("{}")
    assert [p.name for p in bundle.iterdir()] == ["manifest.json"]


def test_force_replaces_bundles_only(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("precious")
    with pytest.raises(UsageError, match="is no bundle"), write_aside(tmp_path, force=True):
        pass
    assert (tmp_path / "holiday.jpg").read_text() == "precious"


def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.raises(InputOutputError, match="cannot write"), write_aside(tmp_path / "file" / "b", force=False):
        pass


def test_a_name_says_everything_that_distinguishes_a_bundle() -> None:
    interface = HIMEConfig(lr_size=64, slots=5).interface
    assert (
        default_name("hime small/x4", interface, "coreml", "fp16", "tent") == "hime-small-x4-lr64-s5-coreml-fp16-tent"
    )
    assert default_name("n", HIMEConfig().interface, "onnx", "fp32", None) == "n-lr32-s3-onnx-fp32"
