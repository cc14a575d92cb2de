"""Writes a model as an Arduino library and a sketch that tests it."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import warnings

from keras_hypertinypw import checks
from keras_hypertinypw.arduino_library import LIBRARY, library_files
from keras_hypertinypw.arduino_sketch import sketch_files
from keras_hypertinypw.arena import predict_arena
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.files import require_absent, write_folder
from keras_hypertinypw.golden_cases import golden_cases
from keras_hypertinypw.memory_planner import align
from keras_hypertinypw.op_builds import BUILDS, Build
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.op_options import set_compact, set_synthesis
from keras_hypertinypw.spec import Synthesis

# On top of what is needed. The prediction's structures are those of TFLM of
# 2026; the library of 2023 asked for up to ARENA_ERROR_BYTES more: see
# "Arduino" in tflm_ops/README.md.
ARENA_MARGIN_BYTES = 1024
ARENA_ERROR_BYTES = 160
# Added to what is measured on the host where nothing can be predicted: the
# library's kernels may ask for scratch buffers that those of the host do not.
UNPREDICTED_PERCENT = 5
NANO_33_BLE_SRAM = 256 * 1024

# What the Arduino IDE accepts, and folders that a sketchbook has itself.
_SKETCH_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}(?<!\.)")
_RESERVED = ("hardware", "libraries", "tools")


@dataclasses.dataclass(frozen=True)
class ArduinoExport:
    """What was written; all sizes in bytes.

    Attributes:
        arduino_sketch: Path of the sketch.
        arduino_library: Path of the library.
        model_size: The model, in flash.
        golden_size: Inputs and outputs of the self-test, in flash.
        num_cases: How many of them there are.
        arena_size: The tensor arena, in SRAM.
        arena_comment: Where that size comes from.
    """

    arduino_sketch: pathlib.Path
    arduino_library: pathlib.Path
    model_size: int
    golden_size: int
    num_cases: int
    arena_size: int
    arena_comment: str

    def __str__(self) -> str:
        return (
            f"Wrote the sketch {self.arduino_sketch} and the library "
            f"{self.arduino_library}.\n"
            f"flash: model {self.model_size:,} B, {self.num_cases} golden "
            f"cases {self.golden_size:,} B\n"
            f"SRAM: arena {self.arena_size:,} B. {self.arena_comment}"
        )

    def to_dict(self) -> dict[str, object]:
        """Returns plain values for JSON."""
        values = dataclasses.asdict(self)
        paths = {
            "sketch": str(values.pop("arduino_sketch")),
            "library": str(values.pop("arduino_library")),
        }
        return {**paths, **values}


def export_arduino(
    model_content: bytes,
    output_dir: str | os.PathLike[str],
    *,
    arena_size: int | None = None,
    sketch_name: str = "hypertinypw",
    synthesis: Synthesis | None = None,
    op_build: Build = "fastest",
) -> ArduinoExport:
    """Writes a folder like an Arduino sketchbook: a sketch, and its library.

    The sketch runs inputs whose outputs the official TFLM interpreter
    computed here, and prints on the board's serial port whether they are
    equal, and timings. It needs the Arduino library Chirale_TensorFLowLite,
    version 2.0.0, whose MEAN is allowed to differ; see `MEAN_TOLERANCE`.

    Args:
        model_content: Bytes of a `.tflite` with one int8 input and output.
        output_dir: Folder to write; it must not exist, or be empty.
        arena_size: Size of the tensor arena, in bytes. None predicts it and
            adds `ARENA_MARGIN_BYTES`. With operators that the prediction does
            not know it is measured here, and `UNPREDICTED_PERCENT` added, too.
        sketch_name: Name of the sketch.
        synthesis: "lazy" makes cached kernels at the first inference, "boot"
            when tensors are allocated. None keeps what the file says.
        op_build: How the ops are compiled. "fastest" makes four blocks of a
            kernel at once, and "small" one after the other; "unchecked" does
            not check the file either, which is an array here that ran on the
            host. "compact" is the least flash, and what `fit` counts: it
            makes every kernel when tensors are allocated, and keeps it, with
            a warning where the file says that it does not stay.

    Returns:
        What was written.

    Raises:
        ConversionError: If the file does not run in TFLM, or holds something
            that TFLM for Arduino lacks.
        FileExistsError: If `output_dir` is there and not empty.
        OSError: If it cannot be written; then nothing is left of it.
        ValueError: If a name or a size cannot be, or the compact op is to
            make kernels lazily.
    """
    _check_sketch_name(sketch_name)
    if arena_size is not None:
        arena_size = checks.positive_int("arena_size", arena_size)
    op_build = checks.one_of("op_build", op_build, BUILDS)
    if op_build == "compact" and synthesis == "lazy":
        raise ValueError(
            "Expected `synthesis` 'boot' or None with op_build='compact', "
            "which makes every kernel when tensors are allocated. "
            "Received: synthesis='lazy'. Leave one of them out."
        )
    folder = pathlib.Path(output_dir)
    require_absent(folder)
    if op_build == "compact":
        _warn_of_kernels_that_stay(model_content)
        model_content = set_compact(model_content)
    elif synthesis is not None:
        model_content = set_synthesis(model_content, synthesis)
    cases = golden_cases(model_content)
    size, comment = _choose_arena(model_content, arena_size, cases.arena_bytes)
    sketch = sketch_files(
        sketch_name, model_content, cases, size, comment, op_build
    )
    files = {f"{sketch_name}/{name}": data for name, data in sketch.items()}
    for name, data in library_files(sketch_name, sketch, op_build).items():
        files[f"libraries/{LIBRARY}/{name}"] = data
    write_folder(folder, files)
    return ArduinoExport(
        folder / sketch_name,
        folder / "libraries" / LIBRARY,
        len(model_content),
        cases.inputs.nbytes + cases.outputs.nbytes,
        len(cases.inputs),
        size,
        comment,
    )


def _check_sketch_name(name: str) -> None:
    checks.instance("sketch_name", name, str)
    reserved = name.lower() in _RESERVED
    if reserved or not _SKETCH_NAME.fullmatch(name):
        raise ValueError(
            "Expected `sketch_name` of at most 63 letters, digits, '_', '-' "
            "and '.', with a letter, a digit or '_' first and no '.' last, "
            f"and none of {_RESERVED}. Received: sketch_name={name!r}."
        )


def _warn_of_kernels_that_stay(model_content: bytes) -> None:
    specs = read_specs(model_content)
    count = sum(spec.residency != "cached" for spec in specs)
    if count:
        warnings.warn(
            f"The compact op keeps every kernel in the tensor arena, {count} "
            "of which the file makes anew at every inference to save arena. "
            "Leave out op_build='compact' for what the file says.",
            stacklevel=3,
        )


def _choose_arena(
    model_content: bytes, arena_size: int | None, used_here: int
) -> tuple[int, str]:
    """Returns the size of the arena, and where it comes from."""
    try:
        needed = predict_arena(model_content, "arduino").required_bytes
        source = "predicted for Chirale_TensorFLowLite 2.0.0"
    except ConversionError:
        # An operator that the prediction does not know.
        needed = used_here + used_here * UNPREDICTED_PERCENT // 100
        source = f"measured on x86-64 and {UNPREDICTED_PERCENT} % more"
    size = align(needed + ARENA_MARGIN_BYTES)
    comment = f"{needed:,} B {source}, and {ARENA_MARGIN_BYTES:,} B on top."
    if arena_size is not None:
        size, comment = arena_size, f"As given; {needed:,} B {source}."
        if size < needed + ARENA_ERROR_BYTES:
            warnings.warn(
                f"The tensor arena of {size} bytes is smaller than "
                f"{needed + ARENA_ERROR_BYTES} bytes: {needed} {source}, and "
                f"{ARENA_ERROR_BYTES} that this may be short of. The sketch "
                "may print FAIL. Give a larger `arena_size`, or leave it out.",
                stacklevel=3,
            )
    if size > NANO_33_BLE_SRAM:
        warnings.warn(
            f"The tensor arena of {size} bytes does not fit into the "
            f"{NANO_33_BLE_SRAM} bytes of SRAM of a Nano 33 BLE. Convert with "
            "`arena_budget`, or take a larger board.",
            stacklevel=3,
        )
    return size, comment
