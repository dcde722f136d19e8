"""From sources and resources to classes, with the versions and libraries of the Gradle project."""

from __future__ import annotations

import hashlib
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pom
import system
from steps import ASSETS, MODELS, QUICK, ROOT, WORK, attempt, changed, fresh, path_of, run, say

from edgesr.release import __version__

PACKAGE = "io.edgesr.booth"
MODULES = {"core": [], "engine": ["core"], "app": ["core", "engine"]}
"""Modules that are compiled here, with what each may use. ``engine-executorch`` is not: its runtime cannot be had."""
LIBRARIES = {"core": "edgesr-core", "engine": "edgesr-android"}
"""Modules that other apps take, too, and what they are called there."""


class Compiler:
    """The modules' classes under ``.work/classes``; what is to be compiled is noted first and compiled in one go."""

    def __init__(self) -> None:
        system.require()
        WORK.mkdir(exist_ok=True)
        say("jars")
        self.jars = pom.fetch()
        self.versions = pom.catalog()["versions"]
        self.noted: list[tuple[Path, Callable[[], None]]] = []
        self.digest = hashlib.sha256()
        self.test_classpath: list[object] = []
        self.sdk = self.jars["sdk"]
        self.stdlib = next(p for p in self.jars["kotlinc"] if re.match(r"kotlin-stdlib-\d", p.name))
        self.tflite = []
        for aar in self.jars["app"]:
            folder = WORK / "aar" / aar.stem
            if not (folder / "classes.jar").is_file():
                with zipfile.ZipFile(aar) as archive:
                    archive.extractall(folder)
            self.tflite.append(folder / "classes.jar")

    def kotlinc(
        self, name: str, sources: Sequence[Path], classpath: Iterable[object], output: Path, module: str = "main"
    ) -> None:
        """Note a module to be compiled; ``compile_noted`` does it, all in one warm JVM."""
        parts = [str(p) for p in classpath]
        outside = [Path(p) for p in parts if not Path(p).is_dir()]
        self.digest.update(repr(sorted(sources)).encode() + b"".join(s.read_bytes() for s in sources))
        done = changed(name, outside, f"{parts}{module}{self.digest.hexdigest()}")
        if done is None and output.is_dir() and not self.noted:
            return
        fresh(output)
        options = [
            "-no-stdlib",
            "-no-reflect",
            "-jvm-target",
            "1.8",
            "-Xnullability-annotations=@android.annotation:ignore",
            "-module-name",
            module,
        ]
        arguments = WORK / f"{name}.arguments"
        arguments.write_text("\n".join([*options, "-cp", path_of(parts), "-d", str(output), *map(str, sources)]))
        self.noted.append((arguments, done or (lambda: None)))

    def compile_noted(self) -> None:
        if not self.noted:
            return
        say(f"compiling {', '.join(a.stem for a, _ in self.noted)}")
        files = [a for a, _ in self.noted]
        code, said = attempt(
            "java", *QUICK, "-Xmx1500m", "-cp", path_of(self.jars["kotlinc"]), ROOT / "tools" / "Compile.java", *files
        )
        for arguments, done in self.noted:
            if f"COMPILED {arguments}" in said:
                done()
        self.noted.clear()
        if code:
            sys.exit(f"{said}\nandroid: the sources do not compile")
        warnings = [line for line in said.splitlines() if "warning:" in line and "is deprecated" not in line]
        print("\n".join(f"  {warning}" for warning in warnings), end="\n" if warnings else "")

    def manifest(self) -> Path:
        """The app's manifest with what Gradle adds: package, versions."""
        v = self.versions
        source = (ROOT / "app" / "src" / "main" / "AndroidManifest.xml").read_text()
        named = f'android:versionCode="{v["versionCode"]}" android:versionName="{__version__}"'
        head = f'<manifest package="{PACKAGE}" {named}'
        sdk = f'<uses-sdk android:minSdkVersion="{v["minSdk"]}" android:targetSdkVersion="{v["targetSdk"]}"/>'
        merged = re.sub(r"<manifest\b", head, source, count=1)
        merged = re.sub(r"(<manifest[^>]*>)", rf"\1\n    {sdk}", merged, count=1)
        path = WORK / "AndroidManifest.xml"
        path.write_text(merged)
        return path

    def resources(self) -> Path:
        """Resources and assets packed, and the classes of R compiled."""
        manifest, res = self.manifest(), ROOT / "app" / "src" / "main" / "res"
        packed = WORK / "resources.apk"
        done = changed("resources", [manifest, res, MODELS])
        if done:
            say("resources")
            generated, classes = fresh(WORK / "gen"), fresh(WORK / "r")
            ASSETS.mkdir(parents=True, exist_ok=True)
            inputs = ["-M", manifest, "-S", res, "-A", ASSETS, "-I", system.FRAME]
            run("aapt", "package", "-f", "-m", "-J", generated, *inputs, "-0", "tflite", "-F", packed)
            run("javac", "-nowarn", "--release", "8", "-Xlint:-options", "-d", classes, *generated.rglob("R.java"))
            done()
        return packed

    def modules(self, names: Iterable[str] = MODULES) -> None:
        """Note these modules, each after those that it uses."""
        names = list(names)
        if "app" in names:
            self.resources()
        for module in names:
            uses = MODULES[module]
            classpath: list[object] = [*(WORK / "classes" / one for one in uses)]
            if module != "core":
                classpath += [*self.tflite, *self.sdk]
            if module == "app":
                classpath.insert(0, WORK / "r")
            sources = sorted((ROOT / module / "src" / "main" / "kotlin").rglob("*.kt"))
            output = WORK / "classes" / module
            self.kotlinc(module, sources, [*classpath, self.stdlib], output, LIBRARIES.get(module, "main"))

    def host(self) -> Path:
        """Classes of what stands in for Android's TFLite on this machine."""
        host = WORK / "classes" / "host"
        sources = [ROOT / "host" / "src"]
        done = changed("host", sources)
        if done:
            say("compiling host")
            fresh(host)
            classpath = path_of([*self.jars["host"], *self.jars["test"], *self.sdk])
            run(
                "javac",
                "-nowarn",
                "-Xlint:none",
                "--release",
                "11",
                "-cp",
                classpath,
                "-d",
                host,
                *sources[0].rglob("*.java"),
            )
            done()
        return host

    def tests(self) -> None:
        """Note the tests."""
        host = self.host()
        classes = [WORK / "classes" / module for module in MODULES]
        libraries: list[object] = [
            *classes,
            WORK / "r",
            host,
            *self.tflite,
            *self.jars["host"],
            *self.jars["test"],
            self.stdlib,
        ]
        output, sources = WORK / "classes" / "tests", test_sources()
        self.kotlinc("tests", sources, [*libraries, *self.sdk], output)
        self.test_classpath = [output, *libraries, *self.sdk]


def test_sources() -> list[Path]:
    """The tests of all modules."""
    return [f for m in MODULES for f in sorted((ROOT / m / "src" / "test" / "kotlin").rglob("*.kt"))]
