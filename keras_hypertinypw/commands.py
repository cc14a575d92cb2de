"""What each subcommand of `hypertinypw` that reads a model does.

TensorFlow is imported by those that need it, when they run.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
from collections.abc import Callable

from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.input_files import load_array
from keras_hypertinypw.progress import stage, starting_tensorflow
from keras_hypertinypw.tasks import TASKS

EXIT_OK, EXIT_NEGATIVE = 0, 1

# Exit status, text for people, and what `--json` prints.
Outcome = tuple[int, str, dict]
Command = Callable[[argparse.Namespace], Outcome]


def convert(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw convert`."""
    with starting_tensorflow():
        from keras_hypertinypw import conversion_input, runs

    path = pathlib.Path(options.model)
    stored, kernel_bits = False, 8
    with stage("Loading"):
        if path.is_dir():
            model, config = runs.load_quantized(path)
            stored = config.stored
            kernel_bits = config.schedule.kernel_bits
        else:
            model = conversion_input.load_and_quantize(
                path, options.calibration_data
            )
    with stage("Converting"):
        content = runs.to_tflite(
            model,
            stored=stored,
            kernel_bits=kernel_bits,
            residency=options.residency,
            synthesis=options.synthesis,
            arena_budget=options.arena_budget,
        )
    write_atomically(pathlib.Path(options.out), content)
    status, text, record = _written(options.out, content)
    if options.arena_budget is not None and not stored:
        from keras_hypertinypw.planner import describe_residencies

        text += f"\n{describe_residencies(content, options.arena_budget)}"
    return status, text, record


