"""Scores as HTML: the decisions, and how sure their numbers are."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from keras_hypertinypw import html_page, plots
from keras_hypertinypw.evaluation.beats import CLASSES

_CLASS_NAMES = ("normal", "supraventricular", "ventricular", "fusion")
METRICS = {
    "macro_f1_4_classes": (
        "macro-F1, 4 classes",
        "F1 of N, S, V and F, averaged: rare classes count as much as N",
    ),
    "macro_f1_3_classes": (
        "macro-F1, 3 classes",
        "the same, with F counted as V",
    ),
    "v_balanced_accuracy": (
        "V balanced accuracy",
        "mean of the shares of V and of all other beats that were recognized",
    ),
    "v_f1": ("V F1", "one number for the two below"),
    "v_sensitivity": ("V sensitivity", "share of V beats that were found"),
    "v_positive_predictivity": (
        "V positive predictivity",
        "share of alarms that were V",
    ),
}


def how_many(test: Mapping[str, Any]) -> str:
    """Returns what was scored."""
    return (
        f"{test['num_beats']:,} beats of {test['num_patients']} patients it "
        "had never seen"
    )


def headline(test: Mapping[str, Any]) -> list[tuple[str, Mapping[str, float]]]:
    """Returns names and values of the two most telling metrics."""
    return [
        (METRICS[name][0], test["metrics"][name])
        for name in ("macro_f1_4_classes", "v_balanced_accuracy")
    ]


def decisions_section(
    test: Mapping[str, Any], details: Mapping[str, Any]
) -> str:
    """Returns what the network decided, and the scores of that."""
    counts = np.array(test["confusion"])
    return html_page.section(
        "Decisions on the test patients",
        "Each beat is sorted into one of four classes: N, S, V or F. For "
        "alarms there is a second decision, V or not: it is V where its "
        "probability reaches the threshold t*, tuned on validation patients.",
        html_page.figure(
            "confusion",
            "Confusion matrix",
            "A row holds the beats of one true class, by what they were taken "
            "for. Right ones are on the diagonal; colours are shares of the "
            "row.",
            lambda axes: plots.draw_confusion(axes, counts, CLASSES),
        ),
        html_page.figure(
            "probability",
            "Probability of V",
            "What lies right of t* raises an alarm: orange is found, blue is "
            "a false alarm. The outermost bars hold all that lies beyond.",
            lambda axes: plots.draw_log_odds(
                axes, details["v_log_odds"], test["threshold"]
            ),
        ),
        html_page.table(
            "Scores",
            ("Metric", "Value", "95 % interval"),
            [
                (
                    "\n".join(METRICS[name]),
                    f"{value['value']:.3f}",
                    interval_text(value),
                )
                for name, value in test["metrics"].items()
            ],
        ),
        html_page.table(
            "Classes",
            ("Class", "Beats", "F1"),
            [
                (f"{name}\n{meaning}", f"{beats:,}", f"{f1:.3f}")
                for (name, f1), meaning, beats in zip(
                    test["class_f1"].items(),
                    _CLASS_NAMES,
                    counts.sum(axis=1),
                    strict=True,
                )
            ],
            note="F1 is 1 where a class is found wholly and nothing else is "
            "taken for it, and 0 where nothing is found.",
        ),
    )


def certainty_section(
    test: Mapping[str, Any], details: Mapping[str, Any]
) -> str:
    """Returns where the intervals come from, and why they are wide."""
    patients = details["patients"]
    names = {name: METRICS[name][0] for name in details["resamples"]}
    cards = [
        *interval_figures(test, details, names, "patients"),
        html_page.figure(
            "patients",
            "Each patient alone",
            "Why the intervals are wide: patients differ, and a few hard ones "
            "decide the score. Averaged over the classes that the patient "
            "has.",
            lambda axes: plots.draw_patients(axes, patients, names),
            height=0.8 + 0.19 * len(patients),
        ),
        html_page.table(
            "Patients",
            ("Patient", "Beats", "of them V", *names.values()),
            [
                (
                    patient["patient"],
                    f"{patient['num_beats']:,}",
                    f"{patient['num_v']:,}",
                    *(f"{patient[name]:.3f}" for name in names),
                )
                for patient in patients
            ],
            dense=True,
        ),
    ]
    return how_sure("patients", cards)


def interval_figures(
    test: Mapping[str, Any],
    details: Mapping[str, Any],
    names: Mapping[str, str],
    groups: str,
) -> list[str]:
    """Returns where the intervals of some metrics come from.

    Args:
        test: Scores.
        details: Distributions behind them.
        names: What to call each metric, by its name.
        groups: What is resampled, for example `"patients"`.
    """
    cards = []
    for name, short in names.items():
        histogram, metric = details["resamples"][name], test["metrics"][name]
        settling = details["settling"][name]
        cards += [
            html_page.figure(
                f"resamples-{name}",
                f"{short}: other {groups} like these",
                f"The score of {test['n_resamples']:,} groups of {groups} "
                f"drawn from the test {groups} with repetition; 95 % of them "
                "lie between the dashed lines.",
                functools.partial(
                    plots.draw_resamples, histogram=histogram, metric=metric
                ),
            ),
            html_page.figure(
                f"settling-{name}",
                f"{short}: are the resamples enough?",
                "Both ends of the interval as resamples are added, for this "
                "report and other random draws. After all of them the draws "
                f"still differ by up to {_spread(settling):.3f}.",
                functools.partial(plots.draw_settling, settling=settling),
            ),
        ]
    return cards


def how_sure(groups: str, cards_html: Iterable[str]) -> str:
    """Returns the section of figures on certainty."""
    return html_page.section(
        "How sure are these numbers?",
        "An interval answers what the score could have been with other "
        f"{groups}. It does not answer what another training would have "
        "given.",
        *cards_html,
    )


def interval_text(value: Mapping[str, float]) -> str:
    """Returns the ends of an interval as text."""
    return f"{value['low']:.3f} to {value['high']:.3f}"


def _spread(settling: Mapping[str, Any]) -> float:
    """Returns by how much the final ends differ between draws."""
    return max(
        float(np.ptp([draw[end][-1] for draw in settling["draws"]]))
        for end in ("low", "high")
    )
