"""Bytes as HTML: a section of every report, and a page of their own."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_hypertinypw import html_page, plots
from keras_hypertinypw.device import DeviceFootprint
from keras_hypertinypw.environment import versions
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.footprint import Footprint
from keras_hypertinypw.formatting import format_count
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.savings import Savings
from keras_hypertinypw.spec import PointwiseSpec

_NUM_TENSORS = 10
_LIFETIMES = {
    "cached": "kept in the arena",
    "per_invoke": "made at every inference",
}


def write_page(
    path: pathlib.Path,
    name: str,
    sizes: Footprint,
    content: bytes,
    device: DeviceFootprint | None,
    savings: Savings | None,
    *,
    command: str,
    generator: bytes | None = None,
) -> None:
    """Writes a page about the bytes of a file.

    Args:
        path: A `.html` file.
        name: What to call the `.tflite` file.
        sizes: Its footprint.
        content: Its bytes.
        device: What is predicted for a microcontroller, if anything.
        savings: What smaller forms of the file take, if that is known.
        command: The command line, for the record.
        generator: The blob that the file refers to, if it does.
    """
    values, specs = sizes.to_dict(), read_specs(content, generator=generator)
    kernels = html_page.tile(
        "Generated kernels", str(len(specs)), "made on the device, not stored"
    )
    sections = [
        html_page.tiles(*size_tiles(values), kernels),
        bytes_section(values),
        _savings_section(savings),
        _kernels_section(values, specs),
        _device_section(device),
        _origin_section(command),
    ]
    page = html_page.page(
        f"Footprint of {name}",
        "What a network costs on a microcontroller: the bytes of its .tflite "
        "file in flash, and the working memory that TFLM needs to run it.",
        sections,
    )
    write_atomically(path, page.encode())


def size_tiles(sizes: Mapping[str, Any]) -> list[str]:
    """Returns the headline numbers of a footprint."""
    tiles = [
        html_page.tile(
            "File", f"{sizes['flash_bytes']:,} B", "in flash, as written"
        )
    ]
    if sizes["arena_bytes"] is not None:
        cached = sizes["cached_kernel_bytes"]
        note = f"of RAM, {cached:,} B of it generated kernels"
        tiles.append(
            html_page.tile("Arena", f"{sizes['arena_bytes']:,} B", note)
        )
    return tiles


def bytes_section(sizes: Mapping[str, Any]) -> str:
    """Returns where the bytes of a file are."""
    parts = plots.by_size(sizes["by_part"])
    tensors = sorted(sizes["by_tensor"].items(), key=lambda item: -item[1])
    rows = [
        (_short(name), f"{size:,} B", f"{size / sizes['flash_bytes']:.1%}")
        for name, size in tensors[:_NUM_TENSORS]
    ]
    return html_page.section(
        "Where the bytes are",
        f"Every one of the {sizes['flash_bytes']:,} bytes of the file belongs "
        "to exactly one part.",
        html_page.figure(
            "bytes",
            "Bytes by part",
            "Longest first. The generator and the codes replace kernels; "
            "“structure” is what the file format itself takes: names, tables "
            "and padding.",
            lambda axes: plots.draw_bars(axes, parts, "{:,} B"),
            height=0.5 + 0.26 * len(parts),
        ),
        html_page.table(
            f"Largest {len(rows)} of {len(tensors)} tensors",
            ("Tensor", "Bytes", "Share"),
            rows,
            note="With their scales and zero points. Names end where the "
            "converter joined another name to them.",
        ),
    )


def _savings_section(savings: Savings | None) -> str:
    if savings is None:
        return html_page.section(
            "What would save bytes",
            "Not measured: the file cannot be slimmed.",
        )
    sizes = {name: size for name, size, _ in savings.rows() if size is not None}
    rows = [
        (f"{name}\n{note}", "none" if size is None else f"{size:,} B")
        for name, size, note in savings.rows()
    ]
    bars = {"as it is": savings.file_bytes, **sizes}
    return html_page.section(
        "What would save bytes",
        "Each form of the file was built and its bytes were counted. Slimmed, "
        "it computes the same values; the other two change the network.",
        html_page.figure(
            "savings",
            "Bytes of each form",
            "The code of GeneratePW comes on top of the generated form, once "
            "for a firmware with any number of models.",
            lambda axes: plots.draw_bars(axes, bars, "{:,} B"),
            height=0.5 + 0.26 * len(bars),
        ),
        html_page.table("Forms", ("Form", "File"), rows),
    )


def _kernels_section(
    sizes: Mapping[str, Any], specs: Sequence[PointwiseSpec]
) -> str:
    if not specs:
        return html_page.section(
            "Generated kernels",
            "None: this file stores every kernel.",
        )
    rows = [
        (
            _short(spec.layer_name)
            + f"\n{' × '.join(map(str, spec.kernel_shape))}, "
            + _LIFETIMES[spec.residency],
            f"{spec.num_weights:,} B",
            f"{len(spec.codes_to_bytes()):,} B",
        )
        for spec in specs
    ]
    made = sum(spec.num_weights for spec in specs)
    parts = sizes["by_part"]
    return html_page.section(
        "Generated kernels",
        f"{format_count(len(specs), 'kernel')} of together {made:,} B are not "
        "in the file. "
        f"The device makes them from {parts['codes']:,} B of codes and one "
        f"shared generator of {parts['generator']:,} B.",
        html_page.table("What is generated", ("Kernel", "Made", "Codes"), rows),
    )


def _device_section(device: DeviceFootprint | None) -> str:
    if device is None:
        return html_page.section(
            "On the device",
            "Not predicted: the file holds operators or state that the "
            "prediction does not know.",
        )
    arena = [
        (name.capitalize(), f"{host:,} B", f"{board:,} B")
        for name, host, board in device.arena_rows()
    ]
    instructions = [
        ("First inference", f"{device.first_instructions:,}"),
        ("Every later one", f"{device.steady_instructions:,}"),
        ("Error against QEMU, up to", device.cost_error),
    ]
    return html_page.section(
        "On the device",
        "Predicted from the bytes of the file, without running it. The board "
        "is a Cortex-M4 with CMSIS-NN: narrower pointers, more scratch."
        f"{device.int4_note}",
        html_page.table("Tensor arena", ("Part", "x86-64", "Cortex-M4"), arena),
        html_page.table(
            "Instructions on a Cortex-M4",
            ("Inference", "Estimated"),
            instructions,
        ),
    )


def _short(name: str) -> str:
    """Drops the names that the converter joined to a tensor's first."""
    return name.partition(";")[0]


def _origin_section(command: str) -> str:
    return html_page.section(
        "How it was made",
        "Counted with these versions; the arena is the one that TFLM reports.",
        html_page.code("Command", command),
        html_page.table("Versions", (), versions().items(), dense=True),
    )
