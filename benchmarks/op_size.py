"""Flash of the op on Cortex-M4, by object file.

    python benchmarks/op_size.py

Compiles `tflm_ops/` with Debian's `arm-none-eabi-g++` and the headers of
`xmos-ai-tools` (both in the `dev` extra's set-up) as a release build, and
prints one JSON object: the bytes of code and constants of each object, and
their sum. What the op calls in TFLM and libc is not counted.
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

SOURCES = (
    "generate_pw",
    "generate_pw_format",
    "generate_pw_lanes",
    "generate_pw_op",
    "generate_pw_shared",
)
TFLM_OPS = pathlib.Path(__file__).resolve().parent.parent / "tflm_ops"
FLAGS = (
    *("-std=c++17", "-Os", "-fno-exceptions", "-fno-rtti"),
    *("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "-DNDEBUG"),
    *("-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_STRIP_ERROR_STRINGS"),
    "-Dtflite=tflite_micro",  # The namespace of those headers.
)


def measure(*flags: str) -> dict[str, int]:
    """Returns bytes of flash by object file, and their sum.

    Args:
        *flags: Of the compiler, beside those of a release build.
    """
    package = importlib.util.find_spec("xmos_ai_tools")
    if package is None or package.origin is None:
        raise SystemExit("No TFLM headers: pip install -e '.[dev]'.")
    headers = pathlib.Path(package.origin).parent / "runtime/include"
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in SOURCES:
            target = pathlib.Path(folder) / f"{name}.o"
            source = TFLM_OPS / f"{name}.cc"
            subprocess.run(
                [
                    *("arm-none-eabi-g++", *FLAGS, *flags),
                    *("-isystem", headers, "-c", source, "-o", target),
                ],
                check=True,
            )
            # Berkeley format: text, with the constants, is the first column.
            output = subprocess.check_output(
                ["arm-none-eabi-size", target], text=True
            )
            sizes[name] = int(output.splitlines()[1].split()[0])
    return {**sizes, "sum": sum(sizes.values())}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()) + "\n")
