"""The one place where numbers of bytes become text."""

from __future__ import annotations


def format_bytes(num_bytes: int) -> str:
    """Formats a byte count; 1 KiB is 1,024 B."""
    if abs(num_bytes) < 1024:
        return f"{num_bytes} B"
    return f"{num_bytes / 1024:.1f} KiB"
