"""The jars of the plain build: versions from the version catalog, fetched by Maven from where it is set up to look."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work"

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
    """The jars of every group, fetched where they are not there yet."""
    (WORK / "lib").mkdir(parents=True, exist_ok=True)
    pom = WORK / "pom.xml"
    written = _pom()
    if not pom.is_file() or pom.read_text() != written:
        pom.write_text(written)
    result = {}
    for group, wanted in groups().items():
        folder, stamp = WORK / "lib" / group, WORK / "lib" / f"{group}.stamp"
        if not stamp.is_file() or stamp.read_text() != repr(wanted):
            print(f"  fetching {group}", flush=True)
            copy = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
            subprocess.run(["mvn", "-q", "-B", "-f", pom, f"-P{group}", *copy], check=True)
            stamp.write_text(repr(wanted))
        # Robolectric brings androidx.test in some repositories only: host/ has the few classes that it names.
        jars = [p for p in sorted(folder.iterdir()) if p.suffix in (".jar", ".aar")]
        result[group] = [p for p in jars if not p.name.startswith(("monitor-", "espresso-", "annotation-1"))]
    return result


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
