"""What edgesr setup tflite installs: complete or absent, never half made."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgesr.convert import step
from edgesr.convert.targets import TARGETS
from edgesr.convert.tflite import conversion, environment
from edgesr.convert.tflite.environment import CONVERTER_LOCK, RUNTIME_LOCK, VARIABLE, TFLiteEnvironment
from edgesr.errors import InputOutputError, UnavailableError, UsageError
from edgesr.files.environments import BEGUN, COMPLETE


def make(folder: Path, *, stamp: str | None, python: Path | None = None) -> TFLiteEnvironment:
    """A folder that looks like an environment, with a stamp of the lock files' hash or with none."""
    folder.mkdir(parents=True)
    (folder / BEGUN).touch()
    if stamp is not None:
        made_with = None if python is None else str(python)
        (folder / COMPLETE).write_text(json.dumps({"lock_sha256": stamp, "runtime_python": made_with}))
    return TFLiteEnvironment(folder)


def pretend(
    monkeypatch: pytest.MonkeyPatch, code: int = 0, errors: str = "", raises: type[BaseException] | None = None
):
    """Replace every program by one that says what pip says and ends as told."""

    def run_child(_command, on_line, **_options):
        on_line("Collecting numpy==1.26.4 (from -r runtime_requirements.txt (line 3))")
        if raises is not None:
            raise raises
        return code, errors

    monkeypatch.setattr(step, "run_child", run_child)


@pytest.mark.parametrize(
    ("lock", "names"), [(CONVERTER_LOCK, {"onnx2tf"}), (RUNTIME_LOCK, {"tflite-runtime", "numpy"})]
)
def test_every_package_of_a_lock_file_is_pinned_with_the_hashes_of_its_files(lock: Path, names: set[str]) -> None:
    text = re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    pin = r"[\w.-]+==[\w.]+(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(f"(?:{pin})+", text)
    assert {line.split("==")[0] for line in text.splitlines() if "==" in line} == names


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
    monkeypatch.setenv("PIP_FIND_LINKS", str(package.parent))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    command = TFLiteEnvironment(tmp_path).install_command(lock, tmp_path / "converter")
    done = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=False)
    assert (done.returncode == 0, says is None or says in done.stderr.lower()) == (says is None, True), done.stderr


def test_only_a_complete_environment_of_this_lock_file_is_ready(tmp_path: Path) -> None:
    assert "there is none" in (TFLiteEnvironment(tmp_path / "absent").problem() or "")
    assert "incomplete" in (make(tmp_path / "half", stamp=None).problem() or "")
    assert "another version" in (make(tmp_path / "old", stamp="0" * 64).problem() or "")
    whole = make(tmp_path / "whole", stamp=environment.lock_sha256(), python=Path(sys.executable))
    assert whole.is_ready()
    assert whole.runtime_python() == Path(sys.executable)
    gone = make(tmp_path / "gone", stamp=environment.lock_sha256(), python=tmp_path / "python3.11")
    assert "a Python that is gone" in (gone.problem() or "")
    assert make(tmp_path / "without", stamp=environment.lock_sha256()).is_ready()


@pytest.mark.parametrize(
    ("system", "version", "on_path", "found"),
    [
        ("linux", (3, 11), None, sys.executable),
        ("linux", (3, 13), "/opt/python3.11", "/opt/python3.11"),
        ("linux", (3, 13), None, None),
        ("darwin", (3, 11), "/opt/python3.11", None),
    ],
)
def test_the_oldest_runtime_runs_on_this_python_or_one_on_the_path(
    monkeypatch: pytest.MonkeyPatch, system: str, version: tuple[int, int], on_path: str | None, found: str | None
) -> None:
    monkeypatch.setattr(environment.sys, "platform", system)
    monkeypatch.setattr(environment.sys, "version_info", (*version, 0, "final", 0))
    monkeypatch.setattr(environment.shutil, "which", {"python3.11": on_path}.get)
    assert environment.find_runtime_python() == (None if found is None else Path(found))


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
    assert json.loads((folder / COMPLETE).read_text())["lock_sha256"] == environment.lock_sha256()
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
    make(tmp_path / "env", stamp=environment.lock_sha256()).create(lambda stage: None)


def test_its_place_is_the_option_then_the_variable_then_the_cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    place = environment.tflite_environment
    assert place().folder == tmp_path / "cache" / "edgesr" / f"tflite-{environment.lock_sha256()[:12]}"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "variable"))
    assert place().folder == tmp_path / "variable"
    assert place(tmp_path / "option").folder == tmp_path / "option"


def test_conversion_without_it_names_the_command_that_makes_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    assert TARGETS["tflite"].missing() == ["tflite environment"]
    with pytest.raises(UnavailableError) as caught:
        conversion.convert(None, "fp32", tmp_path, lambda stage: None)  # type: ignore[arg-type]
    assert (caught.value.exit_code, caught.value.hint) == (3, "edgesr setup tflite")
