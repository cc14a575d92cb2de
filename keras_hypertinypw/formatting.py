"""The one place where numbers become text."""

from __future__ import annotations


def format_bytes(num_bytes: int) -> str:
    """Formats a byte count; 1 KiB is 1,024 B."""
    if abs(num_bytes) < 1024:
        return f"{num_bytes} B"
    return f"{num_bytes / 1024:.1f} KiB"


def format_count(number: int, one: str, several: str | None = None) -> str:
    """Returns "1 kernel", "2 kernels", "0 kernels".

    Args:
        number: How many.
        one: What one is called.
        several: What others are called; with an "s" if left out.
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"
