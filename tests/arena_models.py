"""Networks whose arena is predicted and measured."""

from __future__ import annotations

import functools
import pathlib

import dense_models
import numpy as np
import tf_keras as keras
import tiny_models
import user_models

from keras_hypertinypw import (
    WeightGenerator,
    freeze,
    narrow_biases,
    pack_int4,
    quantize_model,
    swap_pointwise,
)
from keras_hypertinypw.models import ds_cnn
from keras_hypertinypw.op_insertion import insert_generate_ops, read_specs
from keras_hypertinypw.op_options import set_residencies

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples/mitdb"


def example(name: str = "generated") -> bytes:
    """The network of `examples/mitdb`."""
    return (EXAMPLES / f"{name}.tflite").read_bytes()


def with_residency(content: bytes, *residencies: str) -> bytes:
    """Rewrites the residencies, over and over until every op has one."""
    count = len(read_specs(content))
    return set_residencies(content, (residencies * count)[:count])


def tiny(*residencies: str, channels: int = 12) -> bytes:
    """One generated layer per residency; without any, two stored ones."""
    rng = np.random.default_rng(1)
    generator = tiny_models.random_generator(rng)
    specs = [
        tiny_models.random_spec(
            rng,
            generator,
            kernel_shape=(channels, 1, 1, channels),
            residency=residency,
        )
        for residency in residencies or ("cached", "cached")
    ]
    return tiny_models.build_model(specs, generated=bool(residencies))


def mlperf_tiny_ds_cnn() -> keras.Model:
    """DS-CNN of 64 channels on 49x10, for 12 words."""
    model = ds_cnn((49, 10, 1), 12)
    user_models.set_batch_norms(model, passes=2)
    return model


_BUILDERS = {
    "plain": user_models.plain,
    "sequential_1d": user_models.sequential_1d,
    "ds_cnn": mlperf_tiny_ds_cnn,
    "mobilenet": user_models.mobilenet,
}


@functools.cache
def swapped(name: str) -> bytes:
    """A user's model with generated kernels: calibrated, not trained."""
    keras.utils.set_random_seed(31)
    model = swap_pointwise(
        _BUILDERS[name](),
        generator=WeightGenerator(name="generator"),
        fit_steps=1,
    )
    # Kernels changed, so the statistics did.
    user_models.set_batch_norms(model, passes=2)
    inputs = user_models.blobs((64, *model.input_shape[1:]))
    frozen = freeze(quantize_model(model, calibration_data=inputs))
    return insert_generate_ops(frozen.dense_model, frozen.specs)


# Each gives the bytes of a file.
NETWORKS = {
    "mitdb_generated": example,
    "mitdb_stored": lambda: example("stored"),
    "mitdb_per_invoke": lambda: with_residency(example(), "per_invoke"),
    "mitdb_mixed": lambda: with_residency(example(), "per_invoke", "cached"),
    "tiny_stored": tiny,
    "tiny_mixed": lambda: tiny("cached", "per_invoke"),
    "tiny_wide": lambda: tiny("per_invoke", "cached", channels=40),
    "add": lambda: tiny_models.build_add_model(output_scale=0.1),
    "dense": dense_models.stock_model,
    "mitdb_int4": lambda: pack_int4(example("stored")),
    "mitdb_generated_int4": lambda: pack_int4(example()),
    "dense_int4": lambda: pack_int4(dense_models.stock_model()),
    "mitdb_narrow": lambda: narrow_biases(example()),
    "ds_cnn_int4": lambda: pack_int4(swapped("ds_cnn")),
    **{name: functools.partial(swapped, name) for name in _BUILDERS},
    **{
        f"{name}_per_invoke": lambda name=name: with_residency(
            swapped(name), "per_invoke"
        )
        for name in _BUILDERS
    },
}
