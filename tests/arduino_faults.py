"""Faults of exporting a model to Arduino."""

from __future__ import annotations

from faults import Registry, refused
from file_faults import EXAMPLE

from keras_hypertinypw import export_arduino

ARDUINO = Registry()
STORED = EXAMPLE.with_name("stored.tflite")


@ARDUINO.fault("an `--out` that has something in it, to `export_arduino`")
def full_folder(folder):
    (folder / "notes.txt").write_text("mine")
    return refused("export_arduino", EXAMPLE, f"--out={folder}")


@ARDUINO.fault("a sketch's name with a space")
def sketch_name(folder):
    arguments = (f"--out={folder}/x", "--sketch_name=my sketch")
    return refused("export_arduino", EXAMPLE, *arguments)


@ARDUINO.fault("an arena of no bytes")
def arena_size(folder):
    export_arduino(EXAMPLE.read_bytes(), folder / "x", arena_size=0)


@ARDUINO.fault("`--synthesis` of a file without generated kernels")
def nothing_to_synthesize(folder):
    arguments = (f"--out={folder}/x", "--synthesis=boot")
    return refused("export_arduino", STORED, *arguments)


@ARDUINO.fault("`--synthesis=lazy` with the compact op, which has no later")
def lazy_and_compact(folder):
    arguments = (f"--out={folder}/x", "--synthesis=lazy", "--op_build=compact")
    return refused("export_arduino", EXAMPLE, *arguments)
