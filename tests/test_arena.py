import contextlib

import arena_models
import cpp_build
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from arena_models import NETWORKS
from object_mutations import ObjectMutator

from keras_hypertinypw import arena_layout, tflm_process
from keras_hypertinypw.arena import ArenaPlan, predict_arena
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import add_buffer, read_model, write_model
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.memory_planner import (
    Buffer,
    align,
    live_bytes,
    planned_bytes,
)
from keras_hypertinypw.op_insertion import read_specs


def used_bytes(content):
    with Interpreter(content) as interpreter:
        return interpreter.arena_used_bytes


@pytest.mark.parametrize("name", NETWORKS)
def test_the_wheel_uses_what_is_predicted(name):
    content = NETWORKS[name]()
    assert predict_arena(content, "host").used_bytes == used_bytes(content)


@pytest.mark.parametrize(
    "name", ["mitdb_mixed", "tiny_mixed", "sequential_1d", "ds_cnn"]
)
def test_the_wheel_loads_in_what_is_predicted_and_in_no_less(name):
    content = NETWORKS[name]()
    plan = predict_arena(content, "host")
    least = tflm_process.smallest_arena(content, plan.used_bytes - 1)
    assert plan.required_bytes == align(least)


def test_some_small_models_need_more_to_load_than_to_run():
    plan = predict_arena(arena_models.tiny("cached"), "host")
    assert plan.required_bytes > align(plan.used_bytes)


def test_parts_are_what_they_say():
    content = arena_models.example()
    sizes = [spec.num_weights for spec in read_specs(content)]
    cached = predict_arena(content, "host")
    content = arena_models.with_residency(content, "per_invoke")
    per_invoke = predict_arena(content, "host")
    assert cached.cached_kernels == sum(sizes)
    assert cached.per_invoke_kernels == per_invoke.cached_kernels == 0
    # One kernel lies beside the activations, at another time than the others.
    assert per_invoke.per_invoke_kernels == max(sizes)
    assert per_invoke.activations == cached.activations
    assert per_invoke.structures == cached.structures


def test_parts_add_up_to_what_is_used():
    plan = ArenaPlan(1000, 200, 30, 4, 5, 100)
    assert plan.used_bytes == 1239
    assert plan.required_bytes == 1344  # 1339, as a multiple of 16.


@pytest.mark.parametrize("name", ["mitdb_generated", "ds_cnn", "mobilenet"])
def test_the_board_has_smaller_structures_but_the_same_kernels(name):
    content = NETWORKS[name]()
    host, board = (predict_arena(content, t) for t in ("host", "board"))
    assert board.structures < host.structures
    assert board.cached_kernels == host.cached_kernels
    assert board.activations == host.activations


def test_a_convolution_of_the_board_unfolds_its_window():
    content = arena_models.example()
    host, board = (predict_arena(content, t) for t in ("host", "board"))
    assert board.scratch > host.scratch


def test_scratch_of_cmsis_nn_counts_while_its_operator_runs():
    # 3x3 of 4 channels: two columns of 36 int16, beside input and output.
    content = NETWORKS["dense"]()
    model = read_model(content)
    graph = model.subgraphs[0]
    del graph.operators[1:]
    graph.outputs = list(graph.operators[0].outputs)
    used = {*graph.operators[0].inputs, *graph.outputs}
    for index, tensor in enumerate(graph.tensors):
        if index not in used:
            tensor.shape = [0]
    plan = predict_arena(write_model(model), "board")
    assert plan.activations == 8 * 8 * 4 + 8 * 8 * 6
    assert plan.scratch == 2 * 36 * 2


def test_of_equal_buffers_the_later_one_is_placed_first():
    spans = ((0, 0), (0, 1), (2, 2), (1, 2))
    buffers = [Buffer(16, first, last) for first, last in spans]
    assert planned_bytes(buffers) == 32
    assert planned_bytes(buffers[::-1]) == 48


def test_sizes_are_aligned_before_they_are_compared():
    spans = ((0, 0), (0, 1), (2, 2), (1, 2))
    buffers = [
        Buffer(s, *span) for s, span in zip((9, 1, 5, 3), spans, strict=True)
    ]
    assert planned_bytes(buffers) == 32
    assert planned_bytes([]) == 0


def test_a_plan_is_never_below_what_lives_at_one_time():
    rng = np.random.default_rng(5)
    tight = 0
    for _ in range(200):
        starts = rng.integers(0, 10, 12)
        buffers = [
            Buffer(int(size), int(first), int(first + length))
            for size, first, length in zip(
                rng.integers(1, 500, 12),
                starts,
                rng.integers(0, 4, 12),
                strict=True,
            )
        ]
        assert planned_bytes(buffers) >= live_bytes(buffers)
        tight += planned_bytes(buffers) == live_bytes(buffers)
    assert 0 < tight < 200


