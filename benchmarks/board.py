"""Builds programs for an emulated Cortex-M4, and runs them.

The board is QEMU's `mps2-an386`; Debian packages gcc-arm-none-eabi,
libstdc++-arm-none-eabi-newlib and qemu-system-arm.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Sequence

TFLM_OPS = pathlib.Path(__file__).resolve().parent.parent / "tflm_ops"
FIRMWARE = TFLM_OPS / "firmware"
ARITHMETIC = (
    TFLM_OPS / "generate_pw.cc",
    TFLM_OPS / "generate_pw_format.cc",
    TFLM_OPS / "generate_pw_lanes.cc",
    TFLM_OPS / "generate_pw_shared.cc",
)
# The compact op in the place of GeneratePW.
COMPACT_FLAG = "-DHYPERTINYPW_COMPACT=1"
SUPPORT = (FIRMWARE / "startup.cc", FIRMWARE / "input_file.cc")
PACKAGES = {
    "arm-none-eabi-g++": "gcc-arm-none-eabi libstdc++-arm-none-eabi-newlib",
    "qemu-system-arm": "qemu-system-arm",
}
CORTEX_M4 = (
    *("-mcpu=cortex-m4", "-mthumb"),
    *("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
)
WARNINGS = ("-Wall", "-Wextra", "-Werror")
CPP = ("-std=c++17", "-fno-exceptions", "-fno-rtti", *WARNINGS)
LINK = (
    *("--specs=rdimon.specs", "-nostartfiles", "-Wl,--gc-sections"),
    # Code and data lie in memory that is one and the same to QEMU.
    "-Wl,--no-warn-rwx-segments",
)
TIMEOUT = 300  # Seconds.


class ToolError(RuntimeError):
    """A tool failed, or a program on the board.

    Attributes:
        output: What it printed.
    """

    def __init__(self, message: str, output: str) -> None:
        super().__init__(f"{message} the output:\n{output}")
        self.output = output


def missing_packages() -> str:
    """Returns the Debian packages that are missing, separated by spaces."""
    missing = [
        package
        for tool, package in PACKAGES.items()
        if shutil.which(tool) is None
    ]
    return " ".join(missing)


def build(
    program: pathlib.Path,
    sources: Sequence[pathlib.Path],
    *,
    optimization: str = "-O2",
    flags: Sequence[str] = (),
    objects: Sequence[pathlib.Path] = (),
) -> pathlib.Path:
    """Compiles and links a program with the board's start and file reader.

    Args:
        program: Where it goes.
        sources: C++ files.
        optimization: `-Os`, `-O2` and the like.
        flags: More flags for the compiler.
        objects: Object files and libraries to link.
    """
    compiler = ("arm-none-eabi-g++", *CORTEX_M4)
    start = subprocess.check_output(
        [*compiler, "-print-file-name=rdimon-crt0.o"], text=True
    )
    _run(
        [
            *(*compiler, *CPP, optimization, "-ffunction-sections", *flags),
            *(f"-I{TFLM_OPS}", f"-I{FIRMWARE}", *sources, *SUPPORT),
            *(start.strip(), *objects, *LINK),
            *("-T", FIRMWARE / "mps2_an386.ld", "-o", program),
        ]
    )
    return program


def run(program: pathlib.Path, *arguments: str | pathlib.Path) -> str:
    """Runs a program on the emulated board and returns what it prints."""
    words = ["enable=on,target=native", f"arg={program.name}"]
    words += [f"arg={argument}" for argument in arguments]
    return _run(
        [
            *("qemu-system-arm", "-M", "mps2-an386", "-nographic"),
            *("-icount", "shift=6", "-semihosting-config", ",".join(words)),
            *("-kernel", program),
        ]
    )


def flash_bytes(binary: pathlib.Path) -> int:
    """Returns code and constants of an object file or a program."""
    output = _run(["arm-none-eabi-size", binary])
    # Berkeley format: text, with the constants, is the first column.
    return int(output.splitlines()[1].split()[0])


def _run(command: Sequence[str | pathlib.Path]) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    if done.returncode:
        raise ToolError(
            f"Expected {command[0]} to succeed. Received: status "
            f"{done.returncode} and",
            done.stdout,
        )
    return done.stdout
