"""Writes `README.md` beside it: how tests are organised, and every fault.

Run it after a message changed: `python tests/write_fault_table.py`.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
from collections.abc import Callable

# Before any import of TensorFlow; see design.md, fact 4.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import arduino_faults
import bias_faults
import command_faults
import file_faults
import int4_faults
import model_faults
import share_faults
import slim_faults
import survived_faults
import swap_faults
from faults import Fault, Registry

README = pathlib.Path(__file__).with_name("README.md")

SECTIONS: dict[str, Registry] = {
    "Building a model": model_faults.BUILDING,
    "Swapping the layers of one": swap_faults.SWAPPING,
    "Quantizing and converting it": model_faults.CONVERTING,
    "Reading a `.tflite`": file_faults.FILES,
    "Running it": file_faults.RUNNING,
    "Packing it into four bits": int4_faults.PACKING,
    "Storing its biases in eight bits": bias_faults.NARROWING,
    "Slimming it": slim_faults.SLIMMING,
    "Sharing a generator": share_faults.SHARING,
    "Commands": command_faults.COMMANDS,
    "Exporting to Arduino": arduino_faults.ARDUINO,
    "Data": command_faults.DATA,
    "Writing files": command_faults.WRITING,
    "Survived": survived_faults.SURVIVED,
}

INTRODUCTION = """\
# Tests

`make test` runs all of them. A test file mirrors a module of the package, and
tests are exact unless a tolerance says why; what several files share lies in
modules without `test_`.

| Kind of test | Where |
| --- | --- |
| a module's own | `test_<module>.py`, `datasets/`, `evaluation/` |
| the op in C++: compiled, sanitized, fuzzed | `tflm_ops/` |
| whole networks, tolerance zero | `test_converter.py`, `test_verification.py` |
| small `.tflite` files, Keras models, models as users have them, networks \
for the arena, and a training to test with | `tiny_models.py`, \
`keras_models.py`, `user_models.py`, `arena_models.py`, `tiny_training.py` |
| random `.tflite` files as converters write them, and peculiar ones, for \
`slim` | `slim_models.py`, `slim_files.py` |
| models that share a generator | `shared_models.py`, \
`test_shared_generator.py`, `test_shared_generator_errors.py`, \
`test_shared_training.py`, `test_shared_bars.py` |
| exported sketches: Arduino's rules, compiled, replayed | \
`test_arduino.py`, `test_arduino_sketch.py`; `arduino_stub/` stands for a core \
and for TFLM |
| the command line, interrupted and on a full disk | `test_cli.py`, \
`test_cli_files.py`, `test_interrupted_commands.py`, `test_full_disk.py` |
| what README, site, examples and notebooks say | `test_readme.py`, \
`test_docs.py`, `test_examples.py`, `test_notebooks.py` |
| what a wheel holds | `test_wheel.py` |
| the table below | `test_faults.py`; the faults are in `model_faults.py`, \
`swap_faults.py`, `file_faults.py`, `command_faults.py`, \
`int4_faults.py`, `bias_faults.py`, `slim_faults.py`, `share_faults.py`, \
`arduino_faults.py`, `survived_faults.py` |

## Faults and bad inputs

What a user sees, to the letter: the exception of the Python API, or what a
command prints on stderr behind usage and progress before it exits with 2 (128
and the signal's number after a signal). `<folder>` stands for a temporary
folder, `<project>` for the checkout and `<n>` for a number that Keras counts
up; byte counts are those of x86-64. `python tests/write_fault_table.py` writes
this page, and `test_faults.py` provokes each fault and compares.
"""


def text(row_of: Callable[[Fault], str]) -> str:
    """Returns the page, with the rows that a function gives."""
    parts = [INTRODUCTION]
    for title, faults in SECTIONS.items():
        seen = "What the user sees" if faults.is_refused else "What happens"
        parts.append(f"\n### {title}\n\n| Fault | {seen} |\n| --- | --- |\n")
        parts += [f"{row_of(fault)}\n" for fault in faults]
    return "".join(parts)


def main() -> None:
    """Provokes every fault and writes the page."""

    def provoked(fault: Fault) -> str:
        with tempfile.TemporaryDirectory() as folder:
            return fault.row(fault.message(pathlib.Path(folder)))

    README.write_text(text(provoked), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
