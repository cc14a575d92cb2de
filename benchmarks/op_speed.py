"""Instructions of synthesis on a Cortex-M4, for every build of the op.

    python benchmarks/op_speed.py

Compiles each build of `tflm_ops/README.md` with `-Os`, synthesizes a kernel of
64x64 weights from codes of one bit on the emulated board, and prints one JSON
object: instructions for each multiply-accumulate of the generator. Needs what
`make firmware-test` needs.
"""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile

import board
import board_synthesis

from keras_hypertinypw.op_builds import BUILDS, Build

CODE_BITS = 1


def measure(build: Build, folder: pathlib.Path) -> float:
    """Returns instructions for each multiply-accumulate.

    Args:
        build: How the op is compiled.
        folder: For the program.

    Raises:
        RuntimeError: If a weight is wrong.
    """
    program = board_synthesis.build_of(
        folder / f"{build}.elf", build, optimization="-Os"
    )
    spec = board_synthesis.reference_spec(CODE_BITS)
    ((is_right, instructions),) = board_synthesis.count(program, [spec])
    if not is_right:
        raise RuntimeError(f"Expected exact weights of {build!r}.")
    return instructions / board_synthesis.multiply_accumulates(spec)


def main() -> None:
    """Prints the counts."""
    if missing := board.missing_packages():
        raise SystemExit(f"Install the Debian packages {missing}.")
    with tempfile.TemporaryDirectory() as folder:
        found = {
            build: round(measure(build, pathlib.Path(folder)), 2)
            for build in BUILDS
        }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
