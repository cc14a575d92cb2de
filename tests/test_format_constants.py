"""The byte table, spec.py and generate_pw_format.h say the same."""

import re

import pytest
from cpp_build import TFLM_OPS

from keras_hypertinypw import bias_narrowing, spec

README = (TFLM_OPS / "README.md").read_text()
HEADER = (TFLM_OPS / "generate_pw_format.h").read_text()
WIDEN_BIAS_PAGE = (TFLM_OPS / "widen_bias.md").read_text()
WIDEN_BIAS_HEADER = (TFLM_OPS / "widen_bias.h").read_text()

INTEGERS = (
    "FORMAT_VERSION",
    "KIND_MLP",
    "KIND_REFERENCE",
    "OPTIONS_SIZE",
    "HEADER_SIZE",
    "DESCRIPTOR_SIZE",
    "CRC_OFFSET",
    "REFERENCE_SIZE",
    "REFERENCE_CRC_OFFSET",
    "FLAG_ROW_SIGNS",
    "FLAG_SKIP",
    "MAX_LAYERS",
    "MAX_CODE_DIM",
    "MAX_HIDDEN_UNITS",
    "MAX_BLOCK_SIZE",
    "MAX_SHIFT",
    "MAX_BIAS_SHIFT",
    "MAX_SKIP_SHIFT",
    "MAX_KERNEL_DIMS",
)


def cpp_integer(name: str, header: str = HEADER) -> int:
    cpp_name = "k" + name.title().replace("_", "")
    match = re.search(rf"constexpr int {cpp_name} = (\d+);", header)
    assert match, f"{cpp_name} is not in the header"
    return int(match[1])


def tables(page: str = README) -> dict[str, list[tuple[int, int, str, str]]]:
    """Returns a page's tables of (offset, size, field, values)."""
    found: dict[str, list[tuple[int, int, str, str]]] = {}
    title = ""
    for line in page.splitlines():
        if line.startswith("## ") or re.match(r"(Header|Then `num_lay)", line):
            title = line
        row = re.match(r"\| (\d+) \| (\d+) \| `(\w+)` \| (.*) \|", line)
        if row:
            entry = (int(row[1]), int(row[2]), row[3], row[4])
            found.setdefault(title, []).append(entry)
    return found


OPTIONS, BLOB, DESCRIPTOR, REFERENCE = tables().values()


def values_of(table: list[tuple[int, int, str, str]], field: str) -> list[int]:
    text = next(values for _, _, name, values in table if name == field)
    return [int(number) for number in re.findall(r"\d+", text)]


@pytest.mark.parametrize("name", INTEGERS)
def test_header_has_the_constant_of_spec(name):
    assert cpp_integer(name) == getattr(spec, name)


def test_every_constant_of_spec_is_compared():
    names = {
        name
        for name, value in vars(spec).items()
        if name.isupper() and isinstance(value, int)
    }
    assert names - {"ACCUMULATOR_LIMIT"} == set(INTEGERS)


def test_header_has_the_code_bits_of_spec():
    match = re.search(r"kCodeBits\[\] = \{([\d, ]+)\}", HEADER)
    assert tuple(map(int, match[1].split(","))) == spec.CODE_BITS


def test_header_numbers_residency_and_synthesis_like_spec():
    for name, values in (
        ("Residency", spec.RESIDENCIES),
        ("Synthesis", spec.SYNTHESES),
    ):
        match = re.search(rf"enum class {name} : uint8_t {{(.*?)}}", HEADER)
        for index, value in enumerate(values):
            cpp_name = "k" + value.title().replace("_", "")
            assert f"{cpp_name} = {index}" in match[1]


def test_spec_packs_at_the_offsets_of_the_readme():
    for table, size in (
        (OPTIONS, spec.OPTIONS_SIZE),
        (BLOB, spec.HEADER_SIZE),
        (DESCRIPTOR, spec.DESCRIPTOR_SIZE),
        (REFERENCE, spec.REFERENCE_SIZE),
    ):
        offset = 0
        for row_offset, row_size, _, _ in table:
            assert row_offset == offset
            offset += row_size
        assert offset == size
    formats = {1: "B", 2: "H", 4: "I"}
    for table, packer in (
        (BLOB, spec.HEADER),
        (DESCRIPTOR, spec.DESCRIPTOR),
        (REFERENCE, spec.REFERENCE),
    ):
        fields = "".join(formats[size] for _, size, _, _ in table)
        assert packer.format == "<" + fields


def test_readme_has_the_values_of_spec():
    assert values_of(OPTIONS, "version") == [spec.FORMAT_VERSION]
    assert values_of(OPTIONS, "code_bits") == list(spec.CODE_BITS)
    assert values_of(BLOB, "version") == [spec.FORMAT_VERSION]
    assert values_of(BLOB, "kind") == [spec.KIND_MLP]
    assert values_of(REFERENCE, "version") == [spec.FORMAT_VERSION]
    assert values_of(REFERENCE, "kind") == [spec.KIND_REFERENCE]
    assert values_of(REFERENCE, "reserved") == [0]
    assert values_of(BLOB, "num_layers")[:2] == [1, spec.MAX_LAYERS]
    assert values_of(BLOB, "code_dim") == [1, spec.MAX_CODE_DIM]
    assert values_of(BLOB, "block_size") == [1, spec.MAX_BLOCK_SIZE]
    assert values_of(BLOB, "skip_shift")[:2] == [0, spec.MAX_SKIP_SHIFT]
    assert values_of(DESCRIPTOR, "num_out") == [1, spec.MAX_HIDDEN_UNITS]
    assert values_of(DESCRIPTOR, "shift") == [1, spec.MAX_SHIFT]
    assert values_of(DESCRIPTOR, "bias_shift") == [0, spec.MAX_BIAS_SHIFT]


def test_readme_numbers_residency_and_synthesis_like_spec():
    for field, values in (
        ("residency", spec.RESIDENCIES),
        ("synthesis", spec.SYNTHESES),
    ):
        text = next(row[3] for row in OPTIONS if row[2] == field)
        named = re.findall(r"(\d) (\w+)", text)
        assert named == [(str(i), value) for i, value in enumerate(values)]


def test_readme_places_the_crc_where_spec_does():
    for table, offset in (
        (BLOB, spec.CRC_OFFSET),
        (REFERENCE, spec.REFERENCE_CRC_OFFSET),
    ):
        offsets = {name: offset for offset, _, name, _ in table}
        assert offsets["crc32"] == offset


def test_widen_bias_has_the_same_numbers_everywhere():
    (table,) = tables(WIDEN_BIAS_PAGE).values()
    (*_, version), (offset, *_, counts), (header_size, *_, shifts) = table
    python = bias_narrowing
    assert int(version) == python.FORMAT_VERSION
    assert cpp_integer("WIDEN_BIAS_VERSION", WIDEN_BIAS_HEADER) == int(version)
    assert offset == 1
    size = cpp_integer("WIDEN_BIAS_HEADER_SIZE", WIDEN_BIAS_HEADER)
    assert size == header_size == python.HEADER_SIZE
    most = cpp_integer("MAX_WIDEN_BIAS_SHIFT", WIDEN_BIAS_HEADER)
    assert most == python.MAX_SHIFT
    assert shifts.startswith(f"0 to {most},")
    assert counts.startswith(f"1 to {python.MAX_BIASES},")
