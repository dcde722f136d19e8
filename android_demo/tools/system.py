"""What the plain build needs of the machine: a JDK, Maven and Debian's Android tools; installed where missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FRAME = Path("/usr/share/android-framework-res/framework-res.apk")
NEEDS = {
    "javac": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "aapt": "aapt",
    "zipalign": "zipalign",
    "apksigner": "apksigner",
    "dexdump": "dexdump",
    "unzip": "unzip",
}


def require() -> None:
    """Install what is missing, or end with one line and exit code 3."""
    packages = [package for program, package in NEEDS.items() if shutil.which(program) is None]
    if not FRAME.is_file():
        packages.append("android-framework-res")
    if not packages:
        return
    reason = "it is not Debian, or you are not root"
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"  installing {' '.join(packages)}", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        ):
            done = subprocess.run(
                command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
            )
        if done.returncode == 0:
            return
        reason = (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]
    print(f"android: cannot build here, {' '.join(packages)} is missing ({reason})", file=sys.stderr)
    sys.exit(3)
