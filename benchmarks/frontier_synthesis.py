"""What synthesis costs in the networks of 128 channels, under callgrind.

    python benchmarks/frontier_synthesis.py

Counts the instructions of `examples/given/`, the generated files of seed 0, as
`boot_lazy.py` does: synthesis in the first Invoke against a later Invoke.
"""

from __future__ import annotations

import json
import pathlib
import sys

import boot_lazy

from keras_hypertinypw.progress import stage

EXAMPLES = boot_lazy.ROOT / "examples/given"


def measure(path: pathlib.Path) -> dict[str, int | float]:
    """Returns instructions, and how many inferences synthesis takes."""
    phases = boot_lazy.count(path.read_bytes()).phases
    synthesis, steady = phases[1].inside, phases[2].total
    return {
        "synthesis": synthesis,
        "steady": steady,
        "ratio": synthesis / steady,
    }


def main() -> None:
    """Prints one JSON object."""
    found = {}
    for path in sorted(EXAMPLES.glob("*.tflite")):
        with stage(path.name):
            found[path.stem] = measure(path)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
