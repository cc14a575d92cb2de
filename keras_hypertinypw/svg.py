"""Figures as SVG elements that can stand in one HTML page."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from keras_hypertinypw import plots

# Colours of the plots, as the page's stylesheet names them.
_VARIABLES = {
    plots.INK: "var(--ink)",
    plots.MUTED: "var(--muted)",
    plots.GRID: "var(--grid)",
    plots.BLUE: "var(--blue)",
    plots.ORANGE: "var(--orange)",
}
_OPTIONS = {
    **plots.STYLE,
    "svg.fonttype": "none",  # Text stays text: it can be read and searched.
    "svg.hashsalt": "keras_hypertinypw",  # The same bytes every time.
}
# Each says when or with what the file was made, or is an outside address.
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
# In inches: fonts of 9 points stay legible on 400 pixels, and moderate on 1280.
_WIDTH = 4.4


def inline_svg(
    draw: Callable[[Any], None], *, name: str, label: str, height: float = 2.9
) -> str:
    """Draws a figure as an `<svg>` element.

    Args:
        draw: Draws on the axes that it gets.
        name: Prefix of the element's ids; unique in a page.
        label: What the figure shows, for those who cannot see it.
        height: In inches, at a width of 4.4.

    Returns:
        The element: it scales with its container, refers to nothing outside,
        and has no ids but those that start with `name`.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(_OPTIONS):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        draw(figure.subplots())
        figure.savefig(
            buffer, format="svg", transparent=True, metadata=_NO_METADATA
        )
    text = buffer.getvalue()
    (box,) = re.findall(r'viewBox="[^"]+"', text)
    body = text[text.index(">", text.index("<svg")) + 1 :]
    # It would style the whole page.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    body = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", body)
    for color, variable in _VARIABLES.items():
        body = body.replace(color, variable)
    return f'<svg {box} role="img" aria-label="{html.escape(label)}">{body}'
