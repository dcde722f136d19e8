"""What a compiled context says of itself, by the libraries of onnxruntime-qnn that read it: chip and compiler.

Structures and functions are those of QAIRT's headers ``QnnSystemContext.h`` and ``QnnInterface.h``, up to the last
field that is read here. Used in child processes alone: a library in C++ trusts what it reads.
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
from pathlib import Path
from typing import Any

from edgesr.errors import BundleError, UnavailableError

READS = 3
"""The version of the structure below, which QAIRT 2.40 and later give for contexts of one chip."""
CREATE, GET_BINARY_INFO, FREE = 0, 1, 3
"""Places of the functions in the system library's table."""
GET_BUILD_ID = 4
"""And in the backend's."""


@dataclasses.dataclass(frozen=True)
class Context:
    """Who compiled a context, and for whom."""

    build: str
    """Of the QAIRT that compiled it: ``v2.51.0.260929181845``."""
    soc_model: int
    """Qualcomm's number of the chip."""


class _Version(ctypes.Structure):
    _fields_ = [(part, ctypes.c_uint32) for part in ("major", "minor", "patch")]


class _Info(ctypes.Structure):
    """``QnnSystemContext_BinaryInfo_t`` of version 3."""

    _fields_ = [
        ("version", ctypes.c_uint64),  # an int, and the padding of what follows
        ("backend", ctypes.c_uint32),
        ("build", ctypes.c_char_p),
        ("core_api", _Version),
        ("backend_api", _Version),
        ("soc_version", ctypes.c_char_p),
        ("blob_version", _Version),
        ("blob_size", ctypes.c_uint64),
        ("tensor_count", ctypes.c_uint32),
        ("tensors", ctypes.c_void_p),
        ("graph_count", ctypes.c_uint32),
        ("graphs", ctypes.c_void_p),
        ("platform", ctypes.c_void_p),
        ("metadata_size", ctypes.c_uint32),
        ("metadata", ctypes.c_void_p),
        ("soc_model", ctypes.c_uint32),
    ]


class _SystemProvider(ctypes.Structure):
    _fields_ = [
        ("backend", ctypes.c_uint32),
        ("name", ctypes.c_char_p),
        ("version", _Version),
        ("functions", ctypes.c_void_p * 4),
    ]


class _BackendProvider(ctypes.Structure):
    _fields_ = [
        ("backend", ctypes.c_uint32),
        ("name", ctypes.c_char_p),
        ("core_api", _Version),
        ("backend_api", _Version),
        ("functions", ctypes.c_void_p * 5),
    ]


def read_context(file: Path) -> Context:
    """What a context binary is.

    Raises:
        BundleError: it is none, or is of a kind that is not known. UnavailableError: onnxruntime-qnn is not installed.
    """
    provider = _provider("libQnnSystem.so", "QnnSystemInterface_getProviders", _SystemProvider)
    create = _function(provider, CREATE, ctypes.POINTER(ctypes.c_void_p))
    free = _function(provider, FREE, ctypes.c_void_p)
    read = _function(
        provider,
        GET_BINARY_INFO,
        *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64),
        *(ctypes.POINTER(ctypes.POINTER(_Info)), ctypes.POINTER(ctypes.c_uint64)),
    )
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {file}: {error.strerror or error}", "convert again") from error
    handle, info, size = ctypes.c_void_p(), ctypes.POINTER(_Info)(), ctypes.c_uint64()
    if create(ctypes.byref(handle)):
        raise UnavailableError("Qualcomm's libraries cannot read contexts here", "install onnxruntime-qnn again")
    try:
        failed = read(handle, content, len(content), ctypes.byref(info), ctypes.byref(size))
        if failed or not info or info.contents.version & 0xFFFFFFFF != READS:
            raise BundleError(f"{file} is no context of one chip that QAIRT can read", "it is damaged: convert again")
        return Context((info.contents.build or b"").decode(errors="replace"), int(info.contents.soc_model))
    finally:
        free(handle)


@functools.cache
def installed_build() -> str:
    """The build of the QAIRT that is installed. Raises UnavailableError: onnxruntime-qnn is not."""
    provider = _provider("libQnnHtp.so", "QnnInterface_getProviders", _BackendProvider)
    build = ctypes.c_char_p()
    _function(provider, GET_BUILD_ID, ctypes.POINTER(ctypes.c_char_p))(ctypes.byref(build))
    return (build.value or b"").decode(errors="replace")


def release(build: str) -> str:
    """The part of a build by which QAIRTs fit together: ``v2.51.0``."""
    return ".".join(build.split(".")[:3])


def _provider(library: str, symbol: str, kind: type[ctypes.Structure]) -> Any:
    try:
        import onnxruntime_qnn
    except ImportError as error:
        raise UnavailableError("onnxruntime-qnn is not installed", "pip install 'edgesr[qnn]'") from error
    loaded = ctypes.CDLL(str(Path(onnxruntime_qnn.LIB_DIR_FULL_PATH) / library))
    providers, count = ctypes.POINTER(ctypes.POINTER(kind))(), ctypes.c_uint32()
    if getattr(loaded, symbol)(ctypes.byref(providers), ctypes.byref(count)) or not count.value:
        raise UnavailableError(f"{library} of onnxruntime-qnn does not start", "install onnxruntime-qnn again")
    return providers[0].contents


def _function(provider: Any, place: int, *arguments: Any) -> Any:
    return ctypes.CFUNCTYPE(ctypes.c_uint64, *arguments)(provider.functions[place])
