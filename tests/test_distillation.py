"""The loss that follows a teacher, and the batches that ask one."""

import numpy as np
import pytest
import scipy.special
import tf_keras as keras
from tiny_training import CLASSES, SCHEDULE, TRAIN, VALIDATION, build

from keras_hypertinypw.batches import Batches, class_weights
from keras_hypertinypw.distillation import DistillationLoss, TaughtBatches
from keras_hypertinypw.training import train


@pytest.fixture(scope="module")
def teacher():
    keras.utils.set_random_seed(1)
    return build(width=16)


def test_the_loss_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, 5)
    of_teacher, logits = rng.normal(size=(2, 5, 4)) * 3
    true = np.column_stack([classes, of_teacher])
    found = DistillationLoss()(true, logits)

    hard = -scipy.special.log_softmax(logits, axis=1)[np.arange(5), classes]
    soft = scipy.special.softmax(of_teacher / 2, axis=1)
    ratio = np.log(soft) - scipy.special.log_softmax(logits / 2, axis=1)
    expected = np.mean(0.5 * hard + 0.5 * 4 * np.sum(soft * ratio, axis=1))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_teacher_sees_the_windows_as_they_were_changed(teacher):
    def augment(x, rng):
        return -x

    plain = Batches(TRAIN, 32, 0, augment)
    taught = TaughtBatches(TRAIN, 32, 0, augment, teacher)
    x, y = plain[1]
    taught_x, true, weights = taught[1]
    np.testing.assert_array_equal(taught_x, x)
    np.testing.assert_array_equal(true[:, 0], y)
    np.testing.assert_allclose(true[:, 1:], teacher(x), rtol=1e-5, atol=1e-6)
    by_class = class_weights(TRAIN.y, len(CLASSES))
    np.testing.assert_allclose(weights, [by_class[k] for k in y])


def test_a_training_follows_its_teacher(teacher, tmp_path):
    def run(folder, **options):
        return train(
            build,
            TRAIN,
            VALIDATION,
            schedule=SCHEDULE,
            checkpoint_dir=tmp_path / folder,
            **options,
        )

    def agreement(trained):
        logits = trained.model.predict(TRAIN.x, verbose=0)
        expected = teacher.predict(TRAIN.x, verbose=0)
        return np.mean(logits.argmax(axis=1) == expected.argmax(axis=1))

    taught = run("taught", teacher=teacher)
    assert agreement(taught) > agreement(run("alone"))
    # The same call goes on, one without its teacher does not.
    assert run("taught", teacher=teacher).history == taught.history
    with pytest.raises(ValueError, match="those of another run"):
        run("taught")
