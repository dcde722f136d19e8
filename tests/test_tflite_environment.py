"""The TFLite converter's environment: complete or absent, never half made."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgesr.convert import tflite, tflite_environment
from edgesr.convert.targets import TARGETS
from edgesr.convert.tflite_environment import BEGUN, COMPLETE, LOCK, VARIABLE, TFLiteEnvironment
from edgesr.errors import InputOutputError, UnavailableError, UsageError


def make(folder: Path, *, stamp: str | None) -> TFLiteEnvironment:
    """A folder that looks like an environment, with a stamp of a lock file's hash or with none."""
    environment = TFLiteEnvironment(folder)
    environment.python.parent.mkdir(parents=True)
    environment.python.symlink_to(sys.executable)
    (folder / BEGUN).touch()
    if stamp is not None:
        (folder / COMPLETE).write_text(json.dumps({"lock_sha256": stamp}))
    return environment


def pretend(
    monkeypatch: pytest.MonkeyPatch, code: int = 0, errors: str = "", raises: type[BaseException] | None = None
):
    """Replace every program by one that says what pip says and ends as told."""

    def run_child(_command, on_line, **_options):
        on_line("Collecting numpy==1.26.4 (from -r tflite_requirements.txt (line 36))")
        if raises is not None:
            raise raises
        return code, errors

    monkeypatch.setattr(tflite_environment, "run_child", run_child)


def test_every_package_of_the_lock_file_is_pinned_with_the_hashes_of_its_files() -> None:
    text = re.sub(r"^#.*\n", "", LOCK.read_text(), flags=re.MULTILINE)
    pin = r"[\w.-]+==[\w.]+(?: ; sys_platform == 'linux')?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(f"(?:{pin})+", text)
    names = {line.split("==")[0] for line in text.splitlines() if "==" in line}
    assert {"onnx2tf", "tensorflow", "tflite-runtime", "numpy", "setuptools"} <= names


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A wheel of nothing, as an index would give it."""
    path = tmp_path / "index" / "edgesr_nothing-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as wheel:
        inside = "edgesr_nothing-1.0.dist-info"
        wheel.writestr(f"{inside}/METADATA", "Metadata-Version: 2.1\nName: edgesr-nothing\nVersion: 1.0\n")
        wheel.writestr(f"{inside}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{inside}/RECORD", "")
    return path


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("edgesr-nothing==1.0 --hash=sha256:{right}", None),
        ("edgesr-nothing==1.0 --hash=sha256:{wrong}", "hashes"),
        ("edgesr-nothing==1.0", "hashes"),
    ],
)
def test_a_package_of_another_content_is_refused(
    line: str, says: str | None, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, right = tmp_path / "lock.txt", hashlib.sha256(package.read_bytes()).hexdigest()
    lock.write_text(line.format(right=right, wrong="0" * 64) + "\n")
    monkeypatch.setattr(tflite_environment, "LOCK", lock)
    monkeypatch.setenv("PIP_FIND_LINKS", str(package.parent))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    command = TFLiteEnvironment(Path(sys.prefix)).install_command()
    done = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=False)
    assert (done.returncode == 0, says is None or says in done.stderr.lower()) == (says is None, True), done.stderr


def test_only_a_complete_environment_of_this_lock_file_is_ready(tmp_path: Path) -> None:
    assert "there is none" in (TFLiteEnvironment(tmp_path / "absent").problem() or "")
    assert "incomplete" in (make(tmp_path / "half", stamp=None).problem() or "")
    assert "another version" in (make(tmp_path / "old", stamp="0" * 64).problem() or "")
    whole = make(tmp_path / "whole", stamp=tflite_environment.lock_sha256())
    assert whole.is_ready()
    whole.python.unlink()
    assert "lost its Python" in (whole.problem() or "")


@pytest.mark.parametrize("before", ["absent", "empty", "half made", "of another version"])
def test_creating_leaves_a_complete_environment(tmp_path: Path, monkeypatch, before: str) -> None:
    folder = tmp_path / "env"
    if before == "empty":
        folder.mkdir()
    elif before != "absent":
        make(folder, stamp="0" * 64 if before == "of another version" else None)
        (folder / "left over").touch()
    pretend(monkeypatch)
    stages: list[str] = []
    TFLiteEnvironment(folder).create(stages.append)
    assert "fetching numpy" in stages
    assert json.loads((folder / COMPLETE).read_text())["lock_sha256"] == tflite_environment.lock_sha256()
    assert not (folder / "left over").exists()


@pytest.mark.parametrize(
    ("ending", "error", "says"),
    [
        (
            {"code": 1, "errors": "ERROR: No matching distribution for numpy"},
            UnavailableError,
            "No matching distribution",
        ),
        ({"code": 1, "errors": "OSError: [Errno 28] No space left on device"}, InputOutputError, "disk is full"),
        ({"raises": KeyboardInterrupt}, KeyboardInterrupt, ""),
    ],
)
def test_a_failed_or_interrupted_set_up_leaves_nothing(tmp_path: Path, monkeypatch, ending, error, says: str) -> None:
    pretend(monkeypatch, **ending)
    with pytest.raises(error, match=says):
        TFLiteEnvironment(tmp_path / "env").create(lambda stage: None)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, monkeypatch) -> None:
    pretend(monkeypatch)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match="no environment of edgesr"):
        TFLiteEnvironment(tmp_path).create(lambda stage: None)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_ready_environment_is_not_made_again(tmp_path: Path, monkeypatch) -> None:
    pretend(monkeypatch, code=1)
    make(tmp_path / "env", stamp=tflite_environment.lock_sha256()).create(lambda stage: None)


def test_its_place_is_the_option_then_the_variable_then_the_cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    place = tflite_environment.tflite_environment
    assert place().folder == tmp_path / "cache" / "edgesr" / f"tflite-{tflite_environment.lock_sha256()[:12]}"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "variable"))
    assert place().folder == tmp_path / "variable"
    assert place(tmp_path / "option").folder == tmp_path / "option"


def test_conversion_without_it_names_the_command_that_makes_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    assert TARGETS["tflite"].missing() == ["tflite environment"]
    with pytest.raises(UnavailableError) as caught:
        tflite.convert(None, "fp32", tmp_path, lambda stage: None)  # type: ignore[arg-type]
    assert (caught.value.exit_code, caught.value.hint) == (3, "edgesr setup tflite")
