import numpy as np
import pytest
from class_draws import draw, draw_labels, score

from keras_hypertinypw.evaluation.class_details import (
    MAX_GROUPS,
    describe_classes,
)


def describe(y_true, logits, groups):
    scores = score(y_true, logits, groups, n_resamples=100)
    return scores, describe_classes(y_true, logits, groups, scores)


@pytest.mark.parametrize("drawn", [draw(4), draw(2), draw_labels()])
def test_the_first_two_metrics_are_resampled_as_they_were_scored(drawn):
    scores, details = describe(*drawn)
    assert list(details.resamples) == list(scores.metrics)[:2]
    for name, settling in details.settling.items():
        reported = settling["draws"][0]
        for end in ("low", "high"):
            assert reported[end][-1] == scores.metrics[name][end]
        assert sum(details.resamples[name]["counts"]) == 100


def test_the_second_of_two_classes_has_a_histogram():
    y_true, logits, groups = draw(2)
    _, details = describe(y_true, logits, groups)
    assert sum(details.log_odds["positive"]) == y_true.sum()
    assert sum(details.log_odds["rest"]) == (1 - y_true).sum()


@pytest.mark.parametrize("drawn", [draw(4), draw_labels()])
def test_others_have_none(drawn):
    assert describe(*drawn)[1].log_odds is None


def test_groups_share_the_windows():
    y_true, logits, groups = draw(2)
    _, details = describe(y_true, logits, groups)
    assert [row["group"] for row in details.groups] == [*"01234567"]
    for row in details.groups:
        mine = groups == int(row["group"])
        assert row["num_windows"] == mine.sum()
        assert row["num_positive"] == y_true[mine].sum()


def test_a_group_is_scored_over_the_classes_that_it_has():
    # Group 0 has class 0 alone, and is right.
    y_true = np.array([0] * 10 + [0, 1] * 5)
    logits = np.eye(2)[np.where(np.arange(20) < 10, 0, 1)]
    _, details = describe(y_true, logits, np.arange(20) // 10)
    first, second = details.groups
    assert first["macro_f1"] == first["balanced_accuracy"] == 1
    assert second["balanced_accuracy"] == 0.5
    assert second["macro_f1"] == pytest.approx(1 / 3)


def test_many_groups_are_not_listed():
    y_true, logits, _ = draw(4)
    groups = np.arange(2000) % (MAX_GROUPS + 1)
    assert describe(y_true, logits, groups)[1].groups == []


def test_groups_of_labels_are_not_listed():
    y_true, logits, _ = draw_labels()
    assert describe(y_true, logits, np.arange(2000) % 5)[1].groups == []
