"""Chooses between networks of equal bytes, on validation data alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_hypertinypw.evaluation import metrics
from keras_hypertinypw.evaluation.bootstrap import bootstrap_runs_difference


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """A network, trained once or more, and what it says of validation windows.

    Attributes:
        name: As a sentence has it: "the stored int4 network of 56 channels".
        generates: Whether the firmware needs GeneratePW.
        runs: Decisions of each training, int arrays of shape
            `(num_windows,)`.
    """

    name: str
    generates: bool
    runs: Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class Choice:
    """What to use, and why.

    Attributes:
        index: Of the candidate.
        reason: One or two sentences.
    """

    index: int
    reason: str


def choose(
    candidates: Sequence[Candidate],
    y: np.ndarray,
    groups: np.ndarray,
    *,
    num_classes: int,
    rng: np.random.Generator,
) -> Choice:
    """Returns the candidate of the best macro-F1, or the simpler of equals.

    Of several trainings the mean counts. A generated network has to be better
    than the best stored one by more than chance: the 95 % interval of the
    difference, of paired resamples of groups, and of trainings where there
    are several, has to lie above 0. A stored one needs no GeneratePW, and no
    arena for kernels.

    Args:
        candidates: At least one, all scored on the same windows.
        y: True classes, shape `(num_windows,)`.
        groups: Patients or speakers, shape `(num_windows,)`.
        num_classes: Of `y`.
        rng: Draws the resamples.

    Raises:
        ValueError: If there is no candidate, or shapes differ.
    """
    if not candidates:
        raise ValueError("Expected at least one candidate. Received: none.")
    metric = metrics.macro_f1.over(num_classes)
    scores = [
        float(np.mean([metric(y, run) for run in candidate.runs]))
        for candidate in candidates
    ]
    best = int(np.argmax(scores))
    chosen = candidates[best]
    found = _found(chosen, scores[best])
    rivals = [
        index
        for index, candidate in enumerate(candidates)
        if candidate.generates != chosen.generates
    ]
    if not rivals:
        return Choice(best, f"Use {chosen.name}: {found}.")
    rival = max(rivals, key=lambda index: scores[index])
    interval = bootstrap_runs_difference(
        metric,
        y,
        chosen.runs,
        candidates[rival].runs,
        groups=groups,
        rng=rng,
    )
    difference = (
        f"{100 * (scores[best] - scores[rival]):.1f} points "
        f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}] above "
        f"{candidates[rival].name}"
    )
    if chosen.generates and interval.low <= 0:
        return Choice(
            rival,
            f"Use {candidates[rival].name}: "
            f"{_found(candidates[rival], scores[rival])}. "
            f"{chosen.name[0].upper()}{chosen.name[1:]} is "
            f"{difference}, which may be chance; the stored network needs no "
            "GeneratePW, and no arena for kernels.",
        )
    return Choice(best, f"Use {chosen.name}: {found}, {difference}.")


def _found(candidate: Candidate, score: float) -> str:
    text = f"macro-F1 {score:.3f} on validation"
    if len(candidate.runs) == 1:
        return text
    return f"{text}, the mean of {len(candidate.runs)} seeds"
