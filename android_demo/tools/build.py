#!/usr/bin/env python3
"""Builds and checks the app on plain Linux: ``build.py apk`` makes a signed debug APK, ``check`` tests it, too.

Sources, resources and versions are those of the Gradle project. Everything that is made lies in
``.work/``; a step whose inputs have not changed is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pom
import system

ROOT, WORK = pom.ROOT, pom.WORK
APK = ROOT / "out" / "edgesr-booth-debug.apk"
PACKAGE = "io.edgesr.booth"
MODULES = {"core": [], "engine": ["core"], "app": ["core", "engine"]}
"""Modules that are compiled here, with what each may use. ``engine-executorch`` is not: its runtime cannot be had."""
ASSETS = ROOT / "app" / "src" / "main" / "assets"
MODELS = ASSETS / "models"
SCREENSHOTS = ROOT / "out" / "screenshots"
ABIS = ("arm64-v8a", "x86_64")
LARGEST = 8_000_000
"""Bytes of the APK."""

QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
"""Programs that run once and briefly gain more from starting quickly than from a better compiler."""

START = time.monotonic()


def say(what: str) -> None:
    print(f"== {what} (+{time.monotonic() - START:.0f} s)", flush=True)


def attempt(*command: object) -> tuple[int, str]:
    """Run a program; its exit code and what it said."""
    listed = [str(part) for part in command]
    done = subprocess.run(listed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=ROOT)
    return done.returncode, done.stdout


def run(*command: object) -> str:
    """Run a program; where it fails, show what it said and end."""
    code, said = attempt(*command)
    if code:
        sys.exit(f"{said}\nandroid: {Path(str(command[0])).name} failed ({code})")
    return said


def path_of(parts: Iterable[object]) -> str:
    return os.pathsep.join(map(str, parts))


def changed(name: str, inputs: Iterable[Path], extra: str = "") -> Callable[[], None] | None:
    """None where nothing changed since the last time; else what to call when the step is done."""
    digest = hashlib.sha256(extra.encode())
    for one in inputs:
        for file in sorted(one.rglob("*")) if one.is_dir() else [one]:
            if file.is_file():
                digest.update(str(file).encode())
                digest.update(file.read_bytes() if file.stat().st_size < 1 << 24 else str(file.stat().st_size).encode())
    stamp = WORK / f"{name}.stamp"
    if stamp.is_file() and stamp.read_text() == digest.hexdigest():
        return None

    def note() -> None:
        stamp.write_text(digest.hexdigest())

    return note


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


class Build:
    def __init__(self) -> None:
        system.require()
        WORK.mkdir(exist_ok=True)
        say("jars")
        self.jars = pom.fetch()
        self.versions = pom.catalog()["versions"]
        self.noted: list[tuple[Path, Callable[[], None]]] = []
        self.digest = hashlib.sha256()
        self.sdk = self.jars["sdk"]
        self.stdlib = next(p for p in self.jars["kotlinc"] if re.match(r"kotlin-stdlib-\d", p.name))
        self.tflite = []
        for aar in self.jars["app"]:
            folder = WORK / "aar" / aar.stem
            if not (folder / "classes.jar").is_file():
                with zipfile.ZipFile(aar) as archive:
                    archive.extractall(folder)
            self.tflite.append(folder / "classes.jar")

    def kotlinc(self, name: str, sources: Sequence[Path], classpath: Iterable[object], output: Path) -> None:
        """Note a module to be compiled; ``compile_noted`` does it, all in one warm JVM."""
        parts = [str(p) for p in classpath]
        outside = [Path(p) for p in parts if not Path(p).is_dir()]
        self.digest.update(repr(sorted(sources)).encode() + b"".join(s.read_bytes() for s in sources))
        done = changed(name, outside, f"{parts}{self.digest.hexdigest()}")
        if done is None and output.is_dir() and not self.noted:
            return
        fresh(output)
        options = [
            "-no-stdlib",
            "-no-reflect",
            "-jvm-target",
            "1.8",
            "-Xnullability-annotations=@android.annotation:ignore",
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
        named = f'android:versionCode="{v["versionCode"]}" android:versionName="{v["versionName"]}"'
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

    def compile(self) -> None:
        self.resources()
        for module, uses in MODULES.items():
            classpath: list[object] = [*(WORK / "classes" / one for one in uses)]
            if module != "core":
                classpath += [*self.tflite, *self.sdk]
            if module == "app":
                classpath.insert(0, WORK / "r")
            sources = sorted((ROOT / module / "src" / "main" / "kotlin").rglob("*.kt"))
            self.kotlinc(module, sources, [*classpath, self.stdlib], WORK / "classes" / module)

    def apk(self) -> Path:
        if not (MODELS / "detector" / "detector.tflite").is_file():
            sys.exit("android: the models are missing: run make android-assets")
        classes = [WORK / "classes" / module for module in MODULES]
        done = changed("apk", [*classes, WORK / "resources.apk", ROOT / "tools"])
        if done is None and APK.is_file():
            return APK
        say("dex")
        work = fresh(WORK / "apk")
        with zipfile.ZipFile(self.stdlib) as archive:
            archive.extractall(work / "std", [n for n in archive.namelist() if n.startswith("kotlin/")])
        with zipfile.ZipFile(work / "std.jar", "w") as archive:
            for file in (work / "std").rglob("*"):
                archive.write(file, file.relative_to(work / "std"))
        java_home = Path(shutil.which("javac") or "").resolve().parent.parent
        jmod = f"{java_home / 'jmods' / 'java.base.jmod'}(!**.jar;!module-info.class)"
        inputs = path_of([*classes, WORK / "r", *self.tflite, work / "std.jar"])
        dexer = ["java", *QUICK, "-Xmx1500m", "-cp", path_of(self.jars["dex"])]
        shrunk, rules = work / "app.jar", f"@{ROOT / 'tools' / 'dex.pro'}"
        against = ["-libraryjars", path_of(self.sdk), "-libraryjars", jmod]
        run(*dexer, "proguard.ProGuard", rules, "-injars", inputs, "-outjars", shrunk, *against)
        run(*dexer, "com.android.dx.command.Main", "--dex", f"--min-sdk-version={self.versions['minSdk']}",
            f"--output={work / 'classes.dex'}", shrunk)  # fmt: skip
        say("package")
        shutil.copy(WORK / "resources.apk", work / "unaligned.apk")
        with zipfile.ZipFile(work / "unaligned.apk", "a", zipfile.ZIP_DEFLATED) as archive:
            archive.write(work / "classes.dex", "classes.dex")
            for abi in ABIS:
                library = "libtensorflowlite_jni.so"
                archive.write(self.tflite[0].parent / "jni" / abi / library, f"lib/{abi}/{library}")
        run("zipalign", "-p", "-f", "4", work / "unaligned.apk", work / "aligned.apk")
        key = WORK / "debug.p12"
        if not key.is_file():
            store = ["-keystore", key, "-storetype", "PKCS12", "-storepass", "android", "-alias", "debug"]
            pair = ["-keyalg", "RSA", "-keysize", "2048", "-validity", "10000", "-dname", "CN=debug"]
            run("keytool", "-genkeypair", *store, *pair)
        APK.parent.mkdir(exist_ok=True)
        run("apksigner", "sign", "--ks", key, "--ks-pass", "pass:android", "--out", APK, work / "aligned.apk")
        if done:
            done()
        return APK

    def verify(self) -> list[tuple[str, bool, str]]:
        """What must hold of the package: (what, whether it does, what was found)."""
        say("verifying the package")
        badging = run("aapt", "dump", "badging", APK)
        v = self.versions
        permissions = re.findall(r"uses-permission: name='([^']+)'", badging)
        invokes = run("dexdump", "-d", WORK / "apk" / "classes.dex").count("invoke-custom")
        signed = run("apksigner", "verify", "--verbose", APK)
        run("zipalign", "-c", "-p", "4", APK)
        size = APK.stat().st_size
        with zipfile.ZipFile(APK) as archive:
            stored = all(
                i.compress_type == zipfile.ZIP_STORED for i in archive.infolist() if i.filename.endswith(".tflite")
            )
            models = sorted(n for n in archive.namelist() if n.endswith(".tflite"))
        return [
            ("package: signed", "Verifies" in signed, signed.splitlines()[0]),
            ("package: aligned", True, "zipalign -c"),
            ("package: under 8 MB", size < LARGEST, f"{size} bytes with {', '.join(models)}"),
            ("package: models can be mapped", stored and bool(models), "stored uncompressed"),
            (
                "package: no network",
                not any("INTERNET" in p or "NETWORK" in p for p in permissions),
                f"permissions {permissions}",
            ),
            (
                "package: minSdk, targetSdk",
                f"sdkVersion:'{v['minSdk']}'" in badging and f"targetSdkVersion:'{v['targetSdk']}'" in badging,
                "",
            ),
            ("package: launchable", f"launchable-activity: name='{PACKAGE}." in badging, ""),
            ("package: no invoke-custom", invokes == 0, f"{invokes}"),
            ("package: native code", all(f"'{abi}'" in badging for abi in ABIS), " ".join(ABIS)),
        ]

    def read_back(self) -> list[tuple[str, bool, str]]:
        """Whether Python reads what the tests wrote in Kotlin."""
        from edgesr.gallery.format import encode_gallery, read_gallery
        from edgesr.quantize.report_device import read_device_results

        written = ROOT / "testdata" / "kotlin.gallery"
        gallery = read_gallery(written)
        same = b"".join(encode_gallery(gallery)) == written.read_bytes()
        device = read_device_results(ROOT / "testdata" / "device-results.json")
        return [
            ("python: the gallery that Kotlin wrote, byte for byte", same, f"{len(gallery)} entries"),
            ("python: measurements for edgesr report", bool(device), ""),
        ]

    def compile_tests(self) -> None:
        """The tests, and what stands in for Android's TFLite on this machine."""
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
        tests = [f for m in MODULES for f in sorted((ROOT / m / "src" / "test" / "kotlin").rglob("*.kt"))]
        output = WORK / "classes" / "tests"
        self.kotlinc("tests", tests, [*libraries, *self.sdk], output)
        self.libraries, self.test_files = libraries, tests

    def tests(self, only: str | None) -> tuple[int, int]:
        """Unit tests of core and engine, and Robolectric's of the app; returns (passed, failed)."""
        libraries, tests, output = self.libraries, self.test_files, WORK / "classes" / "tests"
        config = output / "com" / "android" / "tools" / "test_config.properties"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(
            f"android_merged_manifest={WORK / 'AndroidManifest.xml'}\nandroid_resource_apk={WORK / 'resources.apk'}\n"
            f"android_merged_assets={ASSETS}\nandroid_custom_package={PACKAGE}\n"
        )
        names = [".".join(f.with_suffix("").parts[f.parts.index("io") :]) for f in tests if f.name.endswith("Test.kt")]
        if only:
            names = [n for n in names if re.search(only, n)]
        say(f"tests: {len(names)} classes")
        opens = [f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in ("java.io", "java.lang", "java.util", "java.nio")]
        settings = {
            "robolectric.offline": "true",
            "robolectric.dependency.dir": WORK / "lib" / "sdkrt",
            "edgesr.root": ROOT,
            "edgesr.screenshots": SCREENSHOTS,
            "org.bytedeco.javacpp.cachedir": WORK / "javacpp",
        }
        defined = [f"-D{key}={value}" for key, value in settings.items()]
        classpath = path_of([output, *libraries, *self.sdk])
        command = ["java", *QUICK, "-Xmx2g", *opens, *defined, "-cp", classpath, "io.edgesr.RunTests", *names]
        passed = failed = 0
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
        ) as process:
            assert process.stdout
            for line in process.stdout:
                if counted := re.fullmatch(r"TESTS (\d+) passed, (\d+) failed\n", line):
                    passed, failed = int(counted[1]), int(counted[2])
                elif not re.search(r"Invalid ID|TensorFlowLite|^INFO|XNNPACK|SLF4J", line):
                    print(f"  {line}", end="", flush=True)
        if process.returncode or not passed + failed:
            failed += not failed
        return passed, failed


