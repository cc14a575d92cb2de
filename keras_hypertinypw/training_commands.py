"""What each subcommand of `hypertinypw` that trains does.

TensorFlow is imported when they run.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib

from keras_hypertinypw import checks
from keras_hypertinypw.commands import EXIT_NEGATIVE, EXIT_OK, Outcome
from keras_hypertinypw.fit_kinds import KINDS
from keras_hypertinypw.progress import starting_tensorflow
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.tasks import TASKS


def train(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw train`."""
    return _run(train_config(options), options)


def train_config(options: argparse.Namespace) -> RunConfig:
    """Returns what the options of `train` say."""
    return RunConfig(
        dataset=options.dataset,
        stored=options.stored,
        width=options.width,
        hidden_units=tuple(options.hidden_units),
        code_dim=options.code_dim,
        code_bits=options.code_bits,
        block_size=options.block_size,
        use_skip=options.use_skip,
        generate_first=options.generate_first,
        per_channel=options.per_channel,
        schedule=dataclasses.replace(
            _schedule(options),
            kernel_bits=options.kernel_bits,
            kernel_per_channel=options.kernel_per_channel,
        ),
    )


def _schedule(options: argparse.Namespace) -> Schedule:
    """Returns the data set's schedule, but for what the user says."""
    said = {
        name: getattr(options, name)
        for name in ("float_epochs", "quantized_epochs")
        if getattr(options, name) is not None
    }
    return dataclasses.replace(
        TASKS[options.dataset].schedule, **said, seed=options.seed
    )


def fit(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw fit`."""
    budget_kb = checks.positive_number("budget_kb", options.budget_kb)
    with starting_tensorflow():
        from keras_hypertinypw import fit_report, fitting

    out = pathlib.Path(options.out)
    result = fitting.fit(
        options.dataset,
        int(budget_kb * 1024),
        out,
        schedule=_schedule(options),
        kinds=options.kinds or tuple(KINDS),
        num_seeds=options.num_seeds,
        data_dir=options.data_dir,
        download=options.download,
        command=options.command_line,
    )
    fit_report.write_picture(out / "fit.png", result)
    return EXIT_OK, fit_report.summary(result, out), result


def reproduce(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw reproduce`."""
    with starting_tensorflow():
        from keras_hypertinypw import reproduction

    result = reproduction.reproduce(
        options.dataset,
        pathlib.Path(options.out),
        width=options.width,
        schedule=_schedule(options),
        data_dir=options.data_dir,
        download=options.download,
        command=options.command_line,
    )
    return EXIT_OK, reproduction.table(result), result


def demo(options: argparse.Namespace) -> Outcome:
    """Implements `hypertinypw demo`."""
    schedule = Schedule(float_epochs=8, quantized_epochs=4, batch_size=32)
    config = RunConfig(width=32, schedule=schedule)
    options.data_dir, options.download = None, False
    status, text, result = _run(config, options)
    from keras_hypertinypw import reporting

    content = (pathlib.Path(options.out) / "model.tflite").read_bytes()
    return status, f"{text}\n\n{reporting.payoff(content)}", result


def _run(config: RunConfig, options: argparse.Namespace) -> Outcome:
    with starting_tensorflow():
        from keras_hypertinypw import html_report, reporting, runs

    out = pathlib.Path(options.out)
    result = runs.run(
        config,
        out,
        data_dir=options.data_dir,
        download=options.download,
        command=options.command_line,
    )
    reporting.write_picture(out / "result.png", result)
    html_report.write_page(out / "report.html", result)
    identical = result.get("verification", {}).get("identical", True)
    status = EXIT_OK if identical else EXIT_NEGATIVE
    return status, reporting.summary(result, out), result
