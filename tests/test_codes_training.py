"""Codes that go on training while all else stays."""

import dataclasses

import pytest
import tf_keras as keras
from tiny_training import SCHEDULE, TRAIN, VALIDATION, build, run

from keras_hypertinypw import (
    ConversionError,
    convert_keras_model,
    footprint,
    quantize_model,
    slim,
)
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.patches import apply_patch, make_patch
from keras_hypertinypw.quantization import freeze_all_but_codes
from keras_hypertinypw.training import train_codes

LONGER = dataclasses.replace(
    SCHEDULE, quantized_epochs=3, quantized_learning_rate=0.05
)


def to_file(model):
    return slim(convert_keras_model(model, verify=False))


def go_on(model, folder):
    return train_codes(
        model, TRAIN, VALIDATION, schedule=LONGER, checkpoint_dir=folder
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("codes")


@pytest.fixture(scope="module")
def update(folder):
    """The file before, the file after, and what the epochs gave."""
    model = run(folder / "whole").model
    before = to_file(model)
    records = go_on(model, folder / "codes")
    return before, to_file(model), records


def test_only_codes_differ(update):
    before, after, _ = update
    (old,), (new,) = read_specs(before), read_specs(after)
    assert (old.codes != new.codes).any()
    changed = sum(a != b for a, b in zip(before, after, strict=True))
    codes = before.find(old.codes_to_bytes())
    place = slice(codes, codes + len(old.codes_to_bytes()))
    restored = after[: place.start] + before[place] + after[place.stop :]
    assert 0 < changed <= footprint(after).by_part["codes"]
    assert restored == before


def test_the_update_is_a_patch(update):
    before, after, _ = update
    patch = make_patch(before, after)
    assert len(patch) < 0.1 * len(after)
    assert apply_patch(before, patch) == after


def test_codes_learn(update):
    losses = [record["loss"] for record in update[2]]
    assert len(losses) == 3
    assert losses[-1] < losses[0]


def test_a_finished_training_of_codes_only_loads(folder, update, monkeypatch):
    model = run(folder / "whole").model
    monkeypatch.setattr(keras.Model, "fit", None)
    assert go_on(model, folder / "codes") == update[2]
    assert to_file(model) == update[1]


def test_a_float_model_is_refused():
    with pytest.raises(ConversionError, match=r"quantized\. .*quantize_model"):
        freeze_all_but_codes(build())


def test_a_model_without_codes_is_refused():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    with pytest.raises(ConversionError, match="0 such layers"):
        freeze_all_but_codes(quantize_model(model))
