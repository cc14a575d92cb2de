"""Links firmware with a TFLM that the user built, or says what is wrong.

Needs a static library of TFLM's own build and its headers;
`tflm_ops/README.md` says how to make them.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterator, Sequence

import board

from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.tflm_resolver import resolver_calls

SOURCES = (
    board.FIRMWARE / "interpreter.cc",
    board.TFLM_OPS / "generate_pw_compact_op.cc",
    board.TFLM_OPS / "generate_pw_op.cc",
    board.TFLM_OPS / "widen_bias_op.cc",
    *board.ARITHMETIC,
)
# Without it structures have another layout than in TFLM's builds.
FLAGS = ("-DTF_LITE_STATIC_MEMORY",)
HEADERS = (
    "tensorflow/lite/micro/micro_interpreter.h",
    # Until mid-2023 ops were registered in another way.
    "tensorflow/lite/micro/micro_common.h",
    "flatbuffers/flatbuffers.h",
    "fixedpoint/fixedpoint.h",
)
# Where TFLM's build puts the last two, and where its project generator does.
_THIRD_PARTY = ("tensorflow/lite/micro/tools/make/downloads", "third_party")
_LIBRARIES = ("flatbuffers/include", "gemmlowp")
_HOW = 'See "Whole models on the emulated board" in tflm_ops/README.md.'


@dataclasses.dataclass(frozen=True)
class Tflm:
    """A build of TFLM.

    Attributes:
        archive: The static library.
        includes: Folders that its headers are found in.
    """

    archive: pathlib.Path
    includes: tuple[pathlib.Path, ...]


def find_tflm(library: str, include: str) -> Tflm:
    """Checks that a build of TFLM is there.

    Args:
        library: Path of the static library.
        include: Folders with TFLM's headers, separated by colons; a checkout
            of TFLM that was built in is enough.

    Raises:
        ValueError: If library or headers are missing.
    """
    path = pathlib.Path(library)
    if not library or not path.is_file():
        raise ValueError(
            "Expected TFLM_LIB to be a static library that TFLM's build made, "
            f"such as libtensorflow-microlite.a. Received: '{library}'. {_HOW}"
        )
    folders = [pathlib.Path(word) for word in include.split(":") if word]
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing or not folders:
        raise ValueError(
            "Expected TFLM_INCLUDE to be folders that exist, separated by "
            f"colons. Received: '{':'.join(missing)}'. {_HOW}"
        )
    includes = (*folders, *_third_party(folders))
    for header in HEADERS:
        if not any((folder / header).is_file() for folder in includes):
            raise ValueError(
                f"Expected {header} in a folder of TFLM_INCLUDE. Received: "
                f"'{include}'. {_HOW}"
            )
    return Tflm(path, includes)


def _third_party(folders: Sequence[pathlib.Path]) -> Iterator[pathlib.Path]:
    for folder in folders:
        for parent in _THIRD_PARTY:
            for name in _LIBRARIES:
                if (folder / parent / name).is_dir():
                    yield folder / parent / name


def operators_header(model_content: bytes) -> str:
    """Returns `model_operators.h`: exactly the operators of a model.

    Raises:
        ConversionError: If it has custom operators of others.
    """
    calls = resolver_calls(read_model(model_content))
    checks = " &&\n         ".join(
        f"resolver->{call} == kTfLiteOk" for call in calls
    )
    return (
        '#include "generate_pw_op.h"\n'
        '#include "tensorflow/lite/c/common.h"\n'
        '#include "widen_bias_op.h"\n\n'
        f"constexpr unsigned int kNumOperators = {len(calls)};\n\n"
        "template <typename Resolver>\n"
        "bool AddOperators(Resolver* resolver) {\n"
        f"  return {checks};\n"
        "}\n"
    )


def compile_flags(
    includes: Sequence[pathlib.Path], folder: pathlib.Path
) -> list[str]:
    """Returns the compiler's flags: for TFLM, and a folder with the header."""
    headers = [word for path in includes for word in ("-isystem", str(path))]
    return [*FLAGS, f"-I{folder}", *headers]


def build(
    folder: pathlib.Path,
    model_content: bytes,
    tflm: Tflm,
    *,
    flags: Sequence[str] = (),
) -> pathlib.Path:
    """Compiles and links `interpreter.cc` for a model.

    Args:
        folder: Where the program goes.
        model_content: Bytes of the `.tflite`.
        tflm: What `find_tflm` returned.
        flags: More flags for the compiler.

    Raises:
        ConversionError: As `operators_header`.
        ValueError: If headers or library do not fit.
    """
    header = folder / "model_operators.h"
    header.write_text(operators_header(model_content))
    try:
        return board.build(
            folder / "interpreter.elf",
            SOURCES,
            flags=[*compile_flags(tflm.includes, folder), *flags],
            objects=[tflm.archive],
        )
    except board.ToolError as error:
        raise ValueError(_fault(tflm, error.output)) from error


def _fault(tflm: Tflm, output: str) -> str:
    """Says what a failed build means."""
    lines = output.splitlines()
    linker = [
        line
        for line in lines
        if re.search(r"\bld: |undefined reference", line)
        # Only says where the next line's symbol is missing.
        and not line.endswith("':")
    ]
    if linker:
        return (
            f"Expected {tflm.archive} to link with this firmware. Received: "
            f"{linker[0].strip()}. Build it for TARGET=cortex_m_generic "
            "TARGET_ARCH=cortex-m4+fp, of the default BUILD_TYPE and of the "
            f"same sources as TFLM_INCLUDE. {_HOW}"
        )
    errors = [line for line in lines if "error: " in line] or lines
    return (
        "Expected TFLM_INCLUDE to have headers that the firmware compiles "
        f"with. Received: {errors[0].strip()}. Take TFLM of 2023-07 or later, "
        f"and put all folders of its build into TFLM_INCLUDE. {_HOW}"
    )
