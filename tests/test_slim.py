"""Slimmed files compute what their originals do, in fewer bytes."""

import functools
import itertools
import pathlib
import time
import tracemalloc
from unittest import mock

import numpy as np
import pytest
import slim_files
import tiny_models
from ai_edge_litert import schema_py_generated as schema
from slim_models import UNKNOWN_OP, RandomModel

from keras_hypertinypw import (
    Interpreter,
    footprint,
    litert_worker,
    materialize,
    native,
    slim,
    slim_comparison,
    slim_with_report,
    tflm_process,
    verify,
)
from keras_hypertinypw.byte_ranges import walk_vectors
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    custom_name,
    read_model,
    scales,
    write_model,
    zero_points,
)
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.slim_comparison import compare

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples/mitdb"
NUM_MODELS = 300
unverified = functools.partial(slim, verify=False)


@pytest.fixture(scope="module")
def few_processes():
    """Runs all files in one child, and LiteRT in here."""
    first = tiny_models.build_add_model(output_scale=1)
    process = tflm_process.start(first, None)
    library = str(native.compiled_library())

    def run_tflm(model_content, graph, inputs, generator):
        assert generator is None
        request = {"command": "load", "library": library, "arena_size": 1 << 20}
        process.request(request, model_content)
        return process.predict(inputs, len(inputs[0]), len(graph.outputs))

    def run_litert(model_content, graph, inputs, generator):
        assert generator is None
        arrays = {f"input_{port}": x for port, x in enumerate(inputs)}
        model = np.frombuffer(materialize(model_content), np.uint8)
        count = len(inputs[0])
        found = litert_worker.run(
            {"model": model, "num_samples": count, **arrays}
        )
        if "message" in found:
            raise ConversionError(str(found["message"]))
        return [values.tobytes() for values in found.values()]

    runners = {"TFLM": run_tflm, "LiteRT": run_litert}
    with mock.patch.dict(slim_comparison._RUNNERS, runners):
        yield
    process.close()


def has_unknown_op(content):
    model = read_model(content)
    operators = model.subgraphs[0].operators
    return any(
        custom_name(model, op) == UNKNOWN_OP.decode() for op in operators
    )


@pytest.mark.parametrize("desktop", [False, True])
def test_generated_models_stay_what_they_are(few_processes, desktop):
    values = distinct = 0
    for seed in range(NUM_MODELS):
        content = RandomModel(seed).to_bytes()
        slimmed = unverified(content, desktop=desktop)
        assert len(slimmed) < len(content)
        found = compare(content, slimmed, desktop=desktop, num_inputs=4)
        assert bool(found.not_run) == has_unknown_op(content), (seed, found)
        values += sum(found.num_values.values())
        distinct += sum(found.num_distinct.values())
        again = unverified(slimmed, desktop=desktop)
        assert again == slimmed, seed
        require_aligned(slimmed)
    assert values > 100_000
    assert distinct > 10_000


def require_aligned(content):
    alignments = {"data": 16, "zero_point": 8}
    for vector in walk_vectors(content):
        assert vector.start % alignments.get(vector.path[-1], 4) == 0


@pytest.mark.parametrize("name", ["generated", "stored"])
def test_examples_shrink_and_keep_every_gate(name):
    content = (EXAMPLES / f"{name}.tflite").read_bytes()
    slimmed, report = slim_with_report(content)
    assert len(slimmed) < 0.62 * len(content)
    assert report.comparison.num_values["TFLM"] >= 200
    assert report.comparison.num_distinct["TFLM"] >= 50
    assert sum(footprint(slimmed).by_part.values()) == len(slimmed)
    if name == "generated":
        assert verify(slimmed).identical
        before, after = read_specs(content), read_specs(slimmed)
        for old, new in zip(before, after, strict=True):
            assert old.generator.to_bytes() == new.generator.to_bytes()
            assert old.codes_to_bytes() == new.codes_to_bytes()
            assert old.options_to_bytes() == new.options_to_bytes()


