"""The jars of the plain build: versions from the version catalog, fetched by Maven from where it is set up to look.

    python android_demo/tools/pom.py     after a change of a version: fetch all of them anew and write maven.lock

Nothing that Maven fetches is run or read by us before its SHA-256 was found to be the lock's.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work"
REPOSITORY = WORK / "m2"
"""Of this build alone: what lies in it is what it uses."""
LOCK = ROOT / "tools" / "maven.lock"
READ = (".jar", ".aar", ".pom")
HEAD = "# SHA-256 of all that Maven fetches for the plain build. Made by: python android_demo/tools/pom.py"

FRAMEWORK = "15-robolectric-13954326"
"""Android 15 (API 35), the real framework."""


def catalog() -> dict[str, Any]:
    """The version catalog that Gradle reads, too."""
    return tomllib.loads((ROOT / "gradle" / "libs.versions.toml").read_text())


def groups() -> dict[str, list[tuple[str, str, str, bool]]]:
    """Jars by use: (group:artifact, version, type or :classifier, with its dependencies)."""
    v = catalog()["versions"]
    host = v["tensorflowLiteHost"]
    return {
        "kotlinc": [("org.jetbrains.kotlin:kotlin-compiler-embeddable", v["kotlin"], "jar", True)],
        "app": [
            ("org.tensorflow:tensorflow-lite", v["tensorflowLite"], "aar", False),
            ("org.tensorflow:tensorflow-lite-api", v["tensorflowLite"], "aar", False),
        ],
        "sdk": [("org.robolectric:android-all", FRAMEWORK, "jar", True)],
        "dex": [
            ("com.guardsquare:proguard-base", "7.7.0", "jar", True),
            ("com.jakewharton.android.repackaged:dalvik-dx", "14.0.0_r21", "jar", True),
        ],
        "host": [
            ("org.bytedeco:tensorflow-lite", host, "jar", True),
            ("org.bytedeco:tensorflow-lite", host, ":linux-x86_64", False),
            ("org.bytedeco:javacpp", host.rpartition("-")[2], ":linux-x86_64", False),
        ],
        "sdkrt": [("org.robolectric:android-all-instrumented", f"{FRAMEWORK}-i7", "jar", False)],
        "test": [
            ("org.robolectric:robolectric", v["robolectric"], "jar", True),
            ("junit:junit", v["junit"], "jar", True),
        ],
    }


def fetch() -> dict[str, list[Path]]:
    """The jars of every group, each of the content that the lock says; fetched where they are not there yet."""
    WORK.mkdir(exist_ok=True)
    pom, fetched, written = WORK / "pom.xml", WORK / "fetched.txt", _pom()
    stamp, state = WORK / "fetched.stamp", hashlib.sha256(written.encode() + LOCK.read_bytes()).hexdigest()
    if not (stamp.is_file() and stamp.read_text() == state and fetched.is_file() and REPOSITORY.is_dir()):
        stamp.unlink(missing_ok=True)
        pom.write_text(written)
        # What lies there is checked first, too: what Maven has, it does not fetch again.
        check()
        print("  fetching jars", flush=True)
        fetched.write_text(_resolve(pom))
        check()
        stamp.write_text(state)
    found: dict[str, list[Path]] = {group: [] for group in groups()}
    for line in fetched.read_text().splitlines():
        group, path = line.split("\t")[:2]
        # Robolectric brings androidx.test in some repositories only: host/ has the few classes that it names.
        if not Path(path).name.startswith(("monitor-", "espresso-", "annotation-1")):
            found[group].append(Path(path))
    return {group: sorted(paths, key=lambda path: path.name) for group, paths in found.items()}


def check() -> None:
    """End where anything in the repository is not of the lock's content; what is not is removed."""
    wrong, wanted = [], locked()
    for name, path in _contents():
        if wanted.get(name) != _sha256(path):
            wrong.append(f"{name}: {'another content' if name in wanted else 'unknown'}")
            path.unlink()
    if wrong:
        listed = "\n  ".join(wrong[:10])
        print(f"android: Maven gave what {LOCK.name} does not say:\n  {listed}", file=sys.stderr)
        print("  try: again; after a change of a version: python android_demo/tools/pom.py", file=sys.stderr)
        sys.exit(1)


def locked() -> dict[str, str]:
    """SHA-256 of every jar, aar and POM by its path in a repository."""
    lines = (line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#"))
    return {name: sha256 for sha256, name in lines}


def lock() -> None:
    """Fetch everything anew and write down what came."""
    shutil.rmtree(REPOSITORY, ignore_errors=True)
    WORK.mkdir(exist_ok=True)
    (WORK / "fetched.stamp").unlink(missing_ok=True)
    (WORK / "pom.xml").write_text(_pom())
    _resolve(WORK / "pom.xml")
    entries = [f"{_sha256(path)}  {name}" for name, path in _contents()]
    LOCK.write_text("\n".join([HEAD, *entries, ""]))
    print(f"{len(entries)} files: {LOCK}")


def _resolve(pom: Path) -> str:
    """Have Maven fetch every group; a line for each jar: group, path, scope, between tabs."""
    code, said, problem = resolve(pom, REPOSITORY, groups())
    if code:
        print(f"{problem[-3000:]}\nandroid: Maven cannot fetch the jars", file=sys.stderr)
        sys.exit(3)
    return said


def resolve(pom: Path, repository: Path, profiles: Iterable[str], *settings: str) -> tuple[int, str, str]:
    """Have Maven put what the profiles of a POM depend on into a repository: exit code, stdout, stderr."""
    mvn = Path(shutil.which("mvn") or "mvn").resolve()
    home = mvn.parent.parent
    classpath = os.pathsep.join(str(home / folder / "*") for folder in ("lib", "boot"))
    program = ["java", *settings, f"-Dmaven.home={home}", "-cp", classpath, ROOT / "tools" / "Fetch.java"]
    done = subprocess.run([*program, pom, repository, *profiles], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def _contents() -> list[tuple[str, Path]]:
    """Files of the repository that Maven or we read, by their paths in it."""
    files = (path for path in sorted(REPOSITORY.rglob("*")) if path.suffix in READ and path.is_file())
    return [(path.relative_to(REPOSITORY).as_posix(), path) for path in files]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pom() -> str:
    """Only a list of dependencies, a profile for each group."""
    profiles = []
    for group, wanted in groups().items():
        dependencies = "\n".join(_dependency(*one) for one in wanted)
        profiles.append(f"<profile><id>{group}</id><dependencies>\n{dependencies}\n</dependencies></profile>")
    head = '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    own = "<groupId>io.edgesr</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>"
    return "\n".join([head, own, "<profiles>", *profiles, "</profiles></project>", ""])


def _dependency(name: str, version: str, kind: str, deep: bool) -> str:
    group, artifact = name.split(":")
    form = f"<classifier>{kind[1:]}</classifier>" if kind.startswith(":") else f"<type>{kind}</type>"
    alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    # androidx.test lies in Google's repository alone.
    without = (
        "<exclusions><exclusion><groupId>androidx.test</groupId><artifactId>*</artifactId></exclusion>"
        "<exclusion><groupId>androidx.test.espresso</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    )
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>{form}"
        f"{without if deep else alone}</dependency>"
    )


if __name__ == "__main__":
    lock()
