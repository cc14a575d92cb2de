"""Draws what `frontier.py` measured, and fills the tables of the documents.

    python benchmarks/frontier_report.py

Writes `results/frontier.png`, and the tables in the README and in
`benchmarks/frontier.md`.
"""

from __future__ import annotations

from typing import Any

import frontier_tables
import matplotlib

matplotlib.use("Agg")
from frontier_rows import FAMILIES, FOLDER, TITLES, Row, read_rows, summarize
from matplotlib import colors
from matplotlib import lines as lines_2d
from matplotlib import pyplot as plt

PLOT = FOLDER / "frontier.png"
_COLUMNS = 2
_KIB_RANGE = (3, 128)
_COLORS = dict(zip(FAMILIES, colors.TABLEAU_COLORS, strict=False))


def draw(rows: list[Row]) -> None:
    """Writes the plot: macro-F1 against bytes of file and op."""
    drawn = {row["task"] for row in rows if row["budget_kb"] is not None}
    tasks = [task for task in TITLES if task in drawn]
    lines = -(-len(tasks) // _COLUMNS)
    figure, panels = plt.subplots(
        lines,
        _COLUMNS,
        figsize=(5.6 * _COLUMNS, 3.6 * lines),
        squeeze=False,
        layout="constrained",
    )
    for panel in panels.flat[len(tasks) :]:
        panel.set_axis_off()
    for panel, task in zip(panels.flat, tasks, strict=False):
        _draw_task(panel, [row for row in rows if row["task"] == task])
        panel.set_title(TITLES[task], fontsize=10)
    present = [f for f in FAMILIES if any(row["family"] == f for row in rows)]
    handles = [
        lines_2d.Line2D([], [], color=_COLORS[f], marker="o", label=f)
        for f in present
    ]
    handles.append(
        lines_2d.Line2D(
            [],
            [],
            color="grey",
            marker="s",
            fillstyle="none",
            linestyle="",
            label="given network, whatever the bytes",
        )
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.savefig(PLOT, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _draw_task(panel: Any, rows: list[Row]) -> None:
    for row in rows:
        given = row["budget_kb"] is None
        panel.errorbar(
            _kib(row),
            row["macro_f1"],
            [
                [row["macro_f1"] - row["ci_low"]],
                [row["ci_high"] - row["macro_f1"]],
            ],
            color=_COLORS[row["family"]],
            marker="s" if given else "o",
            fillstyle="none" if given else "full",
            elinewidth=0.7,
            capsize=2,
        )
    for family, color in _COLORS.items():
        fitted = sorted(
            (_kib(row), row["macro_f1"])
            for row in rows
            if row["family"] == family and row["budget_kb"] is not None
        )
        sizes, values = zip(*fitted, strict=True) if fitted else ((), ())
        panel.plot(sizes, values, color=color, linewidth=1.2)
    panel.set_xscale("log", base=2)
    panel.set_xlim(*_KIB_RANGE)
    panel.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    panel.set_xlabel("file and op, kB of 1,024 bytes")
    panel.set_ylabel("macro-F1, test set")
    panel.grid(alpha=0.3)


def _kib(row: Row) -> float:
    return (row["file_bytes"] + row["op_code_bytes"]) / 1024


def main() -> None:
    """Writes the plot and the tables."""
    draw(summarize(read_rows()))
    frontier_tables.fill()


if __name__ == "__main__":
    main()