def test_an_unknown_operator_is_refused_by_name():
    model = read_model(arena_models.tiny())
    cosine = schema.BuiltinOperator.COS
    model.operatorCodes[0].builtinCode = cosine
    model.operatorCodes[0].deprecatedBuiltinCode = cosine
    with pytest.raises(ConversionError, match=r"Received: COS\. Measure"):
        predict_arena(write_model(model), "host")


def test_a_tensor_of_another_rank_is_refused_by_its_operator():
    model = read_model(arena_models.tiny())
    model.subgraphs[0].tensors[0].shape = [4, 4, 12]
    with pytest.raises(ConversionError, match=r"CONV_2D.*Received: \[3, 4, 4"):
        predict_arena(write_model(model), "host")


def test_damaged_models_are_predicted_or_refused():
    mutate = ObjectMutator(arena_models.example())
    rng = np.random.default_rng(0)
    predicted = 0
    for _ in range(300):
        content = mutate(rng)
        with contextlib.suppress(ConversionError):
            predict_arena(content, "board")
            predicted += 1
    assert 0 < predicted < 300


def test_an_offline_plan_is_refused():
    model = read_model(arena_models.tiny())
    entry = schema.MetadataT()
    entry.name = "OfflineMemoryAllocation"
    entry.buffer = add_buffer(model, bytes(16))
    model.metadata = [entry]
    with pytest.raises(ConversionError, match="an offline memory plan"):
        predict_arena(write_model(model), "host")


def test_variables_are_refused():
    model = read_model(arena_models.tiny())
    model.subgraphs[0].tensors[0].isVariable = True
    with pytest.raises(ConversionError, match="Received: variables"):
        predict_arena(write_model(model), "board")


# Structures that are the same in TFLM's headers of 2023, which PyPI has.
DECLARED = {
    "tflite::GreedyMemoryPlanner": lambda layout: layout.interpreter[1],
    "tflite::SubgraphAllocations": lambda layout: layout.subgraph,
    "TfLiteEvalTensor": lambda layout: layout.eval_tensor,
    "TfLiteAffineQuantization": lambda layout: layout.quantization,
    "tflite::AllocationInfo": lambda layout: layout.allocation_info,
    "TfLiteConvParams": lambda layout: layout.builtin_data["CONV_2D"][0],
    "TfLiteDepthwiseConvParams": lambda layout: layout.builtin_data[
        "DEPTHWISE_CONV_2D"
    ][0],
    "TfLitePoolParams": lambda layout: layout.builtin_data["MAX_POOL_2D"][0],
    "TfLiteReducerParams": lambda layout: layout.builtin_data["MEAN"][0],
    "TfLiteReshapeParams": lambda layout: layout.builtin_data["RESHAPE"][0],
    "TfLiteAddParams": lambda layout: layout.builtin_data["ADD"][0],
    "tflite::OpDataAdd": lambda layout: layout.op_data["ADD"],
    "tflite::SoftmaxParams": lambda layout: layout.op_data["SOFTMAX"],
    "hypertinypw::GeneratePwState": lambda layout: layout.op_data["GeneratePW"],
}
HEADERS = (
    "generate_pw.h",
    "tensorflow/lite/c/builtin_op_data.h",
    "tensorflow/lite/micro/kernels/add.h",
    "tensorflow/lite/micro/kernels/conv.h",
    "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h",
    "tensorflow/lite/micro/micro_allocation_info.h",
    "tensorflow/lite/micro/micro_allocator.h",
)


def check_sizes(compiler, sizes, folder):
    lines = [f'#include "{header}"' for header in HEADERS]
    lines += [
        f'static_assert(sizeof({name}) == {size}, "{name}");'
        for name, size in sizes.items()
    ]
    source = folder / "sizes.cc"
    source.write_text("\n".join(lines) + "\n")
    flags = ["-std=c++17", "-fsyntax-only", *cpp_build.tflm_flags()]
    cpp_build.run([*compiler, *flags, f"-I{cpp_build.TFLM_OPS}", source])


def board_compiler():
    return cpp_build.arm_tool("g++"), *cpp_build.CORTEX_M4


def test_the_board_compiler_agrees_about_sizes(tmp_path):
    sizes = {name: of(arena_layout.BOARD) for name, of in DECLARED.items()}
    # CMSIS-NN's kernel adds the index of its scratch buffer.
    sizes["tflite::OpDataConv"] = arena_layout.BOARD.op_data["CONV_2D"] - 4
    check_sizes(board_compiler(), sizes, tmp_path)


def test_the_host_compiler_agrees_about_sizes(tmp_path):
    # The wheel's own has a pointer for compressed tensors.
    sizes = {name: of(arena_layout.HOST) for name, of in DECLARED.items()}
    sizes["tflite::SubgraphAllocations"] -= arena_layout.HOST.pointer
    check_sizes([cpp_build.host_compiler()], sizes, tmp_path)


def test_a_wrong_size_would_be_noticed(tmp_path):
    sizes = {"TfLiteEvalTensor": arena_layout.HOST.eval_tensor}
    with pytest.raises(pytest.fail.Exception, match="TfLiteEvalTensor"):
        check_sizes(board_compiler(), sizes, tmp_path)
