"""What tflm_ops/README.md says about messages, flash and instructions."""

import json
import re
import shutil
import subprocess
import sys

import benchmark_modules
import pytest
from cpp_build import (
    REPOSITORY,
    TFLM_OPS,
    host_compiler,
    require_quoted_compiler,
    run,
    tflm_flags,
)

from keras_hypertinypw import native, op_size

README = (TFLM_OPS / "README.md").read_text()
WIDEN_BIAS = (TFLM_OPS / "widen_bias.md").read_text()


def section(title):
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title):
    """Returns the cells of a section's table, without its head."""
    lines = re.findall(r"^\| (.+) \|$", section(title), re.MULTILINE)
    return [line.split(" | ") for line in lines[2:]]


def messages():
    """Returns every error message of the op, in the order of the errors."""
    library, found = native.load(), []
    while (text := library.HypertinypwFormatErrorMessage(len(found))) != (
        b"unknown error"
    ):
        found.append(text.decode())
    return found


def test_the_readme_explains_every_message():
    no_error, *errors = messages()
    assert no_error == "no error" and len(errors) > 20
    assert [message for message, _ in rows("Error messages")] == errors


def printed(script):
    """Returns what a benchmark prints of the compiler that is quoted."""
    require_quoted_compiler()
    path = REPOSITORY / "benchmarks" / script
    return json.loads(subprocess.check_output([sys.executable, path]))


def test_the_readme_has_the_current_instructions():
    if missing := benchmark_modules.load("board").missing_packages():
        pytest.skip(f"Install the Debian packages {missing}.")
    instructions = printed("op_speed.py")
    assert instructions.keys() == json.loads(op_size.RECORD.read_text()).keys()
    assert [row[3] for row in rows("Builds")] == [
        f"{number:.2f}" for number in instructions.values()
    ]


def test_the_readme_has_the_current_flash():
    sizes, builds = printed("op_size.py").values()
    assert [[name.strip("`"), size] for name, size in rows("Flash")] == [
        [name, f"{size:,} B"] for name, size in sizes.items()
    ]
    assert f"takes {sizes['widen_bias_op']} B" in WIDEN_BIAS
    assert builds == json.loads(op_size.RECORD.read_text())
    assert [row[1:3] for row in rows("Builds")] == [
        [f"{size:,} B" for size in found.values()] for found in builds.values()
    ]
    assert f"{builds['unchecked']['widen_bias']} B)" in WIDEN_BIAS


@pytest.mark.parametrize(
    ("text", "first"),
    [
        (section("In firmware"), "Add `"),
        (section("Builds"), "TFLM's headers it needs `"),
        (WIDEN_BIAS.split("\n## In firmware\n")[1], "Add `"),
    ],
    ids=["generate_pw", "compact", "widen_bias"],
)
def test_the_files_to_add_are_all_there_is_to_add(text, first, tmp_path):
    listed = first[-1] + text.split(first)[1].split("\n\n")[0]
    for name in re.findall(r"`(\w+\.[\w{,}]+)`", listed):
        stem, _, endings = name.partition(".")
        for ending in endings.strip("{}").split(","):
            shutil.copy(TFLM_OPS / f"{stem}.{ending}", tmp_path)
    linked = tmp_path / "linked.o"
    run(
        [
            *(host_compiler(), "-std=c++17", "-DNDEBUG", *tflm_flags()),
            *("-r", "-nostdlib", *sorted(tmp_path.glob("*.cc"))),
            *("-o", linked),
        ]
    )
    assert "hypertinypw::Register" in run(["nm", "-C", linked])
    assert "hypertinypw::" not in run(["nm", "-uC", linked])


@pytest.mark.parametrize(
    "path",
    sorted(set(re.findall(r"`([\w/]+/[\w.]+\.py)`", README + WIDEN_BIAS))),
)
def test_every_file_it_names_is_there(path):
    assert (REPOSITORY / path).is_file()
