"""One generator for several models: files, bytes, errors, and TFLM."""

import dataclasses
import subprocess

import numpy as np
import pytest
import random_specs
import shared_models
import tiny_models
from cpp_build import STRICT, host_compiler, run

from keras_hypertinypw import (
    Interpreter,
    embed_generator,
    footprint,
    materialize,
    share_generator,
    shared_files,
    slim,
    spec,
    verify,
)
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.op_insertion import (
    GENERATOR_INPUT,
    read_specs,
)


def test_the_blob_is_the_generators(generator, firmware):
    assert firmware.generator == generator.to_bytes()


def test_a_file_loses_what_the_blob_takes(models, firmware):
    for before, after in zip(models, firmware.model_contents, strict=True):
        saved = len(before) - len(after)
        expected = len(firmware.generator) - spec.REFERENCE_SIZE
        # Data start at multiples of 16.
        assert abs(saved - expected) < 16
        assert firmware.generator not in after
    sizes = sum(map(len, firmware.model_contents))
    assert firmware.num_bytes == sizes + len(firmware.generator)


def test_embedding_inverts_sharing_to_the_last_byte(models, firmware):
    for before, after in zip(models, firmware.model_contents, strict=True):
        assert embed_generator(after, firmware.generator) == before


def test_a_slimmed_file_stays_slimmed(firmware):
    shared = firmware.model_contents[-1]
    assert slim(shared, generator=firmware.generator) == shared


def test_slimming_and_sharing_commute(firmware):
    shared, _, _, _, slimmed = firmware.model_contents
    assert slim(shared, generator=firmware.generator) == slimmed
    # Without the blob it is compared by value alone.
    assert slim(shared) == slimmed


def test_a_slimmed_file_is_compared_in_tflm(firmware):
    from keras_hypertinypw import slim_with_report

    content, blob = firmware.model_contents[0], firmware.generator
    _, report = slim_with_report(content, desktop=True, generator=blob)
    assert min(report.comparison.num_values[r] for r in ("TFLM", "LiteRT")) > 0
    _, report = slim_with_report(content)
    assert "SetSharedGenerator" in report.comparison.not_run["TFLM"]


def test_numpy_cpp_and_tflm_agree(models, firmware):
    for before, content in zip(models, firmware.model_contents, strict=True):
        result = verify(content, generator=firmware.generator)
        assert result.identical and result.num_distinct >= 50
        assert result.num_kernels == len(read_specs(before))
        alone = verify(before)
        assert result.generate_counts == alone.generate_counts
        # The state of an op holds nothing more.
        assert result.arena_bytes == alone.arena_bytes


def test_outputs_and_kernels_are_those_of_the_file_alone(
    models, firmware, tiny_inputs
):
    pairs = zip(models, firmware.model_contents, strict=True)
    for before, after in list(pairs)[:3]:
        with Interpreter(before) as alone:
            expected = alone.predict(tiny_inputs)
            kernels = alone.kernels
        with Interpreter(after, generator=firmware.generator) as shared:
            for _ in range(3):
                outputs = shared.predict(tiny_inputs)
                np.testing.assert_array_equal(outputs, expected)
                shared.reset()
            for kernel, other in zip(shared.kernels, kernels, strict=True):
                np.testing.assert_array_equal(kernel, other)
        assert len(np.unique(expected)) >= 50


def test_materialized_files_are_equal(models, firmware):
    for before, after in zip(models, firmware.model_contents, strict=True):
        folded = materialize(after, generator=firmware.generator)
        assert folded == materialize(before)


def test_footprint_counts_the_file_alone(models, firmware):
    before = footprint(models[0])
    after = footprint(firmware.model_contents[0], generator=firmware.generator)
    assert after.by_part["generator"] == spec.REFERENCE_SIZE
    assert before.by_part["generator"] == len(firmware.generator)
    assert after.cached_kernel_bytes == before.cached_kernel_bytes > 0
    assert after.by_part["codes"] == before.by_part["codes"]


def test_random_specs_survive_sharing():
    rng = np.random.default_rng(11)
    count = 0
    for layer in random_specs.random_specs(rng, 200):
        if len(layer.kernel_shape) < 4:
            continue
        count += 1
        content = write_model(read_model(tiny_models.build_model([layer])))
        shared = share_generator([content], verify=False)
        (found,) = read_specs(
            shared.model_contents[0], generator=shared.generator
        )
        assert found.generator.to_bytes() == layer.generator.to_bytes()
        assert found.codes_to_bytes() == layer.codes_to_bytes()
        embedded = embed_generator(shared.model_contents[0], shared.generator)
        assert embedded == content
    assert count >= 20


def test_a_new_model_for_an_old_firmware(generator, firmware):
    update = shared_models.build(generator, 4)
    shared = share_generator([update], generator=firmware.generator)
    assert shared.generator == firmware.generator
    assert verify(
        shared.model_contents[0], generator=firmware.generator
    ).identical


def test_a_model_that_refers_to_it_already_stays(firmware):
    contents = list(firmware.model_contents)
    again = share_generator(contents, generator=firmware.generator)
    assert again == firmware


def test_a_blob_that_something_else_reads_stays(generator):
    """As slimmed files may have it: two tensors, one buffer."""
    model = read_model(shared_models.build(generator, 1))
    graph = model.subgraphs[0]
    (index,) = {
        operator.inputs[GENERATOR_INPUT]
        for operator in graph.operators
        if operator.customOptions is not None
    }
    graph.tensors.append(type(graph.tensors[index])())
    other = graph.tensors[-1]
    other.name, other.type = b"twin", graph.tensors[index].type
    other.shape = graph.tensors[index].shape
    other.buffer = graph.tensors[index].buffer
    content = write_model(model)
    shared = share_generator([content], verify=False)
    assert shared.generator in shared.model_contents[0]
    assert verify(
        shared.model_contents[0], generator=shared.generator
    ).identical


MAIN = """\
#include <cstdio>

#include "generate_pw_shared.h"
#include "generator_data.h"

int main() {
  hypertinypw::SetSharedGenerator(kGeneratorData, kGeneratorSize);
  std::fwrite(kGeneratorData, 1, kGeneratorSize, stdout);
}
"""


def test_the_array_of_the_firmware_is_the_blob(firmware, tmp_path):
    from keras_hypertinypw import native

    out = tmp_path / "out"
    names = [f"model_{i}.tflite" for i in range(len(firmware.model_contents))]
    shared_files.write_shared(firmware, names, out)
    assert (out / "generator.bin").read_bytes() == firmware.generator
    for name, content in zip(names, firmware.model_contents, strict=True):
        assert (out / name).read_bytes() == content
    (out / "main.cc").write_text(MAIN)
    source = native.source_dir()
    files = [out / "main.cc", out / "generator_data.cc"]
    files.append(source / "generate_pw_shared.cc")
    flags = [f"-I{source}", f"-I{out}", "-o", out / "program"]
    run([host_compiler(), *STRICT, *files, *flags])
    printed = subprocess.check_output([out / "program"])
    assert printed == firmware.generator


def test_names_that_are_taken_are_refused(firmware, tmp_path):
    models = firmware.model_contents[:2]
    pair = dataclasses.replace(firmware, model_contents=models)
    for names in (["a", "a"], ["a", "generator.bin"]):
        with pytest.raises(ValueError, match="which is taken"):
            shared_files.write_shared(pair, names, tmp_path / "out")
    assert not (tmp_path / "out").exists()
