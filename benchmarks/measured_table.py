"""The command line of a benchmark that keeps what it measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable


def main(
    description: str, run: Callable[[], None], table: Callable[[], str]
) -> None:
    """Measures, unless `--table_only` is given, and prints.

    Args:
        description: Of the benchmark; the first line is shown.
        run: Measures, and writes.
        table: Returns the table of what was written.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument(
        "--table_only",
        action="store_true",
        help="print what an earlier run wrote",
    )
    if not parser.parse_args().table_only:
        run()
    sys.stdout.write(table() + "\n")
