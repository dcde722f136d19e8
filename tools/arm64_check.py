"""The shipped int8 networks by the kernels of phones: TFLite, ONNX and ExecuTorch bundles on emulated arm64 CPUs.

    python tools/arm64_check.py TFLITE_BUNDLE

The bundle given is of the network for photos; the others are converted here. Runs the tests of the emulation, too.
Exit code 3, with a sentence on stderr, where arm64 cannot be emulated here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EDGESR = [sys.executable, "-m", "edgesr.cli"]
OTHERS = (
    ("cortex-a710", "onnx", "hime-small-x4-photo"),
    ("cortex-a76", "executorch", "hime-small-x4-photo"),
    ("cortex-a76", "onnx", "hime-small-x8-photo"),
    ("cortex-a710", "onnx", "hime-small-lr64-x4-photo"),
)


def main() -> int:
    """0 where every bundle passes on its CPU and the tests do, 1 where one does not."""
    if shutil.which("mmdebstrap") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "mmdebstrap"]):
            subprocess.run(["apt-get", *words], env=quiet, stdout=subprocess.DEVNULL, check=False)
    if code := subprocess.run([*EDGESR, "setup", "arm64"], check=False).returncode:
        return code
    codes = []
    with tempfile.TemporaryDirectory() as scratch:
        # With neither dotprod nor i8mm, with dotprod, and with both: each has kernels of its own.
        runs = [("cortex-a72", Path(sys.argv[1]))]
        for cpu, target, network in OTHERS:
            bundle = Path(scratch) / f"{network}-{target}"
            of = ["-c", network, "--target", target, "--precision", "int8", "--output", str(bundle)]
            subprocess.run([*EDGESR, "convert", *of], check=True)
            runs.append((cpu, bundle))
        for cpu, bundle in runs:
            verify = [*EDGESR, "verify", "--arch", "arm64", "--cpu", cpu, str(bundle)]
            codes.append(subprocess.run(verify, check=False).returncode)
    # With the negative control. A plain run of the suite leaves these out where nothing has made the environment.
    tests = [sys.executable, "-m", "pytest", "-q", "tests/test_arm64.py"]
    codes.append(subprocess.run(tests, cwd=ROOT, check=False).returncode)
    # A bundle that fails counts for more than one that cannot be run.
    return next((code for code in codes if code not in (0, 3)), max(codes))


if __name__ == "__main__":
    sys.exit(main())
