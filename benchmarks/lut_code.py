"""What TFLM's decompression of kernels takes of a microcontroller's flash.

    python benchmarks/lut_code.py --write

The environment variables TFLM_LIB and TFLM_INCLUDE name a build of TFLM, as in
`tflm_ops/README.md`, and TFLM_LIB_COMPRESSED one of the same sources whose
compiler was given `-DUSE_TFLM_COMPRESSION`. Both have to be optimized for size
(`-Os`), of reference kernels, since CMSIS-NN's do not decompress, and without
error strings, as GeneratePW is measured. The firmware of the same stored
network is linked with each: the difference is the code that files of the
family `lut` need, as generated ones need the op.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
import tempfile

import board
import board_tflm
from frontier_lut import CODE_RECORD

from keras_hypertinypw.files import write_json

FLAGS = ("-DNDEBUG", "-DTF_LITE_STRIP_ERROR_STRINGS")
MODEL = board.TFLM_OPS.parent / "examples/speech_v1/stored.tflite"


def firmware_bytes(library: str, include: str, *flags: str) -> int:
    """Returns code and constants of `interpreter.cc` for the model.

    Args:
        library: Path of TFLM's static library.
        include: Folders with its headers, separated by colons.
        *flags: More of the compiler, as the library was built.

    Raises:
        ValueError: If library or headers do not fit.
    """
    tflm = board_tflm.find_tflm(library, include)
    with tempfile.TemporaryDirectory() as folder:
        program = board_tflm.build(
            pathlib.Path(folder),
            MODEL.read_bytes(),
            tflm,
            flags=(*FLAGS, *flags),
        )
        return board.flash_bytes(program)


def main() -> None:
    """Prints both sizes and their difference, and keeps them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    include = os.environ.get("TFLM_INCLUDE", "")
    try:
        plain = firmware_bytes(os.environ.get("TFLM_LIB", ""), include)
        compressed = firmware_bytes(
            os.environ.get("TFLM_LIB_COMPRESSED", ""),
            include,
            "-DUSE_TFLM_COMPRESSION",
        )
    except (OSError, ValueError) as error:
        parser.error(str(error))
    found = {
        "plain": plain,
        "compressed": compressed,
        "decompression": compressed - plain,
    }
    if options.write:
        write_json(CODE_RECORD, found)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
