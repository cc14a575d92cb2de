"""tensorflow-model-optimization, without Keras 3.

Its pruning looks for `keras.engine`, which a Keras of before 2.13 has. Where
Keras 3 is installed, all of that, and scikit-learn, would be imported to find
that it is not there: a quarter of the time that a command takes to start.
"""

import sys

_OLD_MODULE = "keras.engine"

_is_ours = _OLD_MODULE not in sys.modules
if _is_ours:
    sys.modules[_OLD_MODULE] = None  # type: ignore[assignment]
try:
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (  # noqa: E501
        default_8bit_quantize_registry as default_registry,
    )
finally:
    if _is_ours:
        del sys.modules[_OLD_MODULE]

__all__ = ["default_registry", "tfmot"]
