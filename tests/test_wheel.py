"""What is installed works without the checkout: the built wheel, in an environment of its own, from another folder."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import urllib.request
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import Once
from packaging.requirements import Requirement
from PIL import Image

from edgesr.booth import site
from edgesr.models.description import shipped_names

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import split_wheel  # noqa: E402

LICENCES = ("Apache-2.0", "MIT", "CC-BY-4.0", "LicenseRef-edgesr-weights")


def clean() -> dict[str, str]:
    """This process's environment, without a way to this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def ended(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=clean(), capture_output=True, text=True, check=False)


def run(*command: object, cwd: Path) -> str:
    done = ended(*command, cwd=cwd)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(once: Once) -> Path:
    """One for all of pytest's workers: a source distribution is put together inside the checkout."""

    def build(folder: Path) -> None:
        folder.mkdir()
        # Built from the source distribution, so that both are known to be complete.
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)

    return next(once("wheel", build).glob("*.whl"))


@pytest.fixture(scope="module")
def apart(wheel: Path, once: Once) -> tuple[Path, Path]:
    """What is published: edgesr by itself, and edgesr-weights for those who have PyTorch."""
    folder = once("apart", lambda folder: split_wheel.split(wheel, folder))
    (weights,) = folder.glob("edgesr_weights-*.whl")
    return folder / wheel.name, weights


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"edgesr"}
    here = {
        (Path(folder) / name).relative_to(ROOT).as_posix()
        for folder, _, files in os.walk(ROOT / "edgesr", followlinks=True)  # convert and quantize are links
        for name in files
        if not folder.endswith("__pycache__")
    }
    page = "edgesr/booth/site/"  # of which the next test tells
    assert {name for name in names if name.startswith("edgesr/") and not name.startswith(page)} == {
        name for name in here if not name.startswith(page)
    }
    about = next(name for name in names if name.endswith(".dist-info/METADATA"))
    described = zipfile.ZipFile(wheel).read(about).decode()
    assert f"License-Expression: {' AND '.join(LICENCES)}\n" in described
    texts = {f"LICENSES/{licence}.txt" for licence in LICENCES} | {"edgesr/weights/face_detection_yunet.LICENSE"}
    assert {f"License-File: {text}" for text in texts} <= set(described.splitlines())
    assert {f"{about.removesuffix('METADATA')}licenses/{text}" for text in texts} <= set(names)


def test_the_wheel_holds_the_booths_page(wheel: Path) -> None:
    """So that who installs it needs no Node."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("edgesr/booth/site/")}
    assert names == {f"edgesr/booth/site/{name}" for name in (*site.site_files(site.site_folder()), site.DESCRIPTION)}
    assert names >= {f"edgesr/booth/site/{name}" for name in (*site.NEEDED, *site.WASM)}


def test_what_is_installed_for_use_has_no_developers_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = {
        extra: {re.split(r"[=>\[]", package)[0] for package in packages} - {"edgesr"}
        for extra, packages in project["project"]["optional-dependencies"].items()
    }
    used = set().union(*(packages for extra, packages in extras.items() if extra not in ("dev", "docs", "page")))
    assert extras["dev"] >= {"pytest", "ruff", "mypy", "build", "scikit-image"}
    assert not used & (extras["dev"] | extras["docs"] | extras["page"])
    assert (
        f'NODE = "{project["project"]["optional-dependencies"]["page"][0]}"'
        in (ROOT / "tools" / "wheel_backend.py").read_text()
    )


def test_without_its_weights_the_wheel_is_small(wheel: Path, apart: tuple[Path, Path], tmp_path: Path) -> None:
    light, weights = apart
    assert light.stat().st_size < 25e6 < wheel.stat().st_size
    parts = [zipfile.ZipFile(path) for path in (light, weights)]
    files = [{name for name in part.namelist() if ".dist-info/" not in name} for part in parts]
    assert files[0] | files[1] == {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert files[1] == {f"edgesr/checkpoints/{name}/model.safetensors" for name in shipped_names()}
    for part in parts:
        (record,) = (part.read(name).decode() for name in part.namelist() if name.endswith("/RECORD"))
        listed = {row.split(",")[0]: row.split(",")[1] for row in record.splitlines()}
        assert set(listed) == set(part.namelist())
        assert all(
            digest == f"sha256={split_wheel.digest(part.read(name))}" for name, digest in listed.items() if digest
        )
    python, _ = environment(tmp_path / "env")
    command = (python, "-m", "pip", "install", "--no-deps", "--no-index", light, weights)
    run(*command, cwd=tmp_path)
    assert "edgesr-weights" in run(python, "-m", "pip", "list", cwd=tmp_path)


def environment(folder: Path) -> tuple[Path, Path]:
    """A new one: its Python, and where its packages go."""
    venv.create(folder, with_pip=True)
    version = "python{}.{}".format(*sys.version_info)
    return folder / "bin" / "python", folder / "lib" / version / "site-packages"


def lend_what_the_base_needs(site: Path) -> None:
    """Links to what ``pip install edgesr`` brings, extras not counted, from this environment: no index is asked."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted, lent = [Requirement(line) for line in project["dependencies"]], set()
    while wanted:
        requirement = wanted.pop()
        if requirement.name in lent or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        lent.add(requirement.name)
        package = importlib.metadata.distribution(requirement.name)
        assert requirement.specifier.contains(package.version)
        wanted += [Requirement(line) for line in package.requires or []]
        for top in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(package.locate_file(top))))


