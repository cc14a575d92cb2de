"""Models to export as Arduino sketches, and what reads those."""

import re

import numpy as np
import tiny_models
from cpp_build import REPOSITORY

EXAMPLES = REPOSITORY / "examples/mitdb"
SKETCH = "hypertinypw"


def tiny_model(**options) -> bytes:
    rng = np.random.default_rng(4)
    generator = tiny_models.random_generator(rng)
    return tiny_models.build_model(
        [tiny_models.random_spec(rng, generator, **options)]
    )


MODELS = {
    "generated": (EXAMPLES / "generated.tflite").read_bytes,
    "stored": (EXAMPLES / "stored.tflite").read_bytes,
    "tiny": tiny_model,
}


def values_of(path, name):
    """Returns the numbers of an array in a C++ source."""
    body = path.read_text().split(f" {name}[", 1)[1].split(";", 1)[0]
    return [int(x) for x in re.findall(r"-?\d+", body.split("=", 1)[1])]
