#!/usr/bin/env python3
"""Checks of what Xcode would read: project, scheme, string catalog, asset catalog, privacy manifest, stand-ins.

    python ios_demo/tools/project.py

One line for each that fails; the last line is ``N passed, N failed``.
"""

from __future__ import annotations

import json
import plistlib
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tally import Check, tell

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "App"
RESOURCES = APP / "Resources"
ASSETS = RESOURCES / "Assets.xcassets"
PROJECT = ROOT / "Booth.xcodeproj" / "project.pbxproj"

USAGES = {
    "AVCaptureDevice": "NSCameraUsageDescription",
    "PHPhotoLibrary": "NSPhotoLibraryAddUsageDescription",
    "CLLocationManager": "NSLocationWhenInUseUsageDescription",
    "AVAudioSession": "NSMicrophoneUsageDescription",
}
"""What iOS asks an app to say before it may use a class."""

REASONS = {
    r"attributesOfFileSystem|volumeAvailableCapacity|systemFreeSize": "NSPrivacyAccessedAPICategoryDiskSpace",
    r"UserDefaults": "NSPrivacyAccessedAPICategoryUserDefaults",
    r"contentModificationDate|creationDateKey|modificationDate\b": "NSPrivacyAccessedAPICategoryFileTimestamp",
    r"systemUptime|mach_absolute_time": "NSPrivacyAccessedAPICategorySystemBootTime",
}
"""APIs of which Apple's privacy manifest wants the reason."""

KNOWN_REASONS = {"E174.1", "CA92.1", "C617.1", "35F9.1"}


def sources() -> dict[Path, str]:
    """The app's own Swift, and its package's, by path."""
    folders = (APP, ROOT / "Sources")
    return {path: path.read_text() for folder in folders for path in sorted(folder.rglob("*.swift"))}


# Project


