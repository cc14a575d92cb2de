"""Compiles the op's C++ once per user and calls it.

The sources are those that firmware compiles, `tflm_ops/`, plus the C ABI and
the wheel registration of `tflm_ops/host/`.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

import numpy as np

from keras_hypertinypw.files import cache_dir

FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra")
SOURCES = (
    "generate_pw.cc",
    "generate_pw_format.cc",
    "generate_pw_shared.cc",
    "host/generate_pw_host.cc",
    "host/register_wheel.cc",
    "host/widen_bias_wheel.cc",
)
_COMPILERS = ("c++", "g++", "clang++")


def source_dir() -> pathlib.Path:
    """Returns the directory of the C++ sources.

    Raises:
        FileNotFoundError: If the installation lacks them.
    """
    package = pathlib.Path(__file__).resolve().parent
    # Inside the package in an installed wheel, beside it in a checkout.
    for candidate in (package / "tflm_ops", package.parent / "tflm_ops"):
        if (candidate / SOURCES[0]).is_file():
            return candidate
    raise FileNotFoundError(
        f"Expected the C++ sources in {package / 'tflm_ops'} or "
        f"{package.parent / 'tflm_ops'}. Received: neither. Reinstall "
        "keras_hypertinypw."
    )


def find_compiler() -> list[str]:
    """Returns the command of the system's C++ compiler; `$CXX` comes first.

    Raises:
        RuntimeError: If there is none.
    """
    names = [os.environ.get("CXX", ""), *_COMPILERS]
    for command in map(shlex.split, names):
        if command and shutil.which(command[0]):
            return command
    raise RuntimeError(
        "Expected a C++17 compiler, which the TFLM runtime needs. Received: "
        f"none of $CXX, {', '.join(_COMPILERS)} in PATH. Install one (Debian: "
        'package g++), or use `Interpreter(..., runtime="litert")`.'
    )


def _library_name(directory: pathlib.Path) -> str:
    digest = hashlib.sha256()
    digest.update(repr((FLAGS, SOURCES, platform.machine())).encode())
    for pattern in ("*.h", "*.cc", "host/*.h", "host/*.cc"):
        for path in sorted(directory.glob(pattern)):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"hypertinypw-{digest.hexdigest()[:20]}.so"


def compiled_library() -> pathlib.Path:
    """Returns the compiled library, after compiling it if need be.

    Raises:
        RuntimeError: If there is no compiler, or it fails.
    """
    directory = source_dir()
    library = cache_dir() / _library_name(directory)
    if library.is_file():
        return library
    compiler = find_compiler()
    library.parent.mkdir(parents=True, exist_ok=True)
    # Another process may compile the same library: each writes its own file,
    # and the rename is atomic.
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        output = pathlib.Path(scratch) / library.name
        sources = [str(directory / name) for name in SOURCES]
        command = [*compiler, *FLAGS, *sources, "-o", str(output), "-ldl"]
        result = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise RuntimeError(
                f"{compiler[0]} could not compile the TFLM host library:\n"
                f"{result.stderr[-4000:]}"
            )
        os.replace(output, library)
    return library


@functools.cache
def load() -> ctypes.CDLL:
    """Returns the library, loaded into this process."""
    library = ctypes.CDLL(str(compiled_library()))
    library.HypertinypwSynthesize.argtypes = [
        *3 * (ctypes.c_char_p, ctypes.c_size_t),
        ctypes.POINTER(ctypes.c_int32),
        ctypes.c_int32,
        ctypes.c_void_p,
    ]
    library.HypertinypwSynthesize.restype = ctypes.c_int32
    library.HypertinypwSetSharedGenerator.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]
    library.HypertinypwSetSharedGenerator.restype = None
    library.HypertinypwFormatErrorMessage.argtypes = [ctypes.c_int32]
    library.HypertinypwFormatErrorMessage.restype = ctypes.c_char_p
    return library


def _call(
    options: bytes,
    codes: bytes,
    blob: bytes,
    kernel_shape: Sequence[int],
    weights: np.ndarray | None,
) -> None:
    library = load()
    dims = (ctypes.c_int32 * len(kernel_shape))(*kernel_shape)
    error = library.HypertinypwSynthesize(
        options,
        len(options),
        codes,
        len(codes),
        blob,
        len(blob),
        dims,
        len(kernel_shape),
        None if weights is None else weights.ctypes.data,
    )
    if error:
        message = library.HypertinypwFormatErrorMessage(error).decode()
        raise ValueError(f"GeneratePW: {message}.")


def share(generator: bytes | None) -> None:
    """Sets the blob that references stand for, in this process; or none."""
    size = 0 if generator is None else len(generator)
    load().HypertinypwSetSharedGenerator(generator, size)


def validate(
    options: bytes, codes: bytes, blob: bytes, kernel_shape: Sequence[int]
) -> None:
    """Checks one op's bytes as the op does in Prepare.

    Args:
        options: Custom options.
        codes: Content of the codes tensor.
        blob: Content of the generator tensor.
        kernel_shape: Shape of the op's output.

    Raises:
        ValueError: If the format does not allow them.
    """
    _call(options, codes, blob, kernel_shape, None)


def synthesize(
    options: bytes, codes: bytes, blob: bytes, kernel_shape: Sequence[int]
) -> np.ndarray:
    """Returns the int8 kernel that the op makes of these bytes.

    Args:
        options: Custom options.
        codes: Content of the codes tensor.
        blob: Content of the generator tensor.
        kernel_shape: Shape of the op's output.

    Raises:
        ValueError: If the format does not allow them.
    """
    validate(options, codes, blob, kernel_shape)
    weights = np.empty(kernel_shape, np.int8)
    _call(options, codes, blob, kernel_shape, weights)
    return weights