def test_materialized_slimmed_file_runs_on_the_desktop():
    content = (EXAMPLES / "stored.tflite").read_bytes()
    plain = materialize(unverified(content))
    x = np.random.default_rng(0).normal(0, 1, (5, 256, 3)).astype(np.float32)
    with Interpreter(content, runtime="litert") as interpreter:
        x = x.reshape(5, *interpreter.input_shape[1:])
        expected = interpreter.predict(x)
    with Interpreter(plain, runtime="litert") as interpreter:
        np.testing.assert_array_equal(interpreter.predict(x), expected)


@pytest.mark.parametrize("desktop", [False, True])
def test_equal_scales_of_a_convolution_are_stored_once(desktop):
    model = read_model((EXAMPLES / "stored.tflite").read_bytes())
    tensors = model.subgraphs[0].tensors
    kernels = [t for t in tensors if len(scales(t)) == 64]
    assert len(kernels) >= 4
    for tensor in kernels:
        tensor.quantization.scale = np.full(64, 0.01, np.float32)
    # Both are run in TFLM and compared.
    slimmed = read_model(slim(write_model(model), desktop=desktop))
    found = [len(scales(t)) for t in slimmed.subgraphs[0].tensors]
    assert found.count(64) == (len(kernels) if desktop else 0)


def test_arena_of_a_slimmed_file_is_no_larger():
    content = (EXAMPLES / "generated.tflite").read_bytes()
    arenas = []
    for file in (content, unverified(content)):
        with Interpreter(file) as interpreter:
            arenas.append(interpreter.arena_used_bytes)
    assert arenas[1] <= arenas[0]


@pytest.mark.parametrize("desktop", [False, True])
def test_biases_and_zero_points_stay_for_the_desktop_only(desktop, tiny_model):
    slimmed = read_model(unverified(tiny_model, desktop=desktop))
    for tensor in slimmed.subgraphs[0].tensors:
        num_scales = len(scales(tensor))
        if tensor.type == schema.TensorType.INT32:
            assert bool(num_scales) == desktop
        elif num_scales:
            assert len(zero_points(tensor)) == (num_scales if desktop else 1)


def dense_bias(per_channel):
    slimmed = read_model(slim(slim_files.dense(per_channel=per_channel)))
    graph = slimmed.subgraphs[0]
    return graph.tensors[graph.operators[-1].inputs[2]]


def test_bias_scale_stays_where_a_kernel_compares_it():
    assert len(scales(dense_bias(per_channel=False))) == 1
    assert len(scales(dense_bias(per_channel=True))) == 0


def test_metadata_and_signatures_stay_on_request():
    content = (EXAMPLES / "stored.tflite").read_bytes()
    before = read_model(content)
    kept = read_model(unverified(content, keep_metadata=True))
    assert [m.name for m in kept.metadata] == [m.name for m in before.metadata]
    for old, new in zip(before.metadata, kept.metadata, strict=True):
        data = [
            bytes(model.buffers[entry.buffer].data)
            for model, entry in ((before, old), (kept, new))
        ]
        assert data[0] == data[1]
    assert kept.description == before.description
    assert not kept.signatureDefs
    kept = read_model(unverified(content, keep_signatures=True))
    signature, expected = kept.signatureDefs[0], before.signatureDefs[0]
    assert signature.signatureKey == expected.signatureKey
    assert signature.inputs[0].name == expected.inputs[0].name
    assert signature.inputs[0].tensorIndex == kept.subgraphs[0].inputs[0]
    assert not kept.metadata


def test_offline_plan_stays_with_its_tensors():
    content = slim_files.with_offline_plan()
    slimmed, report = slim_with_report(content)
    before, after = read_model(content), read_model(slimmed)
    assert len(after.subgraphs[0].tensors) == len(before.subgraphs[0].tensors)
    assert after.metadata[0].name == b"OfflineMemoryAllocation"
    assert "the offline memory plan" in report.left[0]


def test_reshapes_that_undo_each_other_go():
    content = slim_files.with_idle_reshapes()
    slimmed, report = slim_with_report(content)
    assert report.operators_removed == 2
    assert "2 reshapes that undo each other" in str(report)
    assert len(read_model(slimmed).subgraphs[0].operators) == 2


