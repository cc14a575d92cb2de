"""Plots of a result: each function draws one on given axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import ticker

# Colours that stay apart for the colour-blind; `svg.py` maps them to the
# page's own, light or dark.
INK, MUTED, GRID = "#24292f", "#6b7480", "#d5dae0"
BLUE, ORANGE = "#2f6fb0", "#c9610a"
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "font.size": 9.0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    # A dollar sign in a name is a dollar sign.
    "text.parse_math": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}
_MAX_NAME = 26
# Of more classes, a confusion matrix has no room for counts.
MAX_COUNTED_CLASSES = 12
_SHARES = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
_RESAMPLE_TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10000)


def draw_history(
    axes: Any, history: Mapping[str, list[dict]], key: str, label: str
) -> None:
    """Draws one value of every epoch, one line for each training phase.

    Args:
        axes: Matplotlib axes.
        history: Records of the epochs, by phase.
        key: Which value of a record.
        label: Of the vertical axis.
    """
    start = 1
    for (phase, records), color in zip(
        history.items(), (BLUE, ORANGE), strict=True
    ):
        epochs = range(start, start + len(records))
        start += len(records)
        values = [record[key] for record in records]
        axes.plot(epochs, values, "o-", ms=3.5, color=color, label=phase)
    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    _legend_above(axes)


def draw_confusion(
    axes: Any, counts: np.ndarray, classes: Sequence[str]
) -> None:
    """Draws counts `[true][predicted]`, each row coloured by its shares.

    Args:
        axes: Matplotlib axes.
        counts: Array of shape `(num_classes, num_classes)`.
        classes: Their names. Above `MAX_COUNTED_CLASSES` the counts are left
            out, and numbers from 1 stand for the names.
    """
    few = len(classes) <= MAX_COUNTED_CLASSES
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        if not few and not count:
            continue
        # Vectors instead of `imshow`, which would embed a bitmap.
        axes.fill_between(
            [column - 0.48, column + 0.48],
            row - 0.48,
            row + 0.48,
            color=BLUE,
            alpha=0.06 + 0.94 * share,
            linewidth=0,
        )
        if few:
            color = "white" if share > 0.75 else INK
            text = f"{count:,}"
            axes.text(column, row, text, ha="center", va="center", color=color)
    step = 1 if few else 5
    ticks = range(step - 1, len(classes), step)
    labels = [classes[i] if few else f"{i + 1}" for i in ticks]
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set(xlim=(-0.5, len(classes) - 0.5), ylim=(len(classes) - 0.5, -0.5))
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def draw_log_odds(
    axes: Any,
    histogram: Mapping[str, list],
    threshold: float,
    *,
    key: str = "v",
    name: str = "V",
    windows: str = "beats",
) -> None:
    """Draws how probable a class was where it is true and elsewhere, and t*.

    Args:
        axes: Matplotlib axes.
        histogram: `{"edges", key, "rest"}`, counts by log-odds.
        threshold: t*, a probability.
        key: Of the counts where the class is true.
        name: Of the class.
        windows: What is counted.
    """
    edges = np.array(histogram["edges"])
    for counted, color, label in (
        ("rest", BLUE, f"other {windows}"),
        (key, ORANGE, f"true {name}"),
    ):
        counts = histogram[counted]
        axes.stairs(counts, edges, fill=True, alpha=0.25, color=color)
        axes.stairs(counts, edges, baseline=None, color=color, label=label)
    inside = min(max(threshold, 1e-9), 1 - 1e-9)
    position = float(np.clip(_log_odds(inside), edges[0], edges[-1]))
    axes.axvline(position, color=INK, linestyle="--", linewidth=1)
    side = "left" if position < 0 else "right"
    axes.annotate(
        f"t* = {threshold:.3g}",
        (position, 0.99),
        xycoords=("data", "axes fraction"),
        xytext=(4 if side == "left" else -4, 0),
        textcoords="offset points",
        ha=side,
        va="top",
    )
    highest = max(*histogram[key], *histogram["rest"], 1)
    # Room for the label of t* above the bars.
    axes.set(yscale="log", ylim=(0.5, highest * 8), xlim=edges[[0, -1]])
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(_thousands))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xticks([_log_odds(s) for s in _SHARES], [f"{s}" for s in _SHARES])
    axes.set(xlabel=f"probability of {name}", ylabel=f"{windows}, logarithmic")
    _legend_above(axes)


def draw_resamples(
    axes: Any, histogram: Mapping[str, list], metric: Mapping[str, float]
) -> None:
    """Draws the bootstrap's values, the value itself and its interval."""
    axes.stairs(
        histogram["counts"],
        histogram["edges"],
        fill=True,
        color=BLUE,
        alpha=0.45,
    )
    axes.axvspan(metric["low"], metric["high"], color=BLUE, alpha=0.1, lw=0)
    axes.axvline(metric["value"], color=INK, linewidth=1.2)
    for end, shift, align in (("low", -3, "right"), ("high", 3, "left")):
        axes.axvline(metric[end], color=BLUE, linestyle="--", linewidth=1)
        _mark(axes, metric[end], 0.98, (shift, 0), ha=align, va="top")
    _mark(axes, metric["value"], 1.0, (0, 3), ha="center", va="bottom")
    axes.set_ylim(0, max(histogram["counts"]) * 1.15)
    axes.set(xlabel="value in a resample", yticks=[])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.12)


