"""The first two lines of a table in Markdown."""

from __future__ import annotations


def head(header: str) -> list[str]:
    """Returns a header, `"| A | B |"`, and the rule below it."""
    return [header, "|" + " --- |" * (header.count("|") - 1)]
