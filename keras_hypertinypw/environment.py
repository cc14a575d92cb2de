"""What a result was made with."""

from __future__ import annotations

import platform
from importlib import metadata

from keras_hypertinypw.version import __version__

# Distributions that training, conversion and scoring depend on.
_DISTRIBUTIONS = (
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "tflite-micro",
    "ai-edge-litert",
    "numpy",
)


def versions() -> dict[str, str]:
    """Returns the versions of this package, of Python and of what they use.

    Imports none of them.
    """
    return {
        "keras_hypertinypw": __version__,
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in _DISTRIBUTIONS},
    }
