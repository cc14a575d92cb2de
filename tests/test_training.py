import dataclasses
import json

import keras_models
import numpy as np
import pytest
import tf_keras as keras

from keras_hypertinypw import HyperPointwise, training
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.evaluation import metrics
from keras_hypertinypw.training import Schedule, class_weights, train

layers = keras.layers
CLASSES = ("N", "S", "V", "F")
SCHEDULE = Schedule(
    float_epochs=3, quantized_epochs=2, learning_rate=0.02, batch_size=32
)


def windows(num_windows, seed):
    """Sine waves of four frequencies in noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(CLASSES), num_windows)
    time = np.arange(16)[:, None] + rng.uniform(0, 9, (num_windows, 1, 1))
    x = np.sin(time * (0.4 + 0.5 * y[:, None, None]))
    x = x + rng.normal(0, 0.3, (num_windows, 16, 3))
    groups = np.full(num_windows, "patient")
    return Windows(x.astype(np.float32), y, groups, CLASSES, 128.0)


TRAIN, VALIDATION = windows(200, 1), windows(80, 2)


def build(code_bits=8, width=8):
    inputs = keras.Input((16, 3))
    x = layers.Conv1D(6, 5, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = HyperPointwise(width, keras_models.generator(code_bits))(x)
    x = layers.GlobalMaxPooling1D()(layers.ReLU()(x))
    return keras.Model(inputs, layers.Dense(len(CLASSES))(x))


def run(folder, schedule=SCHEDULE, **options):
    return train(
        lambda: build(**options),
        TRAIN,
        VALIDATION,
        schedule=schedule,
        checkpoint_dir=folder,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def shuffled():
    """The epochs whose order of batches was asked for while training."""
    return []


@pytest.fixture(scope="module")
def trained(folder, shuffled):
    original = training._Batches.shuffle

    def shuffle(self, epoch):
        shuffled.append(epoch)
        original(self, epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training._Batches, "shuffle", shuffle)
        return run(folder)


def test_every_epoch_has_an_order_of_its_own(trained, shuffled):
    # Keras peeks into each phase's first batch before it starts.
    assert shuffled == [0, 0, 1, 2] + [0, 0, 1]


def test_every_epoch_is_on_record(trained):
    lengths = {phase: len(r) for phase, r in trained.history.items()}
    assert lengths == {"float": 3, "quantized": 2}
    for records in trained.history.values():
        assert all(0 < r["loss"] < 10 for r in records)


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
    assert (
        json.loads((folder / "quantized" / "history.json").read_text())
        == trained.history["quantized"]
    )


def test_a_worse_epoch_does_not_replace_the_best(tmp_path):
    model = build()
    model.compile("sgd")
    best = training._BestEpoch(VALIDATION, tmp_path, "float", 2)
    best.set_model(model)
    best.set_params({"steps": 1})
    best.on_train_begin()
    best.on_epoch_end(0, {"loss": 1.0})
    best.records[0]["validation_macro_f1"] = 2.0
    written = best.weights_path.read_bytes()
    keras_models.set_weight(model.weights[0], 7.0)
    best.on_epoch_end(1, {"loss": 1.0})
    assert best.weights_path.read_bytes() == written
    assert len(best.records) == 2


class Interrupted(Exception):
    pass


def interrupt(monkeypatch, phase, epoch, method):
    """Raises once, in a phase and epoch, when a callback is called."""

    def interrupted(self, index, logs=None):
        if self._phase == phase and len(self.records) == epoch:
            raise Interrupted
        return original(self, index, logs)

    original = getattr(training._BestEpoch, method)
    monkeypatch.setattr(training._BestEpoch, method, interrupted)


def require_same(resumed, trained):
    assert resumed.history == trained.history
    pairs = zip(
        resumed.model.get_weights(), trained.model.get_weights(), strict=True
    )
    for weight, expected in pairs:
        np.testing.assert_array_equal(weight, expected)


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


def test_an_epoch_on_record_without_backup_runs_again(
    tmp_path, monkeypatch, trained
):
    backup = keras.callbacks.BackupAndRestore
    original = backup.on_epoch_end

    def interrupted(self, epoch, logs=None):
        if epoch == 1:
            raise Interrupted
        original(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(backup, "on_epoch_end", interrupted)
        with pytest.raises(Interrupted):
            run(tmp_path)
    recorded = json.loads((tmp_path / "float" / "history.json").read_text())
    assert len(recorded) == 2
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


def test_class_weights_follow_the_square_root():
    y = np.repeat([0, 1, 3], [64, 16, 1])
    weights = class_weights(y, 4)
    assert list(weights) == [0, 1, 2, 3]
    assert weights[1] / weights[0] == pytest.approx(2)
    assert weights[3] / weights[0] == pytest.approx(8)
    # A class without windows counts as one of one window.
    assert weights[2] == weights[3]


def test_class_weights_have_mean_1_over_the_windows():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    weights = class_weights(y, 3)
    assert np.mean([weights[label] for label in y]) == pytest.approx(1)


def epoch_of(batches, epoch):
    batches.shuffle(epoch)
    return np.concatenate([batches[i][0] for i in range(len(batches))])


def test_every_epoch_has_every_window_once():
    batches = training._Batches(TRAIN, SCHEDULE)
    assert len(batches) == 7
    x = epoch_of(batches, 0)
    np.testing.assert_array_equal(
        np.sort(x.reshape(200, -1), axis=0),
        np.sort(TRAIN.x.reshape(200, -1), axis=0),
    )


def test_the_order_depends_on_seed_and_epoch_alone():
    first, again = (training._Batches(TRAIN, SCHEDULE) for _ in range(2))
    other = training._Batches(TRAIN, dataclasses.replace(SCHEDULE, seed=1))
    x = epoch_of(first, 3)
    np.testing.assert_array_equal(x, epoch_of(again, 3))
    assert np.any(x != epoch_of(first, 2))
    assert np.any(x != epoch_of(other, 3))
