"""Scores of classes as HTML: the decisions, and how sure they are.

What `html_scores` is for beats, for any other classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Any

import numpy as np

from keras_hypertinypw import html_page, html_scores, plots

METRICS = {
    "accuracy": ("accuracy", "share of right decisions"),
    "macro_f1": (
        "macro-F1",
        "F1 averaged over classes: rare ones count as much as frequent ones",
    ),
    "macro_auc": (
        "macro-AUC",
        "how often a true label has the higher score, averaged over labels",
    ),
    "balanced_accuracy": (
        "balanced accuracy",
        "mean of the two below, at the threshold t*",
    ),
    "sensitivity": ("sensitivity", "share of the second class that was found"),
    "specificity": (
        "specificity",
        "share of the first class that was left alone",
    ),
}
_NUM_MISTAKES = 12


def how_many(test: Mapping[str, Any]) -> str:
    """Returns what was scored."""
    return (
        f"{test['num_windows']:,} {test['window']}s of "
        f"{test['num_groups']:,} {test['group']}s, the test split"
    )


def headline(test: Mapping[str, Any]) -> list[tuple[str, Mapping[str, float]]]:
    """Returns names and values of the two most telling metrics."""
    return [
        (METRICS[name][0], value)
        for name, value in list(test["metrics"].items())[:2]
    ]


def decisions_section(
    test: Mapping[str, Any], details: Mapping[str, Any]
) -> str:
    """Returns what the network decided, and the scores of that."""
    window, group = test["window"], test["group"]
    cards = [_decisions_figure(test)]
    if details["log_odds"]:
        ((name, threshold),) = test["thresholds"].items()
        cards.append(
            html_page.figure(
                "probability",
                f"Probability of {name}",
                "What lies right of t* is decided positive: orange is found, "
                "blue is a false alarm. The outermost bars hold all that lies "
                "beyond.",
                lambda axes: plots.draw_log_odds(
                    axes,
                    details["log_odds"],
                    threshold,
                    key="positive",
                    name=name,
                    windows=f"{window}s",
                ),
            )
        )
    cards += [
        html_page.table(
            "Scores",
            ("Metric", "Value", "95 % interval"),
            [
                (
                    "\n".join(METRICS[name]),
                    f"{value['value']:.3f}",
                    html_scores.interval_text(value),
                )
                for name, value in test["metrics"].items()
            ],
        ),
        _classes_table(test),
    ]
    if _are_many(test["class_f1"]):
        cards.insert(1, _mistakes_table(test))
    return html_page.section(
        f"Decisions on the test {group}s", _decided_how(test), *cards
    )


def _decided_how(test: Mapping[str, Any]) -> str:
    window, names = test["window"], list(test["class_f1"])
    if _has_labels(test):
        return (
            f"Each {window} may have several of {len(names)} labels, or none. "
            "A label is decided where its probability reaches its threshold "
            "t*, tuned on validation."
        )
    text = f"Each {window} is sorted into one of {len(names)} classes."
    if test["thresholds"]:
        text += (
            f" There is a second decision, {names[1]} or not: it is "
            f"{names[1]} where its probability reaches the threshold t*, "
            "tuned on validation."
        )
    return text


def _decisions_figure(test: Mapping[str, Any]) -> str:
    counts, names = np.array(test["confusion"]), list(test["class_f1"])
    if _has_labels(test):
        values = {name: f1["value"] for name, f1 in test["class_f1"].items()}
        return html_page.figure(
            "labels",
            "F1 by label",
            "1 where a label is found wholly and never in vain.",
            lambda axes: plots.draw_bars(axes, values, "{:.3f}"),
            height=0.5 + 0.4 * len(names),
        )
    many = _are_many(names)
    return html_page.figure(
        "confusion",
        "Confusion matrix",
        f"A row holds the {test['window']}s of one true class, by what they "
        "were taken for. Right ones are on the diagonal; colours are shares "
        "of the row."
        + (" Numbers are those of the table of classes." if many else ""),
        lambda axes: plots.draw_confusion(axes, counts, names),
        height=4.4 if many else 2.9,
    )


def _mistakes_table(test: Mapping[str, Any]) -> str:
    counts, names = np.array(test["confusion"]), list(test["class_f1"])
    np.fill_diagonal(counts, 0)
    worst = np.argsort(-counts, axis=None, kind="stable")[:_NUM_MISTAKES]
    return html_page.table(
        "Most frequent mistakes",
        ("True class", "Taken for", f"{_title(test['window'])}s"),
        [
            (names[true], names[taken], f"{counts[true, taken]:,}")
            for true, taken in zip(
                *np.unravel_index(worst, counts.shape), strict=True
            )
            if counts[true, taken]
        ],
        dense=True,
    )


def _classes_table(test: Mapping[str, Any]) -> str:
    counts = np.array(test["confusion"])
    if _has_labels(test):
        totals = counts[:, 1].sum(axis=-1)
    else:
        totals = counts.sum(axis=1)
    thresholds = test["thresholds"]
    many = _are_many(totals)
    return html_page.table(
        "Classes",
        (
            "Class",
            f"{_title(test['window'])}s",
            "F1",
            "95 % interval",
            *(["t*"] if thresholds else []),
        ),
        [
            (
                f"{number}. {name}" if many else name,
                f"{total:,}",
                f"{f1['value']:.3f}",
                html_scores.interval_text(f1),
                *([_optional(thresholds.get(name))] if thresholds else []),
            )
            for number, ((name, f1), total) in enumerate(
                zip(test["class_f1"].items(), totals, strict=True), 1
            )
        ],
        note="F1 is 1 where a class is found wholly and nothing else is "
        "taken for it, and 0 where nothing is found.",
        dense=many,
    )


def certainty_section(
    test: Mapping[str, Any], details: Mapping[str, Any]
) -> str:
    """Returns where the intervals come from, and why they are wide."""
    group, window = test["group"], test["window"]
    names = {name: METRICS[name][0] for name in details["resamples"]}
    cards = html_scores.interval_figures(test, details, names, f"{group}s")
    groups = details["groups"]
    if groups:
        counted = "num_positive" in groups[0]
        positive = list(test["class_f1"])[-1]
        cards += [
            html_page.figure(
                "groups",
                f"Each {group} alone",
                f"Why the intervals are wide: {group}s differ, and a few hard "
                "ones decide the score. F1 and balanced accuracy are averaged "
                f"over the classes that the {group} has.",
                lambda axes: plots.draw_patients(
                    axes, groups, names, group=group, key="group"
                ),
                height=0.8 + 0.19 * max(len(groups), 8),
            ),
            html_page.table(
                f"{_title(group)}s",
                (
                    _title(group),
                    f"{_title(window)}s",
                    *([f"of them {positive}"] if counted else []),
                    *names.values(),
                ),
                [
                    (
                        row["group"],
                        f"{row['num_windows']:,}",
                        *([f"{row['num_positive']:,}"] if counted else []),
                        *(f"{row[name]:.3f}" for name in names),
                    )
                    for row in groups
                ],
                dense=True,
            ),
        ]
    return html_scores.how_sure(f"{group}s", cards)


def _has_labels(test: Mapping[str, Any]) -> bool:
    return np.ndim(test["confusion"]) == 3


def _are_many(classes: Sized) -> bool:
    return len(classes) > plots.MAX_COUNTED_CLASSES


def _title(word: str) -> str:
    """Returns a word with a capital letter, and "ECG" as it is."""
    return word[:1].upper() + word[1:]


def _optional(threshold: float | None) -> str:
    return "" if threshold is None else f"{threshold:.3f}"
