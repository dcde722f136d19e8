"""The tests: core's and engine's on the JVM, the app's under Robolectric; and what Python reads of what they wrote."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from compiling import PACKAGE, Compiler, test_sources
from steps import ASSETS, QUICK, ROOT, SCREENSHOTS, WORK, Check, path_of, say


def run_tests(compiler: Compiler, only: str | None) -> tuple[int, int]:
    """Unit tests of core and engine, and Robolectric's of the app; returns (passed, failed)."""
    tests, output = test_sources(), WORK / "classes" / "tests"
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
        "robolectric.dependency.dir": compiler.jars["sdkrt"][0].parent,
        "edgesr.root": ROOT,
        "edgesr.screenshots": SCREENSHOTS,
        "org.bytedeco.javacpp.cachedir": WORK / "javacpp",
    }
    defined = [f"-D{key}={value}" for key, value in settings.items()]
    classpath = path_of(compiler.test_classpath)
    command = ["java", *QUICK, "-Xmx2g", *opens, *defined, "-cp", classpath, "io.edgesr.RunTests", *names]
    passed = failed = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        assert process.stdout
        for line in process.stdout:
            if counted := re.fullmatch(r"TESTS (\d+) passed, (\d+) failed\n", line):
                passed, failed = int(counted[1]), int(counted[2])
            elif not re.search(r"Invalid ID|TensorFlowLite|^INFO|XNNPACK|SLF4J", line):
                print(f"  {line}", end="", flush=True)
    if process.returncode or not passed + failed:
        failed += not failed
    return passed, failed


def read_back() -> list[Check]:
    """Whether Python reads what the tests wrote in Kotlin."""
    from edgesr.errors import EdgesrError

    checks = []
    for what, read in (
        ("python: the gallery that Kotlin wrote, byte for byte", _gallery),
        ("python: galleries of several maps and networks with an entry of Kotlin's, byte for byte", _galleries),
        ("python: measurements for edgesr report", _measurements),
    ):
        try:
            checks.append((what, *read()))
        except EdgesrError as error:  # a test that should have written it failed, or wrote something else
            checks.append((what, False, str(error)))
    return checks


def _gallery() -> tuple[bool, str]:
    return _again(ROOT / "testdata" / "kotlin.gallery")


def _again(written: Path) -> tuple[bool, str]:
    """Whether Python would write the same bytes."""
    from edgesr.gallery.format import encode_gallery, read_gallery

    gallery = read_gallery(written)
    return b"".join(encode_gallery(gallery)) == written.read_bytes(), f"{len(gallery)} entries"


def _galleries() -> tuple[bool, str]:
    """Those of the repository, with an entry of Kotlin's."""
    committed = sorted(path.name for path in (ROOT.parent / "tests" / "data" / "galleries").glob("*.gallery"))
    results = {name: _again(ROOT / "testdata" / "written" / name)[0] for name in committed}
    others = ", ".join(name for name, same in results.items() if not same)
    return bool(results) and not others, others or f"{len(results)} galleries"


def _measurements() -> tuple[bool, str]:
    from edgesr.benchmarking.device_results import read_device_results

    return bool(read_device_results(ROOT / "testdata" / "device-results.json")), ""