def parse_project(text: str) -> dict[str, Any]:
    """An old-style property list: dictionaries, lists and strings."""
    tokens = re.findall(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|[{}()=;,]|[^\s{}()=;,"]+', text, re.S)
    tokens = [token for token in tokens if not token.startswith(("/*", "//"))]
    at = 0

    def take(expected: str | None = None) -> str:
        nonlocal at
        if at >= len(tokens):
            raise ValueError("it ends too early")
        token = tokens[at]
        if expected is not None and token != expected:
            raise ValueError(f"{token} where {expected} is due")
        at += 1
        return token

    def value() -> Any:
        token = take()
        if token == "{":
            found: dict[str, Any] = {}
            while tokens[at] != "}":
                key = str(value())
                if key in found:
                    raise ValueError(f"{key} stands twice")
                take("=")
                found[key] = value()
                take(";")
            take("}")
            return found
        if token == "(":
            listed = []
            while tokens[at] != ")":
                listed.append(value())
                if tokens[at] == ",":
                    take(",")
            take(")")
            return listed
        return token[1:-1].replace('\\"', '"').replace("\\n", "\n") if token.startswith('"') else token

    whole = value()
    if not isinstance(whole, dict):
        raise ValueError("it is no dictionary")
    return whole


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    else:
        yield value


def project_checks() -> Iterator[Check]:
    try:
        project = parse_project(PROJECT.read_text())
    except ValueError as error:
        yield "the project can be read", False, str(error)
        return
    objects = project["objects"]
    yield "the project is Xcode 16's", project["objectVersion"] == "77", project["objectVersion"]
    identifier = re.compile(r"[0-9A-F]{24}")
    named = {one for one in strings(objects) if identifier.fullmatch(one)}
    lost = sorted(named - objects.keys())
    yield "every reference of the project is there", not lost, ", ".join(lost)
    reached, left = set(), [project["rootObject"]]
    while left:
        one = left.pop()
        if one in reached or one not in objects:
            continue
        reached.add(one)
        left += [name for name in strings(objects[one]) if identifier.fullmatch(name)]
    orphans = sorted(objects.keys() - reached)
    yield "nothing of the project is orphaned", not orphans, ", ".join(orphans)
    for one in objects.values():
        if one["isa"] == "PBXFileSystemSynchronizedRootGroup":
            yield "the synchronised folder is there", (ROOT / one["path"]).is_dir(), one["path"]
            listed = one.get("explicitFolders", [])
            models = [folder for folder in listed if folder == "Resources/Models"]
            yield "models are copied as they are, and not compiled", len(models) == 1, str(listed)
        if one["isa"] == "XCLocalSwiftPackageReference":
            at = ROOT / one["relativePath"] / "Package.swift"
            yield "the package is there", at.is_file(), str(at)
        if one["isa"] == "XCSwiftPackageProductDependency":
            offered = re.findall(r'\.library\(name: "(\w+)"', (ROOT / "Package.swift").read_text())
            yield f"the package offers {one['productName']}", one["productName"] in offered, str(offered)
        if one["isa"] == "PBXShellScriptBuildPhase":
            yield "the build says how models are made", "make ios-assets" in one["shellScript"], one["shellScript"]
            missing = [path for path in one["inputPaths"] if path.removeprefix("$(SRCROOT)/App/") not in models_made()]
            yield "the build asks for what make ios-assets makes", not missing, str(missing)
    phases = next(one["buildPhases"] for one in objects.values() if one["isa"] == "PBXNativeTarget")
    kinds = [objects[one]["isa"] for one in phases]
    yield "models are asked for first", kinds[:1] == ["PBXShellScriptBuildPhase"], str(kinds)
    settings = [one["buildSettings"] for one in objects.values() if one["isa"] == "XCBuildConfiguration"]
    app = [one for one in settings if "PRODUCT_BUNDLE_IDENTIFIER" in one]
    versions = {one["IPHONEOS_DEPLOYMENT_TARGET"] for one in settings if "IPHONEOS_DEPLOYMENT_TARGET" in one}
    yield "the app is for iOS 18 and later", versions == {"18.0"}, str(versions)
    yield "Swift 6", {one["SWIFT_VERSION"] for one in settings if "SWIFT_VERSION" in one} == {"6.0"}, ""
    yield "Debug and Release of the app are alike", len(app) == 2 and app[0] == app[1], ""
    yield "iPhone and iPad", all(one["TARGETED_DEVICE_FAMILY"] == "1,2" for one in app), ""
    icon = ASSETS / f"{app[0]['ASSETCATALOG_COMPILER_APPICON_NAME']}.appiconset"
    yield "the icon is there", (icon / "icon.png").is_file(), str(icon)
    yield "no symbols are generated twice", app[0].get("ASSETCATALOG_COMPILER_GENERATE_ASSET_SYMBOLS") == "NO", ""
    code = "\n".join(sources().values())
    for used, key in USAGES.items():
        said = app[0].get(f"INFOPLIST_KEY_{key}", "")
        yield f"{key} is said where {used} is used, and there alone", bool(said) == (used in code), said
    scheme = ET.parse(ROOT / "Booth.xcodeproj" / "xcshareddata" / "xcschemes" / "Booth.xcscheme")
    wanted = {one.get("BlueprintIdentifier") for one in scheme.iter("BuildableReference")}
    target = {name for name, one in objects.items() if one["isa"] == "PBXNativeTarget"}
    yield "the scheme builds the app", wanted == target, str(wanted)


def models_made() -> set[str]:
    return {
        f"Resources/Models/{name}" for name in ("int8/manifest.json", "float/manifest.json", "detector/detector.json")
    }


# Words


def literals(text: str) -> Iterator[tuple[str, str]]:
    """String literals of Swift, each with what stands before it on its line."""
    at = 0
    while at < len(text):
        if text.startswith("//", at):
            at = text.index("\n", at)
        elif text[at] == '"':
            end, depth = at + 1, 0
            while text[end] != '"' or depth:
                if text.startswith("\\(", end):
                    depth, end = depth + 1, end + 2
                elif depth:
                    depth, end = depth + {"(": 1, ")": -1}.get(text[end], 0), end + 1
                else:
                    end += 2 if text[end] == "\\" else 1
            yield text[text.rfind("\n", 0, at) + 1 : at], text[at + 1 : end]
            at = end + 1
        else:
            at += 1


def key_pattern(literal: str) -> str:
    """A regular expression for the catalog's key of a literal: the type of what it holds is not known here."""
    result, at = "", 0
    while at < len(literal):
        if literal.startswith("\\(", at):
            end, depth = at + 2, 1
            while depth:
                depth += {"(": 1, ")": -1}.get(literal[end], 0)
                end += 1
            specifier = re.search(r'specifier: "([^"]+)"', literal[at:end])
            result += re.escape(specifier.group(1)) if specifier else "(%lld|%@)"
            at = end
        else:
            result += re.escape(literal[at]) if literal[at] != "%" else "%%"
            at += 1
    return result


def is_text(before: str, literal: str) -> bool:
    if not literal or re.search(
        r"(Color|Image)\($|(verbatim|systemImage|symbol|systemName|string): (.* [?:] )?$", before
    ):
        return False
    if " " in literal or literal[0].isupper() or literal == "…" or literal.startswith("\\("):
        return True
    return before.endswith("Text(")


def catalog_checks() -> Iterator[Check]:
    catalog = json.loads((RESOURCES / "Localizable.xcstrings").read_text())
    keys = set(catalog["strings"])
    used: set[str] = set()
    unknown = []
    for path, text in sources().items():
        if path.parent.name not in ("Screens", "Kit"):
            continue
        for before, literal in literals(text):
            if not is_text(before, literal):
                continue
            pattern = re.compile(key_pattern(literal))
            found = {key for key in keys if pattern.fullmatch(key)}
            used |= found
            if not found:
                unknown.append(f"{path.name}: {literal}")
    yield "every text of the screens is in the catalog", not unknown, "; ".join(unknown)
    yield "every text of the catalog is on a screen", not keys - used, "; ".join(sorted(keys - used))
    yield "the catalog is English first", catalog["sourceLanguage"] == "en" and catalog["version"] == "1.0", ""
    wrong = []
    for key, entry in catalog["strings"].items():
        for words in entry.get("localizations", {}).values():
            plural = words.get("variations", {}).get("plural")
            if plural is not None and not {"one", "other"} <= plural.keys():
                wrong.append(f"{key}: {sorted(plural)}")
            units = plural.values() if plural else [words]
            wrong += [key for unit in units if arguments(unit["stringUnit"]["value"]) != arguments(key)]
    yield "translations take what their keys take", not wrong, "; ".join(wrong)
    counted = [key for key in keys if re.search(r"%lld photos", key) and "localizations" not in catalog["strings"][key]]
    yield "photos are counted in the singular too", not counted, "; ".join(counted)


def arguments(text: str) -> list[str]:
    return sorted(re.findall(r"%(?:\d\$)?(?:lld|@|\.\d+f)", text))


# Pictures and privacy


def asset_checks() -> Iterator[Check]:
    code = "\n".join(sources().values())
    colours = set(re.findall(r'Color\("(\w+)"\)', code)) | {"Accent"}
    there = {path.stem for path in ASSETS.glob("*.colorset")}
    yield "every colour of the code is in the catalog, and no other", colours == there, str(colours ^ there)
    images = set(re.findall(r'Image\("(\w+)"\)', code))
    kept = {path.stem for path in ASSETS.glob("*.imageset")}
    yield "every picture of the code is in the catalog, and no other", images == kept, str(images ^ kept)
    levels: dict[str, list[float]] = {}
    for path in sorted(ASSETS.rglob("Contents.json")):
        content = json.loads(path.read_text())
        for image in content.get("images", []):
            file = path.parent / image["filename"]
            yield f"{image['filename']} is there", file.is_file(), str(file)
        if path.parent.suffix == ".colorset":
            levels[path.parent.stem] = [luminance(one["color"]["components"]) for one in content["colors"]]
    yield "every colour has a dark one", all(len(pair) == 2 for pair in levels.values()), str(levels)
    pairs = [
        ("Ink", "Paper"),
        ("Ink2", "Paper"),
        ("Ink", "Surface"),
        ("Ink2", "Surface"),
        ("OnAccent", "Accent"),
        ("OnTonal", "Tonal"),
    ]
    for ink, ground in pairs:
        ratios = [contrast(a, b) for a, b in zip(levels[ink], levels[ground], strict=True)]
        yield f"{ink} on {ground} can be read", min(ratios) >= 4.5, str(ratios)


def luminance(components: dict[str, str]) -> float:
    def linear(level: float) -> float:
        return level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4

    r, g, b = (linear(int(components[name], 16) / 255) for name in ("red", "green", "blue"))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: float, b: float) -> float:
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def privacy_checks() -> Iterator[Check]:
    manifest = plistlib.loads((RESOURCES / "PrivacyInfo.xcprivacy").read_bytes())
    yield "nobody is tracked", manifest["NSPrivacyTracking"] is False and manifest["NSPrivacyTrackingDomains"] == [], ""
    yield "nothing is collected", manifest["NSPrivacyCollectedDataTypes"] == [], ""
    said = {
        one["NSPrivacyAccessedAPIType"]: one["NSPrivacyAccessedAPITypeReasons"]
        for one in manifest["NSPrivacyAccessedAPITypes"]
    }
    code = "\n".join(sources().values())
    used = {category for pattern, category in REASONS.items() if re.search(pattern, code)}
    yield "reasons are given for what is used, and for nothing else", used == said.keys(), str(used ^ said.keys())
    known = all(reasons and set(reasons) <= KNOWN_REASONS for reasons in said.values())
    yield "the reasons are Apple's", known, str(said)
    network = re.findall(r"URLSession|import Network|NWConnection|CFSocket", code)
    yield "nothing uses the network", not network, str(network)


def code_checks() -> Iterator[Check]:
    forced, long = [], []
    for path, text in sources().items():
        plain = re.sub(r'//[^\n]*|"(?:\\.|[^"\\])*"', '""', text)
        forced += [f"{path.name}: {one}" for one in re.findall(r"[\w)\]]+!(?![=\w])|\btry!|\bas!", plain)]
        if len(text.splitlines()) > 400:
            long.append(path.name)
    yield "nothing is unwrapped by force", not forced, "; ".join(forced)
    yield "no file is long", not long, ", ".join(long)
    # PhotosUI's views and items are of an overlay that Swift loads where a file imports both.
    alone = []
    for path, text in sources().items():
        imported = set(re.findall(r"^import (\w+)", text, re.M))
        if re.search(r"\bPhotosPicker", text) and not {"PhotosUI", "SwiftUI"} <= imported:
            alone.append(path.name)
    yield "whoever uses the photo picker imports PhotosUI and SwiftUI", not alone, ", ".join(alone)


def checks() -> list[Check]:
    parts = (project_checks, catalog_checks, asset_checks, privacy_checks, code_checks)
    return [check for part in parts for check in part()]


def main() -> None:
    sys.exit(tell(checks()))


if __name__ == "__main__":
    main()
