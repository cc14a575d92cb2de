"""Generated pointwise kernels for small int8 networks on microcontrollers.

Import this package, or tf_keras, before tensorflow: it runs on tf_keras (Keras
2), and what `tf.keras` means is decided when tensorflow is imported. Names
load on first use, so that what needs no TensorFlow does not wait for it.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from keras_hypertinypw.version import __version__

if TYPE_CHECKING:
    from keras_hypertinypw.arduino import ArduinoExport, export_arduino
    from keras_hypertinypw.bias_narrowing import narrow_biases
    from keras_hypertinypw.converter import convert_keras_model
    from keras_hypertinypw.errors import ConversionError
    from keras_hypertinypw.freezing import FrozenModel, freeze
    from keras_hypertinypw.generator import (
        BaseGenerator,
        WeightGenerator,
        generator_scope,
    )
    from keras_hypertinypw.int4 import pack_int4
    from keras_hypertinypw.int4_cost import compare_outputs
    from keras_hypertinypw.interpreter import Interpreter
    from keras_hypertinypw.layers import HyperPointwise
    from keras_hypertinypw.loading import load_model
    from keras_hypertinypw.patches import apply_patch, make_patch
    from keras_hypertinypw.quantization import (
        freeze_all_but_codes,
        freeze_codes,
        quantize_model,
    )
    from keras_hypertinypw.shared_generator import (
        SharedFirmware,
        embed_generator,
        share_generator,
    )
    from keras_hypertinypw.slim import slim_with_report
    from keras_hypertinypw.swap import swap_errors, swap_pointwise
    from keras_hypertinypw.verification import verify

_MODULES = {
    "ArduinoExport": "arduino",
    "BaseGenerator": "generator",
    "ConversionError": "errors",
    "FrozenModel": "freezing",
    "HyperPointwise": "layers",
    "Interpreter": "interpreter",
    "SharedFirmware": "shared_generator",
    "WeightGenerator": "generator",
    "apply_patch": "patches",
    "compare_outputs": "int4_cost",
    "convert_keras_model": "converter",
    "embed_generator": "shared_generator",
    "export_arduino": "arduino",
    "freeze": "freezing",
    "freeze_all_but_codes": "quantization",
    "freeze_codes": "quantization",
    "generator_scope": "generator",
    "load_model": "loading",
    "make_patch": "patches",
    "narrow_biases": "bias_narrowing",
    "pack_int4": "int4",
    "quantize_model": "quantization",
    "share_generator": "shared_generator",
    "slim_with_report": "slim",
    "swap_errors": "swap",
    "swap_pointwise": "swap",
    "verify": "verification",
}

__all__ = [
    "ArduinoExport",
    "BaseGenerator",
    "ConversionError",
    "FrozenModel",
    "HyperPointwise",
    "Interpreter",
    "SharedFirmware",
    "WeightGenerator",
    "__version__",
    "apply_patch",
    "compare_outputs",
    "convert_keras_model",
    "embed_generator",
    "export_arduino",
    "footprint",
    "freeze",
    "freeze_all_but_codes",
    "freeze_codes",
    "generator_scope",
    "load_model",
    "make_patch",
    "materialize",
    "narrow_biases",
    "pack_int4",
    "quantize_model",
    "share_generator",
    "slim",
    "slim_with_report",
    "swap_errors",
    "swap_pointwise",
    "verify",
]


def _choose_legacy_keras() -> None:
    """Makes tensorflow take tf_keras, or says why that is too late."""
    value = os.environ.get("TF_USE_LEGACY_KERAS")
    # Who imported tf_keras chose it, whatever `tf.keras` is.
    if value in ("1", "true", "True") or "tf_keras" in sys.modules:
        return
    if "tensorflow" in sys.modules:
        raise ImportError(
            "tensorflow was imported before keras_hypertinypw, and so chose "
            "Keras 3, which tensorflow-model-optimization does not support: "
            "import keras_hypertinypw first, or set the environment variable "
            "TF_USE_LEGACY_KERAS=1."
        )
    os.environ["TF_USE_LEGACY_KERAS"] = "1"


_choose_legacy_keras()

# These share their module's name: were they loaded on first use, some
# other import of the module could put it in the function's place.
from keras_hypertinypw.footprint import footprint  # noqa: E402
from keras_hypertinypw.materialize import materialize  # noqa: E402
from keras_hypertinypw.slim import slim  # noqa: E402


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