@pytest.fixture(scope="module")
def light(apart: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel without weights, installed with what the base needs and nothing else: its ``edgesr``."""
    folder = tmp_path_factory.mktemp("light")
    python, site = environment(folder / "env")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", apart[0], cwd=folder)
    lend_what_the_base_needs(site)
    for package in ("torch", "onnx", "executorch", "torchao", "coremltools", "lightning_fabric"):
        missing = f"import importlib.util; print(importlib.util.find_spec({package!r}))"
        assert run(python, "-c", missing, cwd=folder) == "None\n"
    return folder / "env" / "bin" / "edgesr"


def test_without_pytorch_galleries_are_built_and_faces_restored(light: Path, tmp_path: Path) -> None:
    photos, party, tiny = tmp_path / "my-photos", tmp_path / "party.jpg", tmp_path / "tiny.png"
    photos.mkdir()
    mine, other = (Image.open(ROOT / "edgesr" / "samples" / f"london_0019_{i}.jpg") for i in (1, 2))
    for picture, face, file in (
        (Image.new("RGB", (512, 512), (120, 110, 100)), mine, photos / "me.jpg"),
        (Image.new("RGB", (600, 400), (90, 120, 100)), other.resize((60, 60)), party),
    ):
        picture.paste(face, tuple((side - face.width) // 2 for side in picture.size))
        picture.save(file, quality=95)
    other.resize((32, 32), Image.Resampling.BICUBIC).save(tiny)
    built = json.loads(run(light, "gallery", "build", photos, "-o", "me.gallery", "--json", cwd=tmp_path))
    assert (built["ok"], built["kept"]) == (True, 1)
    listed = run(light, "gallery", "list", "me.gallery", "--json", cwd=tmp_path)
    assert json.loads(listed)["ok"]
    pasted = ("--gallery", "me.gallery", "-o", "sharp.jpg", "--compare", "--json")
    sharp = run(light, "enhance", party, *pasted, cwd=tmp_path)
    assert [face["restored"] for face in json.loads(sharp)["outputs"][0]["faces"]] == [True]
    run(light, "restore", tiny, "--gallery", "me.gallery", "-o", "a.png", cwd=tmp_path)
    run(light, "restore", tiny, "--exemplars", photos / "me.jpg", "-o", "b.png", cwd=tmp_path)
    faces = [np.asarray(Image.open(tmp_path / name), np.int16) for name in ("a.png", "b.png")]
    assert faces[0].shape == (128, 128, 3)
    assert np.abs(faces[0] - faces[1]).mean() < 1  # a gallery has its features in int8
    assert json.loads(run(light, "info", "--json", cwd=tmp_path))["parameters"] == 868_816
    assert json.loads(run(light, "doctor", "--json", cwd=tmp_path))["ok"]


def test_without_pytorch_the_booth_opens_and_its_networks_verify(light: Path, tmp_path: Path) -> None:
    environment = {**clean(), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [light, "booth", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as booth:
        try:
            assert booth.stdout is not None
            address = booth.stdout.readline().strip()
            with urllib.request.urlopen(f"{address}booth.json") as answer:
                said = json.load(answer)
        finally:
            booth.terminate()
    assert sorted(said["models"]) == ["fp32", "int8"]
    (folder,) = (tmp_path / "cache" / "edgesr" / "booth").iterdir()
    for form in said["models"]:
        verified = run(light, "verify", folder / "models" / form, "--json", cwd=tmp_path)
        assert json.loads(verified)["ok"]


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("convert", "--target", "onnx"), "convert"),
        (("restore", "tiny.png", "-o", "sharp.png", "--model", "hime-small-x8"), "convert"),
        (("train", "."), "train"),
        (("quantize", "--data", "."), "executorch"),
        (("info", "hime-small-x8"), "convert"),
    ],
)
def test_without_pytorch_what_needs_it_says_so(
    arguments: tuple[str, ...], extra: str, light: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "tiny.png")
    (tmp_path / "32" / "train" / "ann").mkdir(parents=True)
    done = ended(light, *arguments, "--json", cwd=tmp_path)
    said = json.loads(done.stdout)
    assert (done.returncode, said["exit_code"], said["hint"]) == (3, 3, f"pip install 'edgesr[{extra}]'")
    assert "PyTorch" in said["error"]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole wheel, installed with every package of this environment: its ``edgesr``."""
    folder = tmp_path_factory.mktemp("installed")
    python, site = environment(folder / "env")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=folder)
    # The dependencies of this environment are lent, its own edgesr is not: a .pth in a lent folder is not read.
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    where = run(python, "-c", "import edgesr.convert; print(edgesr.convert.__file__)", cwd=folder).strip()
    assert Path(where).is_relative_to(site)
    return folder / "env" / "bin" / "edgesr"


def test_the_installed_wheel_converts_from_another_folder(installed: Path, tmp_path: Path) -> None:
    out = run(installed, "convert", "--target", "onnx", cwd=tmp_path)
    bundle = tmp_path / "hime-small-x4-photo-lr32-s5-onnx-int8"
    assert str(bundle) in out
    assert run(installed, "verify", bundle, "--json", cwd=tmp_path).startswith('{\n  "ok": true')


@pytest.mark.parametrize(
    ("target", "chosen"),
    [
        pytest.param("qnn", ("--soc", "sm8650"), marks=pytest.mark.qnn),
        pytest.param("coreai", (), marks=pytest.mark.coreai),
    ],
)
def test_the_installed_wheel_converts_for_accelerators(
    target: str, chosen: tuple[str, ...], installed: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / target
    run(installed, "convert", "--target", target, *chosen, "-c", tiny_checkpoint, "-o", bundle, cwd=tmp_path)
    verified = run(installed, "verify", bundle, "-c", tiny_checkpoint, "--json", cwd=tmp_path)
    assert json.loads(verified)["ok"]
