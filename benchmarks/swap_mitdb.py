"""What swapping costs at first, and what training brings back.

    python benchmarks/swap_mitdb.py --data_dir=../shared/data/mitdb

Trains the stored ECG network on MIT-BIH's training patients, swaps its
pointwise layers but the first, trains on, and trains a fresh generated
network for as many epochs in all. Prints a Markdown table of macro-F1 (four
classes) on the validation patients. In float, one seed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from keras_hypertinypw import WeightGenerator, swap_errors, swap_pointwise  # isort: skip
import numpy as np
import tf_keras as keras
from tqdm import tqdm

from keras_hypertinypw.batches import Batches, class_weights
from keras_hypertinypw.datasets import mitdb
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.evaluation import macro_f1
from keras_hypertinypw.models import ecg_network

EPOCHS = 6  # Before the swap, and again behind it.
BATCH_SIZE = 128
LEARNING_RATE = 2e-3
WIDTH = 64
SEED = 0


def score(model: keras.Model, windows: Windows) -> float:
    """Returns macro-F1 over all classes."""
    logits = model.predict(windows.x, batch_size=1024, verbose=0)
    metric = macro_f1.over(len(windows.classes))
    return metric(windows.y, logits.argmax(axis=1))


def train(
    model: keras.Model, data: tuple[Windows, Windows], epochs: int, name: str
) -> Iterator[float]:
    """Trains, yielding the validation score of every epoch."""
    windows, validation = data
    batches = Batches(windows, BATCH_SIZE, SEED)
    rate = keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE, epochs * len(batches)
    )
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    weights = class_weights(windows.y, len(windows.classes))
    for epoch in tqdm(range(epochs), desc=name, unit="epoch"):
        batches.shuffle(epoch)
        model.fit(batches, shuffle=False, class_weight=weights, verbose=0)
        yield score(model, validation)


def measure(data: tuple[Windows, Windows]) -> list[tuple[str, float]]:
    """Returns rows of the table."""
    windows, validation = data
    shape, num_classes = windows.x.shape[1:], len(windows.classes)
    keras.utils.set_random_seed(SEED)
    stored = ecg_network(shape, num_classes, width=WIDTH)
    *_, before = train(stored, data, EPOCHS, "stored")
    generator = WeightGenerator(name="generator")
    swapped = swap_pointwise(stored, generator=generator)
    error = np.mean(list(swap_errors(stored, swapped).values()))
    at_once = score(swapped, validation)
    scores = list(train(swapped, data, EPOCHS, "swapped"))
    keras.utils.set_random_seed(SEED)
    fresh = ecg_network(
        shape,
        num_classes,
        width=WIDTH,
        generator=WeightGenerator(name="generator"),
    )
    *_, from_scratch = train(fresh, data, 2 * EPOCHS, "generated")
    return [
        (f"stored, {EPOCHS} epochs", before),
        (f"swapped (mean relative error of kernels {error:.2f})", at_once),
        ("swapped, 1 epoch more", scores[0]),
        (f"swapped, {EPOCHS} epochs more", scores[-1]),
        (f"generated from the start, {2 * EPOCHS} epochs", from_scratch),
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="folder of the MIT-BIH records")
    options = parser.parse_args()
    data = tuple(
        mitdb.load(split, data_dir=options.data_dir)
        for split in ("train", "validation")
    )
    lines = ["| Network | Validation macro-F1 |", "| --- | --- |"]
    lines += [f"| {name} | {value:.3f} |" for name, value in measure(data)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
