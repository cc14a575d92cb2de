"""Progress of steps that cannot count."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tqdm import tqdm


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """Shows on stderr that a step has begun, and when it is done."""
    with tqdm(total=1, desc=name, bar_format="{desc}: {n}/{total}") as bar:
        yield
        bar.update()