def show(checks: Iterable[tuple[str, bool, str]]) -> None:
    for what, ok, found in checks:
        print(f"  {'ok  ' if ok else 'FAIL'} {what}{f': {found}' if found else ''}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", choices=["apk", "check"])
    parser.add_argument("--only", help="test classes whose name holds this pattern")
    parser.add_argument("--no-package", action="store_true", help="leave the package out, where only tests matter")
    parser.add_argument("--keep-screenshots", action="store_true", help="put them beside README, to be committed")
    arguments = parser.parse_args()
    build = Build()
    build.compile()
    if arguments.job == "check":
        build.compile_tests()
    build.compile_noted()
    checks = []
    if not arguments.no_package:
        build.apk()
        checks = build.verify()
    show(checks)
    failed = sum(not ok for _, ok, _ in checks)
    passed = len(checks) - failed
    if arguments.job == "check":
        counted = build.tests(arguments.only)
        passed, failed = passed + counted[0], failed + counted[1]
        if not arguments.only:
            read = build.read_back()
            show(read)
            passed, failed = passed + sum(ok for _, ok, _ in read), failed + sum(not ok for _, ok, _ in read)
    if arguments.keep_screenshots:
        from PIL import Image

        for picture in SCREENSHOTS.glob("*.png"):  # 256 colours: a third of the bytes
            small = Image.open(picture).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
            small.save(ROOT / "screenshots" / picture.name, optimize=True)
    say(f"{APK.relative_to(ROOT)}: {APK.stat().st_size / 1e6:.1f} MB" if APK.is_file() else "done")
    if arguments.job == "check":
        print(f"{passed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
