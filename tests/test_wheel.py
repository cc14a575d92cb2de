"""A wheel holds all that the package needs, and runs."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
from cpp_build import REPOSITORY

from keras_hypertinypw import native

# The build writes beside the sources, so it gets a copy of them.
SOURCES = (
    "keras_hypertinypw",
    "tflm_ops",
    "LICENSE",
    "NOTICE",
    "README.md",
    "pyproject.toml",
    "setup.cfg",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The content of a wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    for name in SOURCES:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        (checkout / name).parent.mkdir(exist_ok=True)
        copy(REPOSITORY / name, checkout / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps"]
    command += ["--no-build-isolation", "-w", folder, checkout]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def names(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_it_holds_every_file_of_the_package(installed):
    missing = names(REPOSITORY / "keras_hypertinypw") - names(
        installed / "keras_hypertinypw"
    )
    assert not missing


def test_it_holds_what_is_compiled_on_first_use(installed):
    held = names(installed / "keras_hypertinypw/tflm_ops")
    assert set(native.SOURCES) <= held
    headers = {path.name for path in (REPOSITORY / "tflm_ops").glob("*.h")}
    assert headers and headers <= held


def test_it_holds_licences(installed):
    (metadata,) = installed.glob("*.dist-info")
    held = {pathlib.PurePath(name).name for name in names(metadata)}
    assert {"LICENSE", "NOTICE"} <= held


def test_it_compiles_the_op_and_runs_a_file(installed, tmp_path):
    example = REPOSITORY / "examples/mitdb/generated.tflite"
    code = (
        "import pathlib, keras_hypertinypw as htpw; print(htpw.__file__);"
        f"print(htpw.verify(pathlib.Path({str(example)!r}).read_bytes()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(installed),
            "XDG_CACHE_HOME": str(tmp_path),
        },
    )
    assert done.stdout.startswith(f"{installed}/"), done.stderr
    assert "\nidentical\n" in done.stdout
    assert list(tmp_path.glob("keras_hypertinypw/*.so"))
