"""The shared generator of kernels, and the scope that keeps it shared."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import checks, fake_quant, generator_defaults
from keras_hypertinypw.spec import (
    CODE_BITS,
    MAX_BLOCK_SIZE,
    MAX_CODE_DIM,
    MAX_HIDDEN_UNITS,
    MAX_LAYERS,
)

PACKAGE = "keras_hypertinypw"


class BaseGenerator(keras.layers.Layer):
    """What `HyperPointwise` and `freeze` need of a generator.

    A generator maps codes `(num_blocks, code_dim)` to blocks of kernel
    weights `(num_blocks, block_size)` of about unit variance. Another kind
    (a head per shape, a shared basis) is another subclass that implements
    `call` and `quantized_layers`, and a `kind` of its own in the byte format
    (`tflm_ops/README.md`).

    Args:
        code_dim: Length of a code vector.
        code_bits: Bits of a code in the file: 1, 2, 4 or 8. Codes are
            quantized from the first step of training on.
        block_size: Number of weights made from one code vector.
        quantized: Whether generator weights and hidden units are
            fake-quantized too; `quantize_model` sets it.
    """

    def __init__(
        self,
        code_dim: int,
        code_bits: int,
        block_size: int,
        quantized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.code_dim = _at_most("code_dim", code_dim, MAX_CODE_DIM)
        self.code_bits = checks.one_of("code_bits", code_bits, CODE_BITS)
        self.block_size = _at_most("block_size", block_size, MAX_BLOCK_SIZE)
        self.quantized = quantized
        # Keras and tfmot build the graph of every layer a dozen times.
        self._traced = tf.function(
            self,
            input_signature=[tf.TensorSpec((None, self.code_dim), self.dtype)],
            autograph=False,
        )

    def make_blocks(self, codes: tf.Tensor) -> tf.Tensor:
        """Calls the generator; in a graph, all layers share one trace of it.

        Args:
            codes: float32 tensor of shape `(num_blocks, code_dim)`.

        Returns:
            float32 tensor of shape `(num_blocks, block_size)`.
        """
        if tf.executing_eagerly():
            return self(codes)
        return self._traced(codes)

    def quantized_layers(
        self,
    ) -> tuple[
        list[fake_quant.QuantizedDense], fake_quant.QuantizedSkip | None
    ]:
        """Returns the integer layers as float32 tensors, and the skip."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, for `from_config`."""
        return {
            **super().get_config(),
            "code_dim": self.code_dim,
            "code_bits": self.code_bits,
            "block_size": self.block_size,
            "quantized": self.quantized,
        }

    def load_own_variables(self, store: Any) -> None:
        """Reads the weights of a `.keras` file, as Keras does.

        Raises:
            ValueError: If the file holds them with another layer, since the
                layers shared this generator when they were saved.
        """
        if self.weights and not len(store.keys()):
            raise ValueError(
                f"Generator '{self.name}': expected its layers to share it. "
                "Received: a copy for each layer. Load the model with "
                "`keras_hypertinypw.load_model`."
            )
        super().load_own_variables(store)


def _at_most(name: str, value: object, limit: int) -> int:
    number = checks.positive_int(name, value)
    if number > limit:
        raise ValueError(
            f"Expected `{name}` to be at most {limit}, the limit of the byte "
            f"format. Received: {name}={number}."
        )
    return number


