#!/usr/bin/env python3
"""Deliberate mistakes in the app and its package, and which of them the checks find.

    .venv/bin/python ios_demo/checks/mutations/mutations.py [project] [compile] [tests]

Three kinds, from cheap to dear: those that ``tools/project.py`` should find, those that compiling should (one
compilation of the app each, against modules that ``swift build --build-tests`` has left), and those that tests should
(all of them in one build of a copy, each behind a switch that the environment turns). The first mutant of each kind
changes nothing: it must not be found. Exit code 1 where fewer than 27 of all are found, or a change of nothing is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / ".work" / "mutants"
SWIFT = ROOT / "tools" / "swift-here"
LEAST = 27
MOST_SECONDS = 600
AT_ONCE = 3
"""Runs of tests at once: what waits for a text that never comes waits for a minute, and mostly sleeps."""

TESTS = ".build/debug/EdgeSRPackageTests.xctest"


class Mutant(NamedTuple):
    """A mistake: what it is, in which file, the old text and the new one, and for tests their filter."""

    name: str
    file: str
    old: str
    new: str
    tests: str = ""


PBX = "Booth.xcodeproj/project.pbxproj"
CATALOG = "App/Resources/Localizable.xcstrings"
PRIVACY = "App/Resources/PrivacyInfo.xcprivacy"

BY_PROJECT = (
    Mutant("nothing changed", PBX, "objectVersion = 77", "objectVersion = 77"),
    Mutant("an orphaned build phase", PBX, "B00000000000000000000013 /* Models are there */,\n\t\t\t\t", ""),
    Mutant("models are compiled by Xcode", PBX, "Resources/Models,", "Resources/Model,"),
    Mutant("a product that the package lacks", PBX, "productName = EdgeSR", "productName = EdgeSr"),
    Mutant("no reason for the camera", PBX, "INFOPLIST_KEY_NSCameraUsageDescription", "INFOPLIST_KEY_NSCamera"),
    Mutant("iOS 17", PBX, "IPHONEOS_DEPLOYMENT_TARGET = 18.0", "IPHONEOS_DEPLOYMENT_TARGET = 17.0"),
    Mutant("a text that no catalog has", "App/Screens/ConsentView.swift", '"I agree"', '"I agree to it"'),
    Mutant("a text that no screen has", CATALOG, '"Add photos" :', '"Add more photos" :'),
    Mutant("a plural without its singular", CATALOG, '"one" :', '"two" :'),
    Mutant("a colour misspelt", "App/Kit/Kit.swift", 'Color("Tonal")', 'Color("Tonall")'),
    Mutant("free space asked without a reason", PRIVACY, "CategoryDiskSpace", "CategoryFileTimestamp"),
    Mutant(
        "unwrapped by force", "App/Kit/CompareView.swift", "split * size.width - 1", "Optional(split)! * size.width - 1"
    ),
)

BY_COMPILER = (
    Mutant("nothing changed", "App/Models/Booth.swift", "photos += 1", "photos += 1"),
    Mutant(
        "a label's arguments turned round",
        "App/Screens/HomeView.swift",
        'Label("Take a photo", systemImage: "camera")',
        'Label(systemImage: "camera", "Take a photo")',
    ),
    Mutant(
        "a modifier that does not exist", "App/Kit/Kit.swift", ".contentShape(Capsule())", ".contentShapes(Capsule())"
    ),
    Mutant("await forgotten", "App/Models/Booth.swift", "try await pipeline.wipe()", "try pipeline.wipe()"),
    Mutant("a case forgotten", "App/Screens/ResultView.swift", 'case .restoring: Busy(label: "Restoring")', ""),
    Mutant(
        "the session leaves its actor",
        "App/Models/Camera.swift",
        "private let output = AVCapturePhotoOutput()",
        "nonisolated let output = AVCapturePhotoOutput()",
    ),
    Mutant(
        "a view without a body",
        "App/Screens/CameraView.swift",
        "    var body: some View {",
        "    var content: some View {",
    ),
    Mutant(
        "the screen's state from the background",
        "App/Models/GalleryModel.swift",
        "            problem = nil\n        } catch",
        "            await background { self.problem = nil }\n        } catch",
    ),
    Mutant("an unknown colour", "App/Screens/ResultView.swift", "Color.ink2", "Color.ink3"),
    Mutant("an interface newer than iOS 18", "App/Kit/Kit.swift", ".controlSize(.large)", ".glassEffect()"),
    Mutant("a symbol that does not exist", "App/Screens/HomeView.swift", '"chevron.forward"', '"chevron.foreward"'),
    Mutant(
        "the main thread blocked",
        "App/Screens/GalleryView.swift",
        "asksToWipe = true",
        "Thread.sleep(forTimeInterval: 9); asksToWipe = true",
    ),
)

PIPELINE, STORAGE, RESULT = "App/Models/Pipeline.swift", "App/Models/Storage.swift", "App/Models/ResultModel.swift"
CODER, RESTORER = "Sources/BoothEngine/PhotoCoder.swift", "Sources/BoothEngine/FaceRestorer.swift"
ALL = ""  # Every filter of the mistakes: what they name passes where nothing is changed.
BY_TESTS = (
    Mutant("nothing changed", CODER, "width * height <= mostPixels", "height * width <= mostPixels",
           ALL),
    Mutant("somebody else gets the gallery's features", PIPELINE,
           "own ? gallery : nil", "gallery as Gallery?",
           "ofSeveralFacesOnlyThePersonGetsTheGallery"),
    Mutant("empty slots count as full", RESTORER, "Float($0 < chosen.count ? 1 : 0)", "Float(1)", "aPickedJpegIsRestored"),
    Mutant("own detail is not put back", RESTORER,
           "Enhance.keepOwnDetail(sr, native: native, lrSize: lrSize)", "sr", "aPickedJpegIsRestored"),
    Mutant("of several people all get the gallery", RESTORER,
           "face == meant ? gallery : nil", "gallery as Gallery?", "ofSeveralFacesNoneGetsTheGallery"),
    Mutant("photos are not turned", CODER,
           "kCGImageSourceCreateThumbnailWithTransform: true", "kCGImageSourceCreateThumbnailWithTransform: false",
           "photosAreTurned"),
    Mutant("somebody is learned unasked", PIPELINE, "!sure", "false", "whoeverComesToAGallery"),
    Mutant("a copy is learned too", PIPELINE, "gallery.entries.first { same($0, portrait) }",
           "Optional<Entry>.none", "aCopyIsLearnedOnce"),
    Mutant("what was learned meanwhile is lost", PIPELINE, "twin.map { now.removing($0.label.photoSha256) } ?? now",
           "twin.map { gallery.removing($0.label.photoSha256) } ?? gallery", "twoPhotosThatAreLearnedAtOnce"),
    Mutant("a choice is read when its task begins", "App/Screens/GalleryView.swift", "learn(picked)", "learn(self.picked)",
           "whoeverComesToAGallery"),
    Mutant("a question outlives its screen", "App/Models/GalleryModel.swift", "if asked == number {", "if false {",
           "aQuestionWhoseScreenGoes"),
    Mutant("a full device is not noticed", STORAGE, "freeBytes() >= Self.room + count", "true", "theDeviceIsFull"),
    Mutant("the photo stays when all is deleted", STORAGE,
           "FileManager.default.fileExists(atPath: photo.path)", "false", "onePhotoIsForgotten"),
    Mutant("the face is saved where the photo is shown", RESULT, "shown == .photo", "false", "theResultShows"),
    Mutant("strength is forgotten when sharing", RESULT,
           "try outcome.picture(whole: whole, strength: strength)", "try outcome.picture(whole: whole, strength: 1)",
           "theResultShows"),
    Mutant("movement is not reduced", "App/Kit/CompareView.swift", "if reduceMotion {", "if false {", "theResultShows"),
    Mutant("the line moves the wrong way", "App/Kit/CompareView.swift", "move(by: 0.1)", "move(by: -0.1)", "theResultShows"),
    Mutant("a picture without a name", "App/Screens/HomeView.swift",
           '"A face, coarse on the left and clear on the right"', '""', "everyScreenInEveryState"),
    Mutant("a refused camera has no way to the settings", "App/Models/Problem.swift",
           "case .cameraRefused, .photosRefused: .settings", "case .cameraRefused, .photosRefused: .back",
           "theCameraIsRefused"),
    Mutant("hashes are not compared", "Sources/BoothEngine/ModelFolder.swift",
           "sha256(of: try read(name)) == hash", "!hash.isEmpty", "nothingIsCompiledBefore"),
    Mutant("strides are not heeded", "Sources/BoothEngine/Arrays.swift",
           "axis(i + 1, at + k * strides[i])", "axis(i + 1, at + k * shape[(i + 1)...].reduce(1, *))", "EngineTests/goldenVectors"),
    Mutant("channels stay where they were", "Sources/BoothEngine/Arrays.swift",
           "moved[p * c + k] = values[k * area + p]", "moved[p * c + k] = values[p * c + k]", "EngineTests/goldenVectors"),
    Mutant("compute units are ignored", "Sources/BoothEngine/CompiledModels.swift",
           "configuration.computeUnits = units", "configuration.computeUnits = .all", "eachFunctionIsLoadedOnce"),
    Mutant("a package is compiled at each start", "Sources/BoothEngine/CompiledModels.swift",
           "FileManager.default.fileExists(atPath: kept.path)", "false", "aPackageIsCompiledOnce"),
    Mutant("the detector's mask covers all", "Sources/BoothEngine/DetectorNetwork.swift",
           "mask(width, height, side)", "mask(side, side, side)", "AppTests/Inference"),
)  # fmt: skip


def main() -> None:
    asked = set(sys.argv[1:]) or {"project", "compile", "tests"}
    results: list[tuple[str, str, bool]] = []
    try:
        if "project" in asked:
            results += [("project", m.name, found_by_project(m)) for m in BY_PROJECT]
        if "compile" in asked:
            results += [("compile", m.name, found_by_compiler(m)) for m in BY_COMPILER]
        if "tests" in asked:
            results += found_by_tests()
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    print("| by | mistake | found |\n|---|---|---|")
    for kind, name, found in results:
        print(f"| {kind} | {name} | {'yes' if found else 'no'} |")
    unchanged = [found for _, name, found in results if name == "nothing changed"]
    mistakes = [found for _, name, found in results if name != "nothing changed"]
    print(f"{sum(mistakes)} of {len(mistakes)} mistakes found")
    whole = asked >= {"project", "compile", "tests"}
    sys.exit(1 if any(unchanged) or (whole and sum(mistakes) < LEAST) else 0)


def change(top: Path, mutant: Mutant, new: str | None = None) -> None:
    path = top / mutant.file
    text = path.read_text()
    if mutant.old not in text:
        sys.exit(f"{mutant.name}: {mutant.file} has no such text any more: {mutant.old}")
    path.write_text(text.replace(mutant.old, mutant.new if new is None else new))


def copy(parts: tuple[str, ...]) -> None:
    """A checkout to change, of these parts; models are linked."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    for part in parts:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, WORK / part, ignore=models)
        else:
            (WORK / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, WORK / part)


