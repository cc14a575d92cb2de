"""Faults of models that share a generator."""

from __future__ import annotations

import functools
import shutil

import numpy as np
import tiny_models
from command_faults import full_disk
from faults import Registry, refused
from file_faults import EXAMPLE, EXAMPLES

from keras_hypertinypw import embed_generator, share_generator, spec
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.op_insertion import GENERATOR_INPUT, generate_operators

SHARING = Registry()


@functools.cache
def shared():
    return share_generator([EXAMPLE.read_bytes()], verify=False)


def files(folder, blob: bytes | None = None):
    """Writes a model that refers to a generator, and a blob beside it."""
    model, generator = folder / "model.tflite", folder / "generator.bin"
    model.write_bytes(shared().model_contents[0])
    generator.write_bytes(shared().generator if blob is None else blob)
    return model, f"--generator={generator}"


def damaged(offset: int) -> bytes:
    blob = bytearray(shared().generator)
    blob[offset] ^= 1
    return bytes(blob)


@SHARING.fault("models with two generators, to `share`")
def two_generators(folder):
    rng = np.random.default_rng(7)
    paths = []
    for name in ("ecg", "speech"):
        generator = tiny_models.random_generator(rng)
        layer = tiny_models.random_spec(rng, generator)
        paths.append(folder / f"{name}.tflite")
        paths[-1].write_bytes(tiny_models.build_model([layer]))
    return refused("share", *paths, f"--out={folder}/out")


@SHARING.fault("a new model of another generator than the firmware's")
def another_firmware(folder):
    rng = np.random.default_rng(7)
    blob = tiny_models.random_generator(rng).to_bytes()
    _, flag = files(folder, blob)
    return refused("share", EXAMPLE, flag, f"--out={folder}/out")


@SHARING.fault("a model without GeneratePW, to `share`")
def stored(folder):
    stored = EXAMPLES / "stored.tflite"
    return refused("share", EXAMPLE, stored, f"--out={folder}/out")


@SHARING.fault("a damaged model among several, to `share`")
def one_damaged(folder):
    path = folder / "speech.tflite"
    path.write_bytes(EXAMPLE.read_bytes()[:1000])
    return refused("share", EXAMPLE, path, f"--out={folder}/out")


@SHARING.fault("a model that shares already, to `share`")
def shared_twice(folder):
    model, _ = files(folder)
    return refused("share", model, f"--out={folder}/out")


@SHARING.fault("two models of one file name, to `share`")
def one_name(folder):
    copy = folder / "copy" / EXAMPLE.name
    copy.parent.mkdir()
    shutil.copy(EXAMPLE, copy)
    return refused("share", EXAMPLE, copy, f"--out={folder}/out")


@SHARING.fault("a folder with something in it, to `share`")
def not_empty(folder):
    (folder / "notes.txt").write_text("mine")
    return refused("share", EXAMPLE, f"--out={folder}")


@SHARING.fault("a full disk, to `share`")
def full(folder):
    with full_disk():
        return refused("share", EXAMPLE, f"--out={folder}/out")


@SHARING.fault("no models, to `share_generator`")
def none(folder):
    share_generator([])


@SHARING.fault("a shared model without its generator, to `verify`")
def missing(folder):
    model, _ = files(folder)
    return refused("verify", model)


@SHARING.fault("a shared model without its generator, to `materialize`")
def missing_to_materialize(folder):
    model, _ = files(folder)
    return refused("materialize", model, f"--out={folder}/x.tflite")


@SHARING.fault("a shared model, to `export_arduino`")
def missing_to_arduino(folder):
    model, _ = files(folder)
    return refused("export_arduino", model, f"--out={folder}/out")


@SHARING.fault("a `--generator` that is not there")
def no_file(folder):
    model, _ = files(folder)
    return refused("verify", model, f"--generator={folder}/shared.bin")


@SHARING.fault("a text file as `--generator`")
def text(folder):
    return refused("verify", *files(folder, b"Not a generator, but text.\n"))


@SHARING.fault("a `--generator` that was cut off within its header")
def short(folder):
    return refused("verify", *files(folder, shared().generator[:10]))


@SHARING.fault("a `--generator` that was cut off later")
def truncated(folder):
    return refused("verify", *files(folder, shared().generator[:-100]))


@SHARING.fault("a `--generator` with a damaged weight")
def damaged_weight(folder):
    return refused("verify", *files(folder, damaged(-1)))


@SHARING.fault("a reference of a version from the future")
def future(folder):
    model = read_model(shared().model_contents[0])
    reference = b"\2" + spec.reference_to(shared().generator)[1:]
    operator = generate_operators(model)[0]
    tensor = model.subgraphs[0].tensors[operator.inputs[GENERATOR_INPUT]]
    data = np.frombuffer(reference, np.uint8)
    model.buffers[tensor.buffer].data = data
    embed_generator(write_model(model), shared().generator)


@SHARING.fault("a model that shares nothing, to `embed_generator`")
def nothing_shared(folder):
    embed_generator(EXAMPLE.read_bytes(), shared().generator)
