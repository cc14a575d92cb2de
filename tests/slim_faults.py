"""Faults of `slim`."""

from __future__ import annotations

import signal
from unittest import mock

import tiny_models
from ai_edge_litert import schema_py_generated as schema
from command_faults import full_disk, interrupted
from faults import Registry, refused
from file_faults import EXAMPLE, tiny_model

from keras_hypertinypw.flatbuffer import read_model, write_model

SLIMMING = Registry()


def slim_file(folder, content: bytes, *arguments: object) -> str:
    """Slims a file that must be refused, and leaves nothing behind."""
    (folder / "model.tflite").write_bytes(content)
    out = folder / "slim.tflite"
    message = refused("slim", folder / "model.tflite", out, *arguments)
    assert not out.exists()
    return message


@SLIMMING.fault("a file that is not there, to `slim`")
def missing(folder):
    return refused("slim", folder / "model.tflite", folder / "slim.tflite")


@SLIMMING.fault("`slim` without a place for the result")
def no_out(folder):
    return refused("slim", EXAMPLE)


@SLIMMING.fault("a text file, to `slim`")
def text(folder):
    return slim_file(folder, b"Not a model, but some text.\n" * 20)


@SLIMMING.fault("a file that was cut off, to `slim`")
def truncated(folder):
    return slim_file(folder, EXAMPLE.read_bytes()[:5000])


@SLIMMING.fault("a bias that does not fill its shape, to `slim`")
def short_bias(folder):
    return slim_file(folder, tiny_model(short_bias=True))


@SLIMMING.fault("a model that TFLM's tools compressed, to `slim`")
def compressed(folder):
    model = read_model(tiny_model())
    entry = schema.MetadataT()
    entry.name = b"COMPRESSION_METADATA"
    model.metadata = [entry]
    return slim_file(folder, write_model(model))


@SLIMMING.fault("a slimmed file with a weight that is not the original's")
def other_weight(folder):
    model = read_model(tiny_model(generated=False))
    model.buffers[1].data = model.buffers[1].data ^ 1
    with mock.patch(
        "keras_hypertinypw.slim.write_compact", return_value=write_model(model)
    ):
        return slim_file(folder, tiny_model(generated=False))


@SLIMMING.fault("a slimmed file that computes something else")
def other_outputs(folder):
    wrong = tiny_models.build_add_model(output_scale=0.2)
    with (
        mock.patch("keras_hypertinypw.slim.write_compact", return_value=wrong),
        mock.patch("keras_hypertinypw.slim_comparison.compare_structure"),
    ):
        original = tiny_models.build_add_model(output_scale=0.1)
        return slim_file(folder, original)


@SLIMMING.fault("an OUT that cannot be written, to `slim`")
def unwritable(folder):
    (folder / "file").write_text("in the way of a folder")
    return refused("slim", EXAMPLE, folder / "file" / "x.tflite")


@SLIMMING.fault("a full disk, to `slim`")
def full(folder):
    with full_disk():
        return refused("slim", EXAMPLE, folder / "x.tflite")


@SLIMMING.fault("Ctrl-C, to `slim`")
def sigint(folder):
    return interrupted(signal.SIGINT, "slim", EXAMPLE, folder / "x.tflite")
