"""Flash of the ops on Cortex-M4, by object file.

    python benchmarks/op_size.py
    python benchmarks/op_size.py --write

Compiles `tflm_ops/` with Debian's `arm-none-eabi-g++` and the headers of
`xmos-ai-tools` (both in the `dev` extra's set-up) as a release build, and
prints one JSON object: the bytes of code and constants of each object of
GeneratePW, their sum, and those of WidenBias; then the sums of all builds of
`tflm_ops/README.md`. What an op calls in TFLM and libc is not counted.
`--write` puts the sums into `keras_hypertinypw/op_code_bytes.json`, which
`savings` and `fit` count with.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable

import board

from keras_hypertinypw.files import write_json
from keras_hypertinypw.op_builds import MACROS
from keras_hypertinypw.op_size import RECORD

SOURCES = (
    "generate_pw",
    "generate_pw_format",
    "generate_pw_lanes",
    "generate_pw_op",
    "generate_pw_shared",
)
COMPACT_SOURCES = ("generate_pw_compact_op",)
WIDEN_BIAS = "widen_bias_op"
FLAGS = (
    *("-std=c++17", "-Os", "-fno-exceptions", "-fno-rtti"),
    *("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "-DNDEBUG"),
    *("-DTF_LITE_STATIC_MEMORY", "-DTF_LITE_STRIP_ERROR_STRINGS"),
    "-Dtflite=tflite_micro",  # The namespace of those headers.
)


def measure(sources: Iterable[str], *flags: str) -> dict[str, int]:
    """Returns bytes of flash by object file, and the sum of GeneratePW's.

    Args:
        sources: Of GeneratePW, without `.cc`.
        *flags: Of the compiler, beside those of a release build.
    """
    package = importlib.util.find_spec("xmos_ai_tools")
    if package is None or package.origin is None:
        raise SystemExit("No TFLM headers: pip install -e '.[dev]'.")
    headers = pathlib.Path(package.origin).parent / "runtime/include"
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in (*sources, WIDEN_BIAS):
            target = pathlib.Path(folder) / f"{name}.o"
            source = board.TFLM_OPS / f"{name}.cc"
            subprocess.run(
                [
                    *("arm-none-eabi-g++", *FLAGS, *flags),
                    *("-isystem", headers, "-c", source, "-o", target),
                ],
                check=True,
            )
            sizes[name] = board.flash_bytes(target)
    widen_bias = sizes.pop(WIDEN_BIAS)
    total = sum(sizes.values())
    return {**sizes, "sum": total, WIDEN_BIAS: widen_bias}


def main() -> None:
    """Prints the sizes, and keeps what the package counts with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    by_build = {
        build: measure(
            COMPACT_SOURCES if build == "compact" else SOURCES,
            *(f"-D{name}={value}" for name, value in macros.items()),
        )
        for build, macros in MACROS.items()
    }
    builds = {
        build: {"generate_pw": sizes["sum"], "widen_bias": sizes[WIDEN_BIAS]}
        for build, sizes in by_build.items()
    }
    if options.write:
        write_json(RECORD, builds)
    found = {"objects": by_build["fastest"], "builds": builds}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
