"""Pieces of a self-contained HTML page.

Arguments are plain text, which is escaped here, and nowhere else; only
`*_html` arguments hold what these functions returned.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from keras_hypertinypw.html_style import CSS
from keras_hypertinypw.svg import inline_svg

# The browser itself sees to it that the page fetches and runs nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(title: str, lead: str, sections_html: Iterable[str]) -> str:
    """Returns a whole page.

    Args:
        title: Of the page, and its first heading.
        lead: One or two sentences below it.
        sections_html: Results of `section`.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{html.escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
<header>
<h1>{html.escape(title)}</h1>
<p class="lead">{html.escape(lead)}</p>
</header>
<main>
{"".join(sections_html)}</main>
</body>
</html>
"""


def section(heading: str, text: str, *cards_html: str) -> str:
    """Returns a heading, a sentence, and cards in one column or two."""
    cards = ""
    if cards_html:
        cards = f'<div class="grid">\n{"".join(cards_html)}</div>\n'
    return (
        f"<section>\n<h2>{html.escape(heading)}</h2>\n"
        f'<p class="lead">{html.escape(text)}</p>\n{cards}</section>\n'
    )


def figure(
    name: str,
    heading: str,
    caption: str,
    draw: Callable[[Any], None],
    *,
    height: float = 2.9,
) -> str:
    """Returns a card with a plot.

    Args:
        name: Id of the figure; unique in a page.
        heading: What is to be seen.
        caption: How to read it, for somebody new to it.
        draw: Draws on the axes that it gets.
        height: In inches, at a width of 4.4.
    """
    svg = inline_svg(draw, name=name, label=heading, height=height)
    return (
        f'<figure class="card" id="{name}">\n<h3>{html.escape(heading)}</h3>\n'
        f"{svg}<figcaption>{html.escape(caption)}</figcaption>\n</figure>\n"
    )


def tile(name: str, value: str, note: str, verdict: str = "") -> str:
    """Returns one headline number; `verdict` may be "good" or "bad"."""
    return (
        f'<dl class="card {verdict}"><dt>{html.escape(name)}</dt>'
        f"<dd><strong>{html.escape(value)}</strong>{html.escape(note)}</dd>"
        "</dl>\n"
    )


def tiles(*tiles_html: str) -> str:
    """Returns headline numbers side by side."""
    return f'<div class="tiles">\n{"".join(tiles_html)}</div>\n'


def table(
    heading: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    note: str = "",
    dense: bool = False,
) -> str:
    """Returns a card with a table.

    Args:
        heading: What is in it.
        columns: Their headings; all but the first are aligned as numbers.
            Empty for a table of names and values.
        rows: Cells of each row. What follows a line break in the first one
            is an explanation.
        note: A sentence below the table.
        dense: Whether the rows are many and short.
    """
    numeric = "number" if columns else ""
    head = ""
    if columns:
        cells = "".join(
            f'<th scope="col" class="{numeric if i else ""}">'
            f"{html.escape(column)}</th>"
            for i, column in enumerate(columns)
        )
        head = f"<thead><tr>{cells}</tr></thead>\n"
    body = "".join(f"<tr>{_cells(row, numeric)}</tr>\n" for row in rows)
    caption = f"<small>{html.escape(note)}</small>\n" if note else ""
    return (
        f'<div class="card">\n<h3>{html.escape(heading)}</h3>\n'
        f'<table class="{"dense" if dense else ""}">\n{head}<tbody>\n{body}'
        f"</tbody>\n</table>\n{caption}</div>\n"
    )


def code(heading: str, text: str) -> str:
    """Returns a wide card with a command, broken only between words."""
    words = (f"<span>{html.escape(word)}</span>" for word in text.split(" "))
    return (
        f'<div class="card wide">\n<h3>{html.escape(heading)}</h3>\n'
        f"<code>{' '.join(words)}</code>\n</div>\n"
    )


def _cells(row: Sequence[str], numeric: str) -> str:
    first, *others = row
    name, _, explanation = first.partition("\n")
    if explanation:
        explanation = f"<small>{html.escape(explanation)}</small>"
    head = f'<th scope="row">{html.escape(name)}{explanation}</th>'
    return head + "".join(
        f'<td class="{numeric}">{html.escape(cell)}</td>' for cell in others
    )
