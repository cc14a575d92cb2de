"""The files of a firmware whose models share a generator."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from keras_hypertinypw import c_arrays
from keras_hypertinypw.files import require_absent, write_folder
from keras_hypertinypw.shared_generator import SharedFirmware

GENERATOR_FILE = "generator.bin"

_HEADER = """\
// The generator that several models share. Before AllocateTensors of any:
//
//   hypertinypw::SetSharedGenerator(kGeneratorData, kGeneratorSize);

#ifndef GENERATOR_DATA_H_
#define GENERATOR_DATA_H_

constexpr unsigned int kGeneratorSize = {size};
extern const unsigned char kGeneratorData[kGeneratorSize];

#endif  // GENERATOR_DATA_H_
"""


def require_room(
    names: Sequence[str], output_dir: str | os.PathLike[str]
) -> None:
    """Checks what `write_shared` needs, before there is anything to write.

    Raises:
        FileExistsError: If `output_dir` is there and not empty.
        ValueError: If two names are equal, or one is taken.
    """
    require_absent(pathlib.Path(output_dir))
    taken = [GENERATOR_FILE, "generator_data.h", "generator_data.cc"]
    for name in names:
        if name in taken:
            raise ValueError(
                "Expected models with file names of their own. Received: "
                f"'{name}', which is taken. Rename that file."
            )
        taken.append(name)


def write_shared(
    firmware: SharedFirmware,
    names: Sequence[str],
    output_dir: str | os.PathLike[str],
) -> None:
    """Writes models, `generator.bin`, and its array in C++.

    Args:
        firmware: What `share_generator` returned.
        names: A file name for each model.
        output_dir: Folder to write; it must not exist, or be empty.

    Raises:
        FileExistsError: If `output_dir` is there and not empty.
        OSError: If it cannot be written; then nothing is left of it.
        ValueError: If two names are equal, or one is taken.
    """
    require_room(names, output_dir)
    blob = firmware.generator
    files = {
        GENERATOR_FILE: blob,
        "generator_data.h": _HEADER.format(size=len(blob)).encode(),
        "generator_data.cc": c_arrays.source(
            "generator_data.h",
            c_arrays.byte_array("kGeneratorData[kGeneratorSize]", blob),
        ),
    }
    files |= zip(names, firmware.model_contents, strict=True)
    write_folder(pathlib.Path(output_dir), files)