def test_several_subgraphs_are_carried_through():
    content = slim_files.with_two_subgraphs()
    slimmed, report = slim_with_report(content)
    assert len(read_model(slimmed).subgraphs) == 2
    assert report.left == ("unused tensors, of 2 subgraphs",)
    # Both are equal, so that one is stored.
    assert len(slimmed) < len(unverified(slim_files.with_idle_reshapes())) + 60


def test_unknown_ops_are_compared_without_running_them():
    seeds = itertools.count()
    contents = (RandomModel(seed).to_bytes() for seed in seeds)
    content = next(c for c in contents if has_unknown_op(c))
    slimmed, report = slim_with_report(content)
    assert not report.comparison.num_values
    assert "op code CUSTOM" in report.comparison.not_run["TFLM"]
    assert "not run in TFLM: " in str(report.comparison)
    assert "the options of custom ops: Mystery" in report.left


def changed(content, change):
    model = read_model(content)
    change(model)
    return write_model(model)


def change_data(model):
    buffer = max(
        model.buffers, key=lambda b: 0 if b.data is None else b.data.size
    )
    buffer.data = buffer.data.copy()
    buffer.data[0] ^= 1


def change_options(model):
    model.subgraphs[0].operators[0].builtinOptions.strideH = 2


def change_scale(model):
    tensors = model.subgraphs[0].tensors
    params = next(t.quantization for t in tensors if len(scales(t)) > 1)
    params.scale = params.scale * np.float32(2)


def change_zero_point(model):
    params = model.subgraphs[0].tensors[0].quantization
    params.zeroPoint = params.zeroPoint + 1


def change_shape(model):
    model.subgraphs[0].tensors[0].shape[1] += 1


def change_wiring(model):
    operator = model.subgraphs[0].operators[-1]
    operator.inputs[0] = model.subgraphs[0].inputs[0]


@pytest.mark.parametrize("desktop", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        change_data,
        change_options,
        change_scale,
        change_zero_point,
        change_shape,
        change_wiring,
    ],
)
def test_the_comparison_would_notice(tiny_dense_model, change, desktop):
    wrong = changed(unverified(tiny_dense_model, desktop=desktop), change)
    with pytest.raises(ConversionError, match="slimmed file to be the orig"):
        compare(tiny_dense_model, wrong, desktop=desktop)


def test_the_run_would_notice(tiny_dense_model):
    wrong = changed(tiny_dense_model, change_data)
    with (
        mock.patch.object(slim_comparison, "compare_structure"),
        pytest.raises(ConversionError, match="the outputs in TFLM"),
    ):
        compare(tiny_dense_model, wrong)


def test_a_difference_writes_nothing(tiny_dense_model, tmp_path):
    wrong = changed(tiny_dense_model, change_data)
    with (
        mock.patch("keras_hypertinypw.slim.write_compact", return_value=wrong),
        pytest.raises(ConversionError),
    ):
        slim(tiny_dense_model)


def test_compressed_models_are_refused(tiny_dense_model):
    def compress(model):
        entry = schema.MetadataT()
        entry.name = b"COMPRESSION_METADATA"
        model.metadata = [entry]

    with pytest.raises(ConversionError, match="then compress it"):
        slim(changed(tiny_dense_model, compress))


def test_four_megabytes_take_two_seconds_and_little_memory():
    content = slim_files.large(1 << 22)
    assert len(content) > 1 << 22
    start = time.process_time()
    slimmed = unverified(content)
    assert time.process_time() - start < 2
    tracemalloc.start()
    assert unverified(content) == slimmed
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(content)


def test_report_counts_every_byte(tiny_model):
    slimmed, report = slim_with_report(tiny_model)
    assert report.bytes_before == len(tiny_model)
    assert report.bytes_after == len(slimmed)
    assert report.after["names"] == report.after["signatures"] == 0
    assert report.bound_bytes < len(slimmed)
    record = report.to_dict()
    assert record["comparison"]["num_values"]["TFLM"] > 0
