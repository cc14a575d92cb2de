"""Compiles C++ for tests, and finds the tools or says what is missing."""

from __future__ import annotations

import importlib.util
import pathlib
import shutil
import subprocess
from collections.abc import Sequence

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
TFLM_OPS = REPOSITORY / "tflm_ops"
STRICT = (
    "-std=c++17",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fno-exceptions",
    "-fno-rtti",
)
# Soft float, so that any floating point would show as a call of __aeabi_f*.
CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "-Os")
ARITHMETIC = (
    "generate_pw.cc",
    "generate_pw_format.cc",
    "generate_pw_lanes.cc",
    "generate_pw_shared.cc",
)
# Off on the host, unless a test wants it.
LANES = "-DHYPERTINYPW_LANES=1"
NO_CHECKS = "-DHYPERTINYPW_CHECKS=0"
GLUE = "generate_pw_op.cc"
COMPACT = "generate_pw_compact_op.cc"
WIDEN_BIAS = "widen_bias_op.cc"


def run(command: Sequence[str | pathlib.Path]) -> str:
    """Runs a command, fails the test with what it printed, or returns that."""
    result = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        pytest.fail(f"{' '.join(map(str, command))}:\n{result.stdout}")
    return result.stdout


def host_compiler() -> str:
    """Returns g++, or skips."""
    if shutil.which("g++") is None:
        pytest.skip("No g++: install the Debian package g++.")
    return "g++"


def arm_tool(name: str) -> str:
    """Returns `arm-none-eabi-<name>`, or skips."""
    tool = f"arm-none-eabi-{name}"
    if shutil.which(tool) is None:
        pytest.skip(
            f"No {tool}: install the Debian packages gcc-arm-none-eabi and "
            "libstdc++-arm-none-eabi-newlib."
        )
    return tool


def require_quoted_compiler() -> None:
    """Skips unless Arm's GCC is the version whose figures are written down."""
    version = run([arm_tool("g++"), "-dumpversion"]).strip()
    if not version.startswith("12.2"):
        pytest.skip(f"The figures are those of GCC 12.2. This is {version}.")


def xmos_runtime() -> pathlib.Path:
    """Returns the directory with TFLM's headers and library, or skips."""
    spec = importlib.util.find_spec("xmos_ai_tools")
    if spec is None or spec.origin is None:
        pytest.skip("No TFLM headers: pip install keras_hypertinypw[dev].")
    return pathlib.Path(spec.origin).parent / "runtime"


def tflm_flags() -> list[str]:
    """Returns the flags for TFLM's headers, whose namespace is renamed."""
    return [
        "-DTF_LITE_STATIC_MEMORY",
        "-Dtflite=tflite_micro",
        "-isystem",
        str(xmos_runtime() / "include"),
    ]