def draw_settling(axes: Any, settling: Mapping[str, Any]) -> None:
    """Draws the ends of the interval while resamples are added."""
    counts = settling["n_resamples"]
    reported, *others = settling["draws"]
    styles = [(draw, MUTED, 0.8, "other draws") for draw in others]
    styles.append((reported, BLUE, 1.8, "this report"))
    seen = set()
    for draw, color, width, label in styles:
        for end in ("low", "high"):
            name = None if label in seen else label
            axes.plot(counts, draw[end], color=color, lw=width, label=name)
            seen.add(label)
    axes.set(xscale="log", xlabel="resamples", ylabel="ends of the interval")
    ticks = [n for n in _RESAMPLE_TICKS if counts[0] <= n <= counts[-1]]
    axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    _legend_above(axes)


def by_size(parts: Mapping[str, int]) -> dict[str, int]:
    """Returns the parts that have bytes, the largest first, for `draw_bars`."""
    ranked = sorted(parts.items(), key=lambda item: -item[1])
    return {name.replace("_", " "): size for name, size in ranked if size}


def draw_patients(
    axes: Any,
    patients: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    *,
    group: str = "patient",
    key: str = "patient",
) -> None:
    """Draws metrics of each patient alone, best on top.

    Args:
        axes: Matplotlib axes.
        patients: As in `BeatDetails`, or other groups, as in `ClassDetails`.
        names: What the legend calls the two metrics, by their name.
        group: What a group is.
        key: Of its name in `patients`.
    """
    first = next(iter(names))
    ranked = sorted(patients, key=lambda patient: patient[first])
    rows = range(len(ranked))
    for (name, label), color, marker in zip(
        names.items(), (BLUE, ORANGE), "os", strict=True
    ):
        values = [patient[name] for patient in ranked]
        axes.plot(values, rows, marker, ms=4.5, color=color, label=label)
    axes.set_yticks(rows, [_end_of(patient[key]) for patient in ranked])
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.7, len(ranked) - 0.3))
    axes.set(xlabel=f"score of the {group} alone", ylabel=group)
    _legend_above(axes)


def draw_bars(axes: Any, values: Mapping[str, float], form: str) -> None:
    """Draws labelled horizontal bars, from top to bottom.

    Args:
        axes: Matplotlib axes.
        values: Length of each bar by its name.
        form: Format of a label, as `"{:,} B"`.
    """
    # What is infinite has a label, but no bar.
    lengths = [v if math.isfinite(v) else 0 for v in values.values()]
    rows = range(len(lengths))
    bars = axes.barh(rows, lengths, color=BLUE, height=0.7)
    axes.set_yticks(rows, [_end_of(name) for name in values])
    axes.bar_label(bars, [form.format(v) for v in values.values()], padding=3)
    axes.invert_yaxis()
    # Room for the labels, which make ticks unnecessary.
    axes.set(xlim=(0, max(lengths, default=0) * 1.45 or 1), xticks=[])
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.grid(False)


def _mark(
    axes: Any, value: float, height: float, shift: tuple, **align: str
) -> None:
    """Writes a value at its place on the horizontal axis."""
    axes.annotate(
        f"{value:.3f}",
        (value, height),
        xycoords=("data", "axes fraction"),
        xytext=shift,
        textcoords="offset points",
        **align,
    )


def _legend_above(axes: Any) -> None:
    # From the right end, it has the width of the labels on the left too.
    axes.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2
    )


def _end_of(name: str) -> str:
    """Shortens a name to what leaves room for a plot."""
    if len(name) <= _MAX_NAME:
        return name
    return "…" + name[1 - _MAX_NAME :]


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _thousands(value: float, _position: int) -> str:
    return f"{value:,.0f}"
