"""The child of `boot_lazy.py`: one file in TFLM, while callgrind counts.

    python counted_run.py WORKER LIBRARY MODEL INPUTS

Loads MODEL, invokes it once per sample of INPUTS (`.npy`), and prints one JSON
object. WORKER is `tflm_worker.py`, which the project's own child process runs
by path too, so that nothing of the package is imported under callgrind.
"""

from __future__ import annotations

import json
import pathlib
import runpy
import sys
from typing import Any

import numpy as np

ARENA_SIZE = 1 << 20  # More than enough; only what is used is reported.


def run(worker: Any, model_content: bytes, inputs: np.ndarray) -> dict:
    """Returns the arena's bytes and the syntheses of all ops together."""
    request = {
        "inputs": [(inputs.dtype.str, inputs.shape)],
        "num_samples": len(inputs),
        "num_outputs": 1,
    }
    answers = [
        worker.load({"arena_size": ARENA_SIZE}, model_content)[0],
        worker.predict(request, inputs.tobytes())[0],
        worker.arena({}, b"")[0],
        worker.ops({}, b"")[0],
    ]
    for answer in answers:
        if answer["status"] != "ok":
            raise SystemExit(f"TFLM: {answer['message']}")
    *_, arena, ops = answers
    return {"arena_bytes": arena["num_bytes"], "syntheses": sum(ops["counts"])}


if __name__ == "__main__":
    script, library, model, samples = sys.argv[1:]
    tflm = runpy.run_path(script)["Worker"](library, lambda: None)
    result = run(tflm, pathlib.Path(model).read_bytes(), np.load(samples))
    sys.stdout.write(json.dumps(result) + "\n")
