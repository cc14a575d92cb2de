import dataclasses
import json
import shutil
from unittest import mock

import keras_models
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tiny_training import (
    CLASSES,
    SCHEDULE,
    TRAIN,
    VALIDATION,
    build,
    require_same,
    run,
)

from keras_hypertinypw import training
from keras_hypertinypw.batches import Batches
from keras_hypertinypw.checkpoint import Checkpoint
from keras_hypertinypw.evaluation import metrics
from keras_hypertinypw.quantization import quantize_model
from keras_hypertinypw.training import checkpoint_path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def shuffled():
    """The epochs whose order of batches was asked for while training."""
    return []


@pytest.fixture(scope="module")
def trained(folder, shuffled):
    original = Batches.shuffle

    def shuffle(self, epoch):
        shuffled.append(epoch)
        original(self, epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batches, "shuffle", shuffle)
        return run(folder)


def test_every_epoch_has_an_order_of_its_own(trained, shuffled):
    # Keras peeks into each phase's first batch before it starts.
    assert shuffled == [0, 0, 1, 2] + [0, 0, 1]


def test_every_epoch_is_on_record(trained):
    lengths = {phase: len(r) for phase, r in trained.history.items()}
    assert lengths == {"float": 3, "quantized": 2}
    for records in trained.history.values():
        assert all(0 < r["loss"] < 10 for r in records)


def test_a_phase_traces_its_step_once(tmp_path, monkeypatch):
    traced = []
    step = keras.Model.train_step

    def count(model, data):
        traced.append(model.name)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", count)
    run(tmp_path)
    assert len(traced) == 2


def learned(model):
    return {w.name: w.numpy() for w in model.trainable_weights}


@pytest.mark.parametrize("code_bits", [1, 2, 4, 8])
def test_the_quantized_phase_learns_all_but_coarse_codes(
    code_bits, tmp_path, monkeypatch
):
    started = []

    def start(model, **options):
        quantized = quantize_model(model, **options)
        started.append(learned(quantized))
        return quantized

    monkeypatch.setattr(training, "quantize_model", start)
    after = learned(run(tmp_path, code_bits=code_bits).model)
    (before,) = started
    kept = [name for name in before if (before[name] == after[name]).all()]
    assert [name.endswith("codes:0") for name in kept] == [True] * len(kept)
    assert len(kept) == (1 if code_bits < 8 else 0)


def test_training_learns(trained):
    losses = [record["loss"] for record in trained.history["float"]]
    assert losses[-1] < 0.8 * losses[0]


def test_the_best_epochs_weights_are_kept(trained, folder):
    logits = trained.model.predict(VALIDATION.x, verbose=0)
    counts = metrics.confusion_counts(
        VALIDATION.y, logits.argmax(axis=1), num_classes=len(CLASSES)
    )
    scores = [r["validation_macro_f1"] for r in trained.history["quantized"]]
    assert metrics.macro_f1.from_counts(counts) == max(scores)
    saved = Checkpoint.load(checkpoint_path(folder, "quantized"))
    assert saved.records == trained.history["quantized"]


def test_a_worse_epoch_does_not_replace_the_best(tmp_path):
    model = build()
    model.compile("sgd")
    path = tmp_path / "float.npz"
    progress = training._Progress(model, VALIDATION, path)
    progress.set_model(model)
    progress.bar = mock.Mock()
    progress.on_epoch_end(0, {"loss": 1.0})
    progress.records[0]["validation_macro_f1"] = 2.0
    best = progress.best
    keras_models.set_weight(model.weights[0], 7.0)
    progress.on_epoch_end(1, {"loss": 1.0})
    assert progress.best is best
    saved = Checkpoint.load(path)
    np.testing.assert_array_equal(saved.best[0], best[0])
    assert np.all(saved.weights[0] == 7.0)
    assert len(saved.records) == 2


class Interrupted(Exception):
    pass


def interrupt(monkeypatch, phase, epoch, method):
    """Raises once, in a phase and epoch, when a callback is called."""

    def interrupted(self, index, logs=None):
        if self.bar.desc == phase and len(self.records) == epoch:
            raise Interrupted
        return original(self, index, logs)

    original = getattr(training._Progress, method)
    monkeypatch.setattr(training._Progress, method, interrupted)


@pytest.mark.parametrize(
    ("phase", "epoch", "method"),
    [
        ("float", 0, "on_train_batch_end"),
        ("float", 2, "on_train_batch_end"),
        ("float", 1, "on_epoch_end"),
        ("quantized", 1, "on_train_batch_end"),
    ],
)
def test_resumed_training_equals_uninterrupted(
    phase, epoch, method, tmp_path, monkeypatch, trained
):
    with monkeypatch.context() as patch:
        interrupt(patch, phase, epoch, method)
        with pytest.raises(Interrupted):
            run(tmp_path)
    require_same(run(tmp_path), trained)


def test_an_epoch_that_could_not_be_saved_runs_again(
    tmp_path, monkeypatch, trained
):
    original = Checkpoint.save

    def full(self, path):
        if len(self.records) == 2:
            raise OSError("No space left on device.")
        original(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", full)
        with pytest.raises(OSError, match="No space"):
            run(tmp_path)
    saved = Checkpoint.load(checkpoint_path(tmp_path, "float"))
    assert len(saved.records) == 1
    require_same(run(tmp_path), trained)


def test_a_resumed_training_repeats_no_finished_epoch(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, "float", 2, "on_train_batch_end")
        with pytest.raises(Interrupted):
            run(tmp_path)
    begun = []
    monkeypatch.setattr(
        Batches,
        "shuffle",
        lambda self, epoch: begun.append(epoch) or shuffle(self, epoch),
    )
    run(tmp_path)
    # Keras peeks into each phase's first batch before it starts.
    assert begun == [0, 2] + [0, 0, 1]


shuffle = Batches.shuffle


def test_a_failure_of_tensorflow_is_one_clear_error(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM\nat length")

    monkeypatch.setattr(keras.Model, "fit", fail)
    with pytest.raises(RuntimeError, match="Received: OOM. Give"):
        run(tmp_path)


def test_a_claim_that_is_damaged_is_of_nobody(tmp_path):
    (tmp_path / "training.json").write_text('{"model": ')
    with pytest.raises(ValueError, match="those of another run"):
        run(tmp_path)


def test_a_training_of_an_earlier_version_goes_on(
    folder, trained, tmp_path, monkeypatch
):
    for path in folder.iterdir():
        shutil.copy(path, tmp_path)
    path = tmp_path / "training.json"
    summary = json.loads(path.read_text())
    del summary["schedule"]["kernel_per_channel"]
    path.write_text(json.dumps(summary))
    monkeypatch.setattr(keras.Model, "fit", None)
    require_same(run(tmp_path), trained)


def test_finished_training_only_loads(folder, trained, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", None)
    require_same(run(folder), trained)


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"seed": 1}, {}),
        ({"float_epochs": 4}, {}),
        ({}, {"width": 9}),
        # Weights of the same shapes.
        ({}, {"code_bits": 4}),
    ],
    ids=str,
)
def test_checkpoints_of_another_run_are_refused(
    changes, options, folder, trained
):
    schedule = dataclasses.replace(SCHEDULE, **changes)
    with pytest.raises(ValueError, match="same model.*schedule.*another"):
        run(folder, schedule, **options)


def test_names_that_keras_numbers_do_not_count(tmp_path):
    # In this process the second model's layers have other names.
    for _ in range(2):
        data = (TRAIN, VALIDATION)
        training._claim_folder(tmp_path, build(), data, SCHEDULE)
