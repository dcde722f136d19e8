"""TensorFlow Lite's library for the tests: from the jar that the Android booth's tests use, of the content that its
lock says. It runs the twins where Core ML does not run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANDROID = ROOT.parent / "android_demo"
LIBRARY = ROOT / "testdata" / "runtime" / "libtensorflowlite.so"
INSIDE = "libjnitensorflowlite.so"


def library() -> Path:
    """The library, fetched where it is not there yet; ends with exit code 3 where it cannot be had."""
    if LIBRARY.is_file():
        return LIBRARY
    version = tomllib.loads((ANDROID / "gradle" / "libs.versions.toml").read_text())["versions"]["tensorflowLiteHost"]
    name = f"org/bytedeco/tensorflow-lite/{version}/tensorflow-lite-{version}-linux-x86_64.jar"
    wanted = {path: sha256 for sha256, path in _locked()}[name]
    jar = _fetch(version)
    if hashlib.sha256(jar.read_bytes()).hexdigest() != wanted:
        jar.unlink()
        sys.exit(f"ios: Maven gave another {name} than maven.lock says: try again")
    LIBRARY.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(jar) as archive:
        inside = next(entry for entry in archive.namelist() if entry.endswith(f"/{INSIDE}"))
        aside = LIBRARY.with_suffix(".partial")
        aside.write_bytes(archive.read(inside))
        aside.replace(LIBRARY)
    return LIBRARY


def _locked() -> list[tuple[str, str]]:
    lines = (ANDROID / "tools" / "maven.lock").read_text().splitlines()
    return [(sha256, path) for sha256, path in (line.split() for line in lines if line and not line.startswith("#"))]


def _fetch(version: str) -> Path:
    mvn, java = shutil.which("mvn"), shutil.which("java")
    if mvn is None or java is None:
        print("ios: no Maven, so no TensorFlow Lite to test with: apt-get install maven", file=sys.stderr)
        sys.exit(3)
    work = ROOT / ".work"
    work.mkdir(exist_ok=True)
    pom = work / "pom.xml"
    pom.write_text(
        f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>io.edgesr</groupId><artifactId>booth</artifactId><version>0</version><packaging>pom</packaging>
<profiles><profile><id>host</id><dependencies><dependency>
<groupId>org.bytedeco</groupId><artifactId>tensorflow-lite</artifactId><version>{version}</version>
<classifier>linux-x86_64</classifier>
<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
</dependency></dependencies></profile></profiles></project>
"""
    )
    home = Path(mvn).resolve().parent.parent
    classpath = os.pathsep.join(str(home / folder / "*") for folder in ("lib", "boot"))
    program = [
        java,
        f"-Dmaven.home={home}",
        "-cp",
        classpath,
        ANDROID / "tools" / "Fetch.java",
        pom,
        work / "m2",
        "host",
    ]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{done.stderr[-1000:]}\nios: Maven cannot fetch TensorFlow Lite", file=sys.stderr)
        sys.exit(3)
    return Path(done.stdout.split("\t")[1].strip())
