"""What synthesis costs in the frontier's networks, under callgrind.

    python benchmarks/frontier_synthesis.py

Counts the instructions of `examples/given/` and `examples/equal_bytes/`, the
generated files of seed 0, as `boot_lazy.py` does: synthesis in the first Invoke
against a later Invoke. The op is the usual one, which all of them run with.
"""

from __future__ import annotations

import json
import pathlib
import sys

import boot_lazy

from keras_hypertinypw.progress import stage

EXAMPLES = boot_lazy.ROOT / "examples"


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
    paths = (
        *EXAMPLES.glob("given/*.tflite"),
        *EXAMPLES.glob("equal_bytes/*.tflite"),
    )
    for path in sorted(paths):
        with stage(path.name):
            found[path.stem] = measure(path)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
