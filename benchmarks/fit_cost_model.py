"""Fits `keras_hypertinypw/cost_model.py` to counts of the emulated board.

    python benchmarks/fit_cost_model.py

Writes `keras_hypertinypw/cost_coefficients.json`: coefficients for each kind of
op, not negative, of least relative error, fitted to a sweep of single layers
and to random kernels. Prints and keeps the errors that remain: on networks,
none of which it was fitted to, of one inference and of a single layer, and of
synthesis, the largest over some hundred kernels.
"""

from __future__ import annotations

import collections
import json
import pathlib
import sys

import device_networks  # isort: skip  Before tensorflow.
import board_network
import board_synthesis
import numpy as np
import sweep_layers
from scipy import optimize

from keras_hypertinypw.cost_features import Features, synthesis_features
from keras_hypertinypw.cost_model import COEFFICIENTS
from keras_hypertinypw.cost_operators import operator_features
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.progress import stage
from keras_hypertinypw.spec import CODE_BITS, GeneratorSpec, PointwiseSpec

NUM_SPECS = 200
DIGITS = 4  # Of a coefficient.

Row = tuple[Features, int]


def random_spec(rng: np.random.Generator, code_bits: int) -> PointwiseSpec:
    """Returns a layer as networks have them, of any generator."""
    widest = 64 if rng.random() < 0.8 else 200
    hidden = rng.integers(4, widest, int(rng.integers(0, 3)))
    widths = [int(rng.integers(2, 33)), *map(int, hidden)]
    block_size = int(rng.choice([16, 32, 64, 100]))
    layers = [
        board_synthesis.random_dense(rng, *pair, bias_shift=3)
        for pair in zip(widths, [*widths[1:], block_size], strict=True)
    ]
    skip = None
    if rng.random() < 0.3:
        skip = rng.integers(-127, 128, (block_size, widths[0])).astype(np.int8)
    rows, channels = (int(n) for n in rng.integers(8, 129, 2))
    blocks = -(-rows * channels // block_size)
    codes = board_synthesis.random_codes(rng, code_bits, (blocks, widths[0]))
    return PointwiseSpec(
        "random",
        GeneratorSpec(tuple(layers), skip, 1 if skip is not None else 0),
        codes,
        code_bits,
        (rows, 1, 1, channels),
        (rng.random(rows) < 0.5) & (rng.random() < 0.5),
    )


def synthesis_rows(path: pathlib.Path) -> list[Row]:
    """Counts random syntheses with a program that it builds at a path."""
    rng = np.random.default_rng(0)
    specs = [
        random_spec(rng, CODE_BITS[index % len(CODE_BITS)])
        for index in range(NUM_SPECS)
    ]
    program = board_synthesis.build(path)
    counted = board_synthesis.count(program, specs)
    if not all(is_right for is_right, _ in counted):
        raise RuntimeError("Expected right kernels. Received: wrong ones.")
    return [
        (synthesis_features(spec), number)
        for spec, (_, number) in zip(specs, counted, strict=True)
    ]


def network_rows(program: pathlib.Path, content: bytes) -> list[Row]:
    """Counts the stock ops of a network's last invocation."""
    model = read_model(content)
    counted = board_network.count(program, content)
    rows = []
    for operator, layer in zip(
        model.subgraphs[0].operators, counted.layers, strict=True
    ):
        features = operator_features(model, operator)
        if features is not None:
            rows.append((features, layer.instructions[-1]))
    return rows


def fit(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Returns coefficients by kind and amount."""
    by_kind = collections.defaultdict(list)
    for features, number in rows:
        by_kind[features.kind].append((features.amounts, number))
    coefficients = {}
    for kind, examples in sorted(by_kind.items()):
        names = list(examples[0][0])
        numbers = np.array([number for _, number in examples])
        amounts = np.array([[a[n] for n in names] for a, _ in examples])
        # Divided by the count, so that errors are relative.
        solution, _ = optimize.nnls(
            amounts / numbers[:, None], np.ones(len(numbers))
        )
        coefficients[kind] = {
            name: float(f"{value:.{DIGITS}g}")
            for name, value in zip(names, solution, strict=True)
        }
    return coefficients


def estimate(
    coefficients: dict[str, dict[str, float]], features: Features
) -> float:
    """Returns the instructions that coefficients give."""
    weights = coefficients[features.kind]
    return sum(weights[k] * n for k, n in features.amounts.items())


def errors(
    coefficients: dict[str, dict[str, float]],
    syntheses: list[Row],
    by_network: dict[str, list[Row]],
) -> dict[str, float]:
    """Returns relative errors of networks, their layers, and synthesis."""
    found = {}
    for name, rows in by_network.items():
        total = sum(number for _, number in rows)
        estimated = sum(estimate(coefficients, f) for f, _ in rows)
        found[f"inference of {name}"] = abs(estimated / total - 1)
    layers = [
        abs(estimate(coefficients, features) / number - 1)
        for rows in by_network.values()
        for features, number in rows
    ]
    found["layer, median"] = float(np.median(layers))
    found["layer, largest"] = max(layers)
    found["synthesis, largest"] = max(
        abs(estimate(coefficients, features) / number - 1)
        for features, number in syntheses
    )
    return {name: float(f"{value:.3g}") for name, value in found.items()}


def main() -> None:
    """Counts, fits, writes, and prints the errors."""
    with stage("Converting the networks"):
        networks = device_networks.networks()
    with stage("Running on the board"), board_network.built() as program:
        by_network = {
            name: network_rows(program, content)
            for name, content in networks.items()
        }
        syntheses = synthesis_rows(program.with_name("synthesis.elf"))
        layers = [
            row
            for content in sweep_layers.sweep(np.random.default_rng(0))
            for row in network_rows(program, content)
        ]
    coefficients = fit([*syntheses, *layers])
    remaining = errors(coefficients, syntheses, by_network)
    record = {"kinds": coefficients, "errors": remaining}
    written = json.dumps(record, indent=2) + "\n"
    write_atomically(COEFFICIENTS, written.encode())
    sys.stdout.write(json.dumps(remaining, indent=2) + "\n")


if __name__ == "__main__":
    main()
