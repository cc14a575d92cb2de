"""Bytes as the source of C++ arrays."""

from __future__ import annotations

from collections.abc import Iterable

_LINE_VALUES = 16


def source(header: str, *definitions: str) -> bytes:
    """Returns a source file that defines what a header declares."""
    return "\n".join([f'#include "{header}"\n', *definitions]).encode()


def byte_array(declaration: str, content: bytes) -> str:
    """Returns the definition of a constant array.

    Args:
        declaration: Name and size, like `kModelData[kModelSize]`.
        content: Its bytes. They are aligned, since kernels load them so.
    """
    return (
        f"alignas(16) const unsigned char {declaration} = {{\n"
        f"{values(content)}}};\n"
    )


def values(numbers: Iterable[int]) -> str:
    """Returns lines of integers, a comma behind each."""
    texts = [str(number) for number in numbers]
    starts = range(0, len(texts), _LINE_VALUES)
    return "".join(
        f"  {', '.join(texts[i : i + _LINE_VALUES])},\n" for i in starts
    )
