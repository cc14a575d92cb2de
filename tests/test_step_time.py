"""A generated training step costs about as much as a stored one."""

import json
import pathlib
import subprocess
import sys

BENCHMARK = (
    pathlib.Path(__file__).resolve().parent.parent / "benchmarks/step_time.py"
)
MAX_RATIO = 1.3


def test_generated_kernels_hardly_slow_training():
    result = subprocess.run(
        [sys.executable, BENCHMARK], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-3000:]
    phases = json.loads(result.stdout)
    assert set(phases) == {"float", "quantized"}
    for phase in phases.values():
        assert phase["stored"] > 0
        assert phase["ratio"] <= MAX_RATIO
