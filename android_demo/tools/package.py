"""The APK: classes to dex, packed, aligned and signed for debugging; and what must hold of it."""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from pathlib import Path

from compiling import MODULES, PACKAGE, Compiler
from steps import MODELS, QUICK, ROOT, WORK, Check, changed, fresh, path_of, run, say

APK = ROOT / "out" / "edgesr-booth-debug.apk"
ABIS = ("arm64-v8a", "x86_64")
LARGEST = 8_000_000
"""Bytes of the APK."""


def make(compiler: Compiler) -> Path:
    """The signed APK, made again where anything that goes into it changed."""
    if not (MODELS / "detector" / "detector.tflite").is_file():
        sys.exit("android: the models are missing: run make android-assets")
    classes = [WORK / "classes" / module for module in MODULES]
    done = changed("apk", [*classes, WORK / "resources.apk", ROOT / "tools"])
    if done is None and APK.is_file():
        return APK
    say("dex")
    work = fresh(WORK / "apk")
    with zipfile.ZipFile(compiler.stdlib) as archive:
        archive.extractall(work / "std", [n for n in archive.namelist() if n.startswith("kotlin/")])
    with zipfile.ZipFile(work / "std.jar", "w") as archive:
        for file in (work / "std").rglob("*"):
            archive.write(file, file.relative_to(work / "std"))
    java_home = Path(shutil.which("javac") or "").resolve().parent.parent
    jmod = f"{java_home / 'jmods' / 'java.base.jmod'}(!**.jar;!module-info.class)"
    inputs = path_of([*classes, WORK / "r", *compiler.tflite, work / "std.jar"])
    dexer = ["java", *QUICK, "-Xmx1500m", "-cp", path_of(compiler.jars["dex"])]
    shrunk, rules = work / "app.jar", f"@{ROOT / 'tools' / 'dex.pro'}"
    against = ["-libraryjars", path_of(compiler.sdk), "-libraryjars", jmod]
    run(*dexer, "proguard.ProGuard", rules, "-injars", inputs, "-outjars", shrunk, *against)
    run(*dexer, "com.android.dx.command.Main", "--dex", f"--min-sdk-version={compiler.versions['minSdk']}",
        f"--output={work / 'classes.dex'}", shrunk)  # fmt: skip
    say("package")
    shutil.copy(WORK / "resources.apk", work / "unaligned.apk")
    with zipfile.ZipFile(work / "unaligned.apk", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.write(work / "classes.dex", "classes.dex")
        for abi in ABIS:
            library = "libtensorflowlite_jni.so"
            archive.write(compiler.tflite[0].parent / "jni" / abi / library, f"lib/{abi}/{library}")
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


def verify(compiler: Compiler) -> list[Check]:
    """What must hold of the package."""
    say("verifying the package")
    badging = run("aapt", "dump", "badging", APK)
    v = compiler.versions
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
