import re

from arduino_exports import MODELS
from cpp_build import xmos_runtime

from keras_hypertinypw import flatbuffer, tflm_resolver


def test_the_resolver_has_exactly_the_operators():
    model = flatbuffer.read_model(MODELS["generated"]())
    calls = tflm_resolver.resolver_calls(model)
    names = [call.split("(")[0] for call in calls]
    assert names == [
        "AddConv2D",
        "AddCustom",
        "AddDepthwiseConv2D",
        "AddFullyConnected",
        "AddMean",
        "AddReshape",
    ]


def test_tflm_has_every_method_that_a_sketch_may_call():
    header = "include/tensorflow/lite/micro/micro_mutable_op_resolver.h"
    text = (xmos_runtime() / header).read_text()
    defined = dict(
        reversed(pair)
        for pair in re.findall(
            r"TfLiteStatus (Add\w+)\([^{]*\{\s*return AddBuiltin\("
            r"\s*BuiltinOperator_(\w+)",
            text,
        )
    )
    ours = tflm_resolver.known_operators()
    assert len(ours) == 94
    assert ours.items() <= defined.items()
