"""What a firmware with three networks saves if they share their generator.

    python benchmarks/shared_generator.py

Builds an ECG network and two DS-CNNs (keywords of 49x10 and commands of 20x11
MFCC) around one `WeightGenerator`, small and large, converts and slims them,
and takes the generator out. Every shared file then runs in TFLM against its
materialized twin in LiteRT, outputs and kernels, bit for bit. Writes
`results/shared_generator.json` and prints the README's table. The networks are
calibrated and not trained: sizes do not depend on what the weights are.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

from device_networks import SEED, settle  # isort: skip
import markdown_table
import numpy as np
import tf_keras as keras

from keras_hypertinypw import (
    WeightGenerator,
    convert_keras_model,
    footprint,
    quantize_model,
    share_generator,
    slim,
    verify,
)
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.models import ds_cnn, ecg_network
from keras_hypertinypw.progress import stage

FOLDER = pathlib.Path(__file__).resolve().parent
RESULTS = FOLDER / "results" / "shared_generator.json"
HEADER = (
    "| Generator | Network | Codes | File alone | File shared | "
    "Output values compared |"
)
NUM_INPUTS = 200
GENERATORS: dict[str, dict[str, Any]] = {
    "default": {},
    "64 hidden units, 1-bit codes": {
        "hidden_units": (64,),
        "code_dim": 32,
        "code_bits": 1,
        "block_size": 128,
        "use_skip": False,
    },
}


def networks(generator: WeightGenerator) -> dict[str, keras.Model]:
    """Returns float networks by task."""
    return {
        "ECG, 256x1": ecg_network((256, 1), 4, generator=generator),
        "keywords, 49x10": ds_cnn((49, 10, 1), 12, generator=generator),
        "commands, 20x11": ds_cnn((20, 11, 1), 9, generator=generator),
    }


def converted(model: keras.Model) -> bytes:
    """Returns a slimmed file whose outputs vary."""
    rng = np.random.default_rng(SEED)
    inputs = settle(model)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(rng.normal(0, 0.5, layer.beta.shape))
    # As large as what the interpreter will be given.
    loud = inputs * rng.uniform(0, 4, (len(inputs), *[1] * (inputs.ndim - 1)))
    quantized = quantize_model(model, calibration_data=loud)
    return slim(convert_keras_model(quantized, verify=False))


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """Shares a generator, runs every file and returns the figures."""
    keras.utils.set_random_seed(SEED)
    models = networks(WeightGenerator(**options))
    contents = {name: converted(model) for name, model in models.items()}
    firmware = share_generator(list(contents.values()))
    rows = {}
    for (name, alone), shared in zip(
        contents.items(), firmware.model_contents, strict=True
    ):
        blob = firmware.generator
        result = verify(shared, generator=blob, num_inputs=NUM_INPUTS)
        rows[name] = {
            "codes_bytes": footprint(alone).by_part["codes"],
            "alone_bytes": len(alone),
            "shared_bytes": len(shared),
            "identical": result.identical,
            "num_values": result.num_values,
            "num_distinct": result.num_distinct,
            "num_kernels": result.num_kernels,
        }
    return {
        "generator_bytes": len(firmware.generator),
        "alone_bytes": sum(map(len, contents.values())),
        "shared_bytes": firmware.num_bytes,
        "networks": rows,
    }


def table(results: dict[str, Any]) -> str:
    """Returns the table in Markdown."""
    lines = markdown_table.head(HEADER)
    for generator, found in results.items():
        for name, row in found["networks"].items():
            verdict = "equal" if row["identical"] else "DIFFERENT"
            lines.append(
                f"| {generator} | {name} | {row['codes_bytes']:,} B | "
                f"{row['alone_bytes']:,} B | {row['shared_bytes']:,} B | "
                f"{row['num_values']:,}, {verdict} |"
            )
        before, after = found["alone_bytes"], found["shared_bytes"]
        lines.append(
            f"| {generator} | all, and the generator of "
            f"{found['generator_bytes']:,} B | | {before:,} B | {after:,} B | "
            f"{1 - after / before:.1%} smaller |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures every generator."""
    results = {}
    for name, options in GENERATORS.items():
        with stage(name):
            results[name] = measure(options)
    text = json.dumps(results, indent=1) + "\n"
    write_atomically(RESULTS, text.encode())
    sys.stdout.write(table(results) + "\n")


if __name__ == "__main__":
    main()
