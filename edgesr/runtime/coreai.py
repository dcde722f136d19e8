"""Core AI, experimental: runs both functions of ``model.aimodel`` by ``coreai.runtime`` on this host's CPU."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesr.runtime.base import GraphRuntime
from edgesr.runtime.engines import Engine
from edgesr.runtime.isolated import AlwaysIsolated


class CoreAIRuntime(AlwaysIsolated):
    """``AssetRuntime`` in a process of its own: Apple's runtime writes on stdout, and trusts the file it opens."""

    inner = Engine(__name__, "AssetRuntime", "coreai")


class AssetRuntime(GraphRuntime):
    """Both functions of one asset, whose model stays open as long as this object."""

    name = "coreai.runtime"

    def _open(self, folder: Path, files: Mapping[str, str], threads: int) -> None:  # noqa: ARG002 (it has its own)
        from coreai.authoring import AIModelAsset

        self._loop = asyncio.new_event_loop()
        self._opened = contextlib.AsyncExitStack()
        model = self._await(self._opened.enter_async_context(AIModelAsset.load(folder / files["model"]).executable()))
        self._functions = {graph: model.load_function(graph) for graph in self.specs}
        self.close = weakref.finalize(self, _close, self._loop, self._opened)
        """Close the model; otherwise that happens when this object is collected."""

    def _run(self, graph: str, inputs: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        from coreai.runtime import NDArray

        specs = self.specs[graph]
        feed = {spec.file_name: NDArray(array) for spec, array in zip(specs["inputs"], inputs, strict=True)}
        outputs = self._await(_called(self._functions[graph], feed))
        return [np.array(outputs[spec.file_name].numpy()) for spec in specs["outputs"]]

    def _await(self, what: Any) -> Any:
        return self._loop.run_until_complete(what)


async def _called(function: Any, feed: Mapping[str, Any]) -> Any:
    return await function(feed)


def _close(loop: asyncio.AbstractEventLoop, opened: contextlib.AsyncExitStack) -> None:
    with contextlib.suppress(RuntimeError):
        loop.run_until_complete(opened.aclose())
        loop.close()
