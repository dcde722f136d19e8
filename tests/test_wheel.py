"""What is installed works without the checkout: the built wheel, in an environment of its own, from another folder."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from edgesr.booth import site

ROOT = Path(__file__).parent.parent
LICENCES = ("Apache-2.0", "MIT", "CC-BY-4.0", "LicenseRef-edgesr-weights")


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Built from the source distribution, so that both are known to be complete.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"edgesr"}
    wanted = (
        "edgesr/convert/pipeline.py",
        "edgesr/convert/tflite/converter_requirements.txt",
        "edgesr/convert/tflite/runtime_requirements.txt",
        "edgesr/quantize/__init__.py",
        "edgesr/py.typed",
        "edgesr/ablations/tables/alignment.toml",
        "edgesr/ablations/rows/hime.toml",
        "edgesr/samples/ATTRIBUTION.md",
        "edgesr/weights/face_detection_yunet.onnx",
        "edgesr/weights/face_detection_yunet.LICENSE",
        "edgesr/checkpoints/hime-small-x4/model.safetensors",
        "edgesr/checkpoints/hime-small-x4-photo-int8/model.safetensors",
    )
    assert set(wanted) <= set(names)
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


def test_the_installed_wheel_converts_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    site = tmp_path / "env" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    run(tmp_path / "env" / "bin" / "python", "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # The dependencies of this environment are lent, its own edgesr is not: a .pth in a lent folder is not read.
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    python = tmp_path / "env" / "bin" / "python"
    where = run(python, "-c", "import edgesr.convert; print(edgesr.convert.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(site)
    edgesr = tmp_path / "env" / "bin" / "edgesr"
    out = run(edgesr, "convert", "--target", "onnx", cwd=tmp_path)
    bundle = tmp_path / "hime-small-x4-photo-lr32-s3-onnx-int8"
    assert str(bundle) in out
    assert run(edgesr, "verify", bundle, "--json", cwd=tmp_path).startswith('{\n  "ok": true')
