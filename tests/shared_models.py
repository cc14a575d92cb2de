"""Files whose layers share a generator."""

import functools

import numpy as np
import tiny_models

from keras_hypertinypw import share_generator, slim
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.shared_generator import SharedFirmware
from keras_hypertinypw.spec import GeneratorSpec

SHAPES = ((10, 1, 1, 12), (7, 1, 1, 10), (32, 1, 1, 7))


def build(shared: GeneratorSpec, seed: int, **options) -> bytes:
    """Returns a file of three layers, as this package writes files."""
    rng = np.random.default_rng(seed)
    specs = [
        tiny_models.random_spec(
            rng, shared, name=f"layer_{index}", kernel_shape=shape, **options
        )
        for index, shape in enumerate(SHAPES)
    ]
    return write_model(read_model(tiny_models.build_model(specs)))


@functools.cache
def generator() -> GeneratorSpec:
    rng = np.random.default_rng(7)
    return tiny_models.random_generator(rng, use_skip=True)


def mixed() -> bytes:
    """Returns a file with a layer of each lifetime."""
    rng = np.random.default_rng(9)
    lifetimes = (
        {},
        {"residency": "per_invoke"},
        {"synthesis": "boot", "with_signs": False},
    )
    specs = [
        tiny_models.random_spec(
            rng, generator(), name=f"mixed_{i}", kernel_shape=shape, **options
        )
        for i, (shape, options) in enumerate(
            zip(SHAPES, lifetimes, strict=True)
        )
    ]
    return write_model(read_model(tiny_models.build_model(specs)))


@functools.cache
def models() -> list[bytes]:
    """Lazy, at boot, per invocation; all three in one; and slimmed."""
    files = [
        build(generator(), 1),
        build(generator(), 2, synthesis="boot", code_bits=8),
        build(generator(), 3, residency="per_invoke", code_bits=1),
        mixed(),
    ]
    return [*files, slim(files[0])]


@functools.cache
def firmware() -> SharedFirmware:
    """Returns all of them with their generator taken out."""
    return share_generator(models())