def models(folder: str, names: list[str]) -> list[str]:
    """What of a folder is not copied."""
    return [name for name in names if name == "Models" and Path(folder).name == "Resources"]


def found_by_project(mutant: Mutant) -> bool:
    copy(("App", "Sources", "host", "Booth.xcodeproj", "Package.swift", "tools/project.py", "tools/tally.py"))
    change(WORK, mutant)
    done = subprocess.run([sys.executable, WORK / "tools" / "project.py"], capture_output=True, check=False)
    return done.returncode != 0


def found_by_compiler(mutant: Mutant) -> bool:
    copy(("App",))
    change(WORK, mutant)
    files = [str(path) for path in sorted((WORK / "App").rglob("*.swift"))]
    # To SIL: type checking alone never sees a value that leaves its actor.
    command = [SWIFT, "swiftc", "-emit-sil", "-wmo", "-o", "/dev/null", "-swift-version", "6", "-warnings-as-errors"]
    command += ["-module-name", "BoothApp", "-I", ROOT / ".build" / "debug" / "Modules", *files]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode != 0


def found_by_tests() -> list[tuple[str, str, bool]]:
    """All mutants in one build, each behind a switch; then for each the tests that should find it."""
    copy(("App", "Sources", "host", "Tests", "Package.swift"))
    for data in ("testdata", "App/Resources/Models"):
        (WORK / data).symlink_to(ROOT / data)
    switch = 'import Foundation\n\nlet mutant = ProcessInfo.processInfo.environment["EDGESR_MUTANT"]\n'
    for folder in ("App/Models", "Sources/BoothEngine"):
        (WORK / folder / "Mutant.swift").write_text(switch)
    for n, mutant in enumerate(BY_TESTS):
        if mutant.old.startswith("if "):
            condition = f'if mutant == "{n}" ? ({mutant.new[3:-2]}) : ({mutant.old[3:-2]}) {{'
            change(WORK, mutant, condition)
        elif ": true" in mutant.old:
            change(WORK, mutant, mutant.old.replace("true", f'mutant != "{n}"'))
        elif mutant.old.startswith("case "):
            (before, old), (_, new) = mutant.old.split(": "), mutant.new.split(": ")
            change(WORK, mutant, f'{before}: mutant == "{n}" ? {new} : {old}')
        elif " = " in mutant.old:
            change(WORK, mutant, f'if mutant == "{n}" {{ {mutant.new} }} else {{ {mutant.old} }}')
        else:
            change(WORK, mutant, f'(mutant == "{n}" ? ({mutant.new}) : ({mutant.old}))')
    build = [SWIFT, "swift", "build", "--build-tests"]
    done = subprocess.run(build, cwd=WORK, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the copy with all mutants does not build:\n{done.stdout[-3000:]}")
    # Alone and first: where a machine is too busy for waits to end in time, nothing that fails afterwards is proof.
    if tests_fail(0):
        sys.exit("tests fail where nothing is changed: let the machine have a rest, and run this again")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [False, *pool.map(tests_fail, range(1, len(BY_TESTS)))]
    return [("tests", mutant.name, one) for mutant, one in zip(BY_TESTS, found, strict=True)]


def tests_fail(n: int) -> bool:
    """Whether the tests that should find the nth mutant fail, or never end."""
    mutant = BY_TESTS[n]
    wanted = mutant.tests or "|".join(sorted({one.tests for one in BY_TESTS if one.tests}))
    # Not by `swift test`, of which only one at a time may be in a package.
    tests = [TESTS, "--testing-library", "swift-testing", "--filter", wanted]
    env = {**os.environ, "EDGESR_MUTANT": str(n)}
    command = ["timeout", str(MOST_SECONDS), SWIFT, *tests]
    done = subprocess.run(
        command, cwd=WORK, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if not re.search(r"Test \w+\(.*\) (started|passed|failed)", done.stdout):
        sys.exit(f"{mutant.name}: no test ran for {wanted}:\n{done.stdout[-2000:]}")
    print(f"{mutant.name}: {'found' if done.returncode else 'not found'}", file=sys.stderr, flush=True)
    return done.returncode != 0


if __name__ == "__main__":
    main()