@keras.saving.register_keras_serializable(package=PACKAGE)
class WeightGenerator(BaseGenerator):
    """Micro-MLP that makes kernels from codes; one for a whole model.

    The defaults, one bit of code a weight, are those of the generator that
    was best of those tried at equal bytes, in files of 16 kB and more
    (`python benchmarks/frontier.py`).

    Args:
        hidden_units: Sizes of the hidden ReLU layers, 0 to 3 of them.
        code_dim: Length of a code vector.
        code_bits: Bits of a code in the file: 1, 2, 4 or 8.
        block_size: Number of weights made from one code vector.
        use_skip: Whether a linear map of the codes is added to the output.
        kernel_initializer: Initializer of the dense kernels. By default
            He's for hidden layers and LeCun's for the last, so that blocks
            start with unit variance; smaller values leave the generator
            untrained.
        **kwargs: `name`, `dtype`, `trainable`.

    Call arguments:
        codes: float32 tensor of shape `(num_blocks, code_dim)`.

    Returns:
        float32 tensor of shape `(num_blocks, block_size)`.

    Raises:
        ValueError: If an argument is outside the byte format's range.
    """

    def __init__(
        self,
        hidden_units: tuple[int, ...] = generator_defaults.HIDDEN_UNITS,
        code_dim: int = generator_defaults.CODE_DIM,
        code_bits: int = generator_defaults.CODE_BITS,
        block_size: int = generator_defaults.BLOCK_SIZE,
        use_skip: bool = generator_defaults.USE_SKIP,
        kernel_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(code_dim, code_bits, block_size, **kwargs)
        if not isinstance(hidden_units, (tuple, list)):
            raise ValueError(
                "Expected `hidden_units` to be a tuple of integers. Received: "
                f"hidden_units={hidden_units!r}."
            )
        self.hidden_units = tuple(
            _at_most("hidden_units", units, MAX_HIDDEN_UNITS)
            for units in hidden_units
        )
        if len(self.hidden_units) >= MAX_LAYERS:
            raise ValueError(
                f"Expected `hidden_units` of length at most {MAX_LAYERS - 1}. "
                f"Received: hidden_units={hidden_units}."
            )
        self.use_skip = use_skip
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Any) -> None:
        """Creates the weights."""
        widths = (self.code_dim, *self.hidden_units, self.block_size)
        last = len(widths) - 2
        self.kernels = []
        self.biases = []
        for index in range(last + 1):
            is_last = index == last
            # Two branches, dense and skip, share the output's variance.
            gain = (0.5 if self.use_skip else 1.0) if is_last else 2.0
            self.kernels.append(
                self.add_weight(
                    name=f"kernel_{index}",
                    shape=widths[index : index + 2],
                    initializer=self._initializer(gain),
                )
            )
            self.biases.append(
                self.add_weight(
                    name=f"bias_{index}",
                    shape=(widths[index + 1],),
                    initializer="zeros",
                )
            )
        if self.use_skip:
            self.skip_kernel = self.add_weight(
                name="skip_kernel",
                shape=(self.code_dim, self.block_size),
                initializer=self._initializer(0.5),
            )
        super().build(input_shape)

    def _initializer(self, gain: float) -> Any:
        return self.kernel_initializer or keras.initializers.VarianceScaling(
            gain, "fan_in"
        )

    def call(self, codes: tf.Tensor) -> tf.Tensor:
        """Maps codes to blocks; see the class."""
        levels = fake_quant.code_levels(codes, self.code_bits)
        if self.quantized:
            layers, skip = self.quantized_layers()
            blocks = fake_quant.generate_blocks(levels, layers, skip)
            return blocks * 2.0**-fake_quant.OUTPUT_EXPONENT
        inputs = levels * 2.0 ** -fake_quant.CODE_EXPONENT[self.code_bits]
        hidden = inputs
        for kernel, bias in zip(
            self.kernels[:-1], self.biases[:-1], strict=True
        ):
            hidden = tf.nn.relu(tf.matmul(hidden, kernel) + bias)
        blocks = tf.matmul(hidden, self.kernels[-1]) + self.biases[-1]
        if self.use_skip:
            blocks += tf.matmul(inputs, self.skip_kernel)
        return blocks

    def quantized_layers(
        self,
    ) -> tuple[
        list[fake_quant.QuantizedDense], fake_quant.QuantizedSkip | None
    ]:
        """Quantizes the weights; see `BaseGenerator`."""
        hidden = [fake_quant.HIDDEN_EXPONENT] * len(self.hidden_units)
        code_exponent = fake_quant.CODE_EXPONENT[self.code_bits]
        exponents = [code_exponent, *hidden, fake_quant.OUTPUT_EXPONENT]
        layers = [
            fake_quant.quantize_dense(kernel, bias, *exponents[i : i + 2])
            for i, (kernel, bias) in enumerate(
                zip(self.kernels, self.biases, strict=True)
            )
        ]
        if not self.use_skip:
            return layers, None
        acc_exponent = layers[-1].shift + float(fake_quant.OUTPUT_EXPONENT)
        return layers, fake_quant.quantize_skip(
            self.skip_kernel, code_exponent, acc_exponent
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, for `from_config`."""
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "use_skip": self.use_skip,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }


class _Scopes(threading.local):
    """Generators by name, one dictionary for each open scope."""

    def __init__(self) -> None:
        self.stack: list[dict[str, BaseGenerator]] = []


_SCOPES = _Scopes()


@contextlib.contextmanager
def generator_scope() -> Iterator[None]:
    """Inside it, equal generator names mean one generator.

    Keras rebuilds layers one by one when it clones or loads a model, and
    would give each its own copy of the generator. Open this scope around
    `keras.models.clone_model` or `keras.models.load_model`; `load_model` and
    `quantize_model` of this package open it themselves.
    """
    _SCOPES.stack.append({})
    try:
        yield
    finally:
        _SCOPES.stack.pop()


def resolve_generator(config: Any) -> BaseGenerator:
    """Returns the generator a layer's config describes, shared in a scope.

    Args:
        config: A generator, or its serialized form.

    Raises:
        ValueError: If the scope knows another generator by that name.
    """
    if isinstance(config, BaseGenerator):
        return config
    created = keras.saving.deserialize_keras_object(config)
    if not _SCOPES.stack:
        return created
    shared = _SCOPES.stack[-1].setdefault(created.name, created)
    new, old = created.get_config(), shared.get_config()
    if new != old:
        other = {
            key for key in new.keys() | old if new.get(key) != old.get(key)
        }
        differences = ", ".join(
            f"{key}={new.get(key)!r} after {old.get(key)!r}"
            for key in sorted(other)
        )
        raise ValueError(
            f"Expected one configuration of generator '{created.name}' in a "
            f"`generator_scope`. Received: {differences}. Give the generators "
            "different names."
        )
    return shared
