"""The README's table of boot against lazy synthesis: instructions, arena.

    python benchmarks/boot_lazy.py

Counts the instructions of `examples/mitdb/generated.tflite` in the official
TFLM interpreter under callgrind (Debian package valgrind), with stored kernels
and with every residency and synthesis that the op has. Counted is what TFLM's
`AllocateTensors` and `Invoke` execute, and nothing of Python; GeneratePW's part
is what they spend in the op's library and in what that calls.

The numbers are those of x86-64, of the wheel's reference kernels, and of the
compiler that built the op. The host's registration of the op also copies a
per_invoke kernel for Python, which is about 0.1 % of its synthesis.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import callgrind_dump
import markdown_table
import numpy as np

from keras_hypertinypw import Interpreter, materialize, native
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.op_options import set_residencies, set_synthesis
from keras_hypertinypw.progress import stage
from keras_hypertinypw.tflm_process import WORKER

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHILD = pathlib.Path(__file__).with_name("counted_run.py")
MODEL = ROOT / "examples/mitdb/generated.tflite"
HEADER = (
    "| Kernels | AllocateTensors | of which GeneratePW | first Invoke | "
    "of which GeneratePW | every later Invoke | of which GeneratePW | "
    "syntheses in 3 Invokes | Arena |"
)
INVOKES = 3
INTERPRETER = "tflite::micro::MicroInterpreter"
CALLGRIND = (
    *("valgrind", "--quiet", "--tool=callgrind", "--compress-strings=no"),
    f"--toggle-collect={INTERPRETER}::AllocateTensors()",
    f"--toggle-collect={INTERPRETER}::Invoke()",
    # Called once before each Invoke: so each dump holds one of the phases.
    "--dump-before=tflite::InterpreterWrapper::SetInputTensor*",
)
# Else Python's hashes move its heap, and libc chooses memcpy after the CPU.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-ERMS,-FSRM",
}


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One variant: the counts of its phases, and what they cost and did.

    Attributes:
        phases: AllocateTensors, then each Invoke.
        arena_bytes: Bytes of the arena in use.
        syntheses: Kernels synthesized, all ops and phases together.
    """

    phases: tuple[callgrind_dump.Count, ...]
    arena_bytes: int
    syntheses: int

    def __post_init__(self) -> None:
        if len(self.phases) != 1 + INVOKES or not all(
            phase.total for phase in self.phases
        ):
            raise ValueError(
                f"Expected instructions in AllocateTensors and {INVOKES} times "
                f"Invoke. Received: {self.phases}. The wheel's functions may "
                "have other names: see CALLGRIND."
            )
        if self.phases[2] != self.phases[3]:
            raise ValueError(
                "Expected the second and the third Invoke to be equal. "
                f"Received: {self.phases[2]}, {self.phases[3]}. Something "
                "other than the network was counted: see ENVIRONMENT."
            )


def variants() -> dict[str, bytes]:
    """Returns the files to count, by name."""
    content = MODEL.read_bytes()
    return {
        "stored": materialize(content),
        "cached, lazy": set_synthesis(content, "lazy"),
        "cached, boot": set_synthesis(content, "boot"),
        "per_invoke": set_residencies(
            content, ["per_invoke"] * len(read_specs(content))
        ),
    }


def count(model_content: bytes) -> Measurement:
    """Runs one file under callgrind."""
    with Interpreter(model_content) as interpreter:
        shape = interpreter.input_shape
    rng = np.random.default_rng(0)
    inputs = rng.integers(-128, 128, (INVOKES, *shape)).astype(np.int8)
    library = native.compiled_library().resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "model.tflite").write_bytes(model_content)
        np.save(folder / "inputs.npy", inputs)
        with open(folder / "stderr", "w+b") as stderr:
            result = subprocess.run(
                [
                    *(*CALLGRIND, f"--callgrind-out-file={folder / 'dump'}"),
                    *(sys.executable, CHILD, WORKER, library),
                    *(folder / "model.tflite", folder / "inputs.npy"),
                ],
                env={**os.environ, **ENVIRONMENT},
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
            stderr.seek(0)
            if result.returncode:
                raise SystemExit(stderr.read().decode(errors="replace"))
        # Numbered in their order; the last one, at the end, has no number.
        numbered = [folder / f"dump.{i}" for i in range(1, 1 + INVOKES)]
        phases = [
            callgrind_dump.read(path, library)
            for path in (*numbered, folder / "dump")
        ]
    return Measurement(tuple(phases), **json.loads(result.stdout))


def table() -> str:
    """Counts every variant and returns the table in Markdown."""
    if shutil.which("valgrind") is None:
        raise SystemExit("No valgrind: install the Debian package valgrind.")
    lines = markdown_table.head(HEADER)
    for name, content in variants().items():
        with stage(name):
            lines.append(_line(name, count(content)))
    return "\n".join(lines)


def _line(name: str, measurement: Measurement) -> str:
    cells = [name]
    for phase in measurement.phases[:3]:
        cells += [f"{phase.total:,}", f"{phase.inside:,}"]
    cells += [f"{measurement.syntheses:,}", f"{measurement.arena_bytes:,} B"]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