def evaluate(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw evaluate`."""
    from keras_hypertinypw import scoring

    content = _read_embedded(options)
    task = TASKS[options.dataset]
    found = scoring.evaluate(content, *_load_data(options), task=task)
    record = {
        "dataset": options.dataset,
        **found.scores.to_dict(),
        "arena_bytes": found.arena_bytes,
    }
    return EXIT_OK, f"On {task.title}, test split\n{found.scores}", record


def _load_data(options: argparse.Namespace) -> list[Windows]:
    return [
        TASKS[options.dataset].load(
            split, data_dir=options.data_dir, download=options.download
        )
        for split in ("validation", "test")
    ]


def int4(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw int4`."""
    from keras_hypertinypw.int4 import pack_int4

    before, generator = _read(options.model), _read_generator(options)
    after = pack_int4(before, layers=options.layers)
    return _write_measured(options, before, after, generator)


def narrow(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw narrow`."""
    from keras_hypertinypw.bias_narrowing import narrow_biases

    before, generator = _read(options.model), _read_generator(options)
    after = narrow_biases(before)
    return _write_measured(options, before, after, generator)


def _write_measured(
    options: argparse.Namespace,
    before: bytes,
    after: bytes,
    generator: bytes | None,
) -> Outcome:
    """Writes a file whose values changed, and measures what that costs."""
    from keras_hypertinypw import int4_cost

    # The file that is written still refers to it.
    files = _embedded(before, generator), _embedded(after, generator)
    cost: int4_cost.Cost
    with stage("Measuring"):
        if options.dataset is not None:
            cost = int4_cost.compare_scores(
                *files,
                *_load_data(options),
                task=TASKS[options.dataset],
            )
        else:
            inputs = None
            if options.inputs is not None:
                inputs = load_array("--inputs", options.inputs)
            cost = int4_cost.compare_outputs(*files, inputs)
    write_atomically(pathlib.Path(options.out), after)
    status, text, record = _written(options.out, after)
    record = {
        **record,
        "num_bytes_before": len(before),
        "cost": dataclasses.asdict(cost),
    }
    return status, f"{text[:-1]}, before {len(before):,} B.\n{cost}", record


def footprint(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw footprint`."""
    from keras_hypertinypw import footprint as count
    from keras_hypertinypw.device import device_footprint
    from keras_hypertinypw.errors import ConversionError
    from keras_hypertinypw.interpreter import Interpreter
    from keras_hypertinypw.savings import measure_savings

    content, generator = _read(options.model), _read_generator(options)
    # Bad files fail here, before TFLM starts.
    sizes = count(content, generator=generator)
    with Interpreter(content, generator=generator) as interpreter:
        sizes = dataclasses.replace(
            sizes, arena_bytes=interpreter.arena_used_bytes
        )
    try:
        # Where the generator lies changes neither arena nor instructions.
        device = device_footprint(_embedded(content, generator))
        prediction = str(device)
    except ConversionError as error:
        device, prediction = None, f"arena, predicted: none. {error}"
    try:
        with stage("Building smaller forms"):
            savings = measure_savings(content)
        smaller = str(savings)
    except ConversionError as error:
        savings, smaller = None, f"smaller forms: none. {error}"
    if options.report:
        # Loads matplotlib, which nothing else here needs.
        from keras_hypertinypw import html_footprint

        html_footprint.write_page(
            pathlib.Path(options.report),
            pathlib.Path(options.model).name,
            sizes,
            content,
            device,
            savings,
            command=options.command_line,
            generator=generator,
        )
    record = {
        **sizes.to_dict(),
        "device": device and device.to_dict(),
        "savings": savings and savings.to_dict(),
    }
    return EXIT_OK, f"{sizes}\n{smaller}\n{prediction}", record


def verify(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw verify`."""
    from keras_hypertinypw import verification

    result = verification.verify(
        _read(options.model), generator=_read_generator(options)
    )
    status = EXIT_OK if result.identical else EXIT_NEGATIVE
    return status, str(result), dataclasses.asdict(result)


def materialize(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw materialize`."""
    from keras_hypertinypw import materialize as fold

    content = fold(_read(options.model), generator=_read_generator(options))
    write_atomically(pathlib.Path(options.out), content)
    return _written(options.out, content)


def slim(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw slim`."""
    from keras_hypertinypw.slim import slim_with_report

    content = _read(options.model)
    slimmed, report = slim_with_report(
        content,
        desktop=options.desktop,
        keep_metadata=options.keep_metadata,
        keep_signatures=options.keep_signatures,
        generator=_read_generator(options),
    )
    write_atomically(pathlib.Path(options.out), slimmed)
    status, text, record = _written(options.out, slimmed)
    saved = 1 - len(slimmed) / len(content)
    text = f"{text} {saved:.1%} smaller.\n{report.comparison}"
    if options.report:
        text = f"{text}\n{report}"
    return status, text, {**record, **report.to_dict()}


def share(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw share`."""
    from keras_hypertinypw import shared_files, shared_generator

    names = [pathlib.Path(path).name for path in options.models]
    shared_files.require_room(names, options.out)
    contents = [_read(path) for path in options.models]
    generator = _read_generator(options)
    with stage("Comparing in TFLM"):
        firmware = shared_generator.share_generator(
            contents,
            generator=generator,
            names=[f"'{name}'" for name in names],
        )
    shared_files.write_shared(firmware, names, options.out)
    before, after = sum(map(len, contents)), firmware.num_bytes
    sizes = dict(zip(names, map(len, firmware.model_contents), strict=True))
    lines = [f"{name}: {size:,} B" for name, size in sizes.items()]
    lines += [
        f"{shared_files.GENERATOR_FILE}: {len(firmware.generator):,} B",
        f"Wrote {options.out}: {after:,} B in all, before {before:,} B. Every "
        "output that TFLM computes is the same.",
    ]
    record = {
        "path": options.out,
        "models": sizes,
        "generator_bytes": len(firmware.generator),
        "num_bytes": after,
        "num_bytes_before": before,
    }
    return EXIT_OK, "\n".join(lines), record


def patch(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw patch`."""
    from keras_hypertinypw.patches import make_patch

    old, new = _read(options.old), _read(options.new)
    content = make_patch(old, new)
    write_atomically(pathlib.Path(options.out), content)
    status, text, record = _written(options.out, content)
    share = len(content) / len(new)
    text = f"{text} {share:.1%} of {options.new}, {len(new):,} B."
    return status, text, {**record, "num_bytes_new": len(new)}


def export_arduino(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw export_arduino`."""
    from keras_hypertinypw import arduino

    content = _read_embedded(options)
    with stage("Running golden inputs, writing"):
        exported = arduino.export_arduino(
            content,
            options.out,
            arena_size=options.arena_size,
            sketch_name=options.sketch_name,
            synthesis=options.synthesis,
            op_build=options.op_build,
        )
    return EXIT_OK, str(exported), exported.to_dict()


def _read_embedded(options: argparse.Namespace) -> bytes:
    """Reads a model, with the generator that it may refer to put back."""
    return _embedded(_read(options.model), _read_generator(options))


def _embedded(content: bytes, generator: bytes | None) -> bytes:
    from keras_hypertinypw.shared_generator import embed_generator

    if generator is None:
        return content
    return embed_generator(content, generator)


def _read_generator(options: argparse.Namespace) -> bytes | None:
    if options.generator is None:
        return None
    return _read(options.generator, "the generator.bin that `share` wrote")


def _read(path: str, what: str = "a .tflite file") -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise OSError(
            f"Expected {what}. Received: '{path}': {error.strerror}. "
            "Check the path."
        ) from error


def _written(path: str, content: bytes) -> Outcome:
    text = f"Wrote {path}, {len(content):,} B."
    return EXIT_OK, text, {"path": path, "num_bytes": len(content)}
