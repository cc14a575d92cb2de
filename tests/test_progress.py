"""What long steps show, on a terminal and in a file."""

import io
import os
import sys

import pytest

from keras_hypertinypw import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def redirect(monkeypatch, log):
    """Puts a file, or what says it is a terminal, in the place of stderr."""
    monkeypatch.setattr(sys, "stderr", log)
    return log


def test_a_file_gets_lines(monkeypatch):
    log = redirect(monkeypatch, io.StringIO())
    with progress.progress_bar(total=500, desc="outer") as outer:
        for _ in progress.progress_bar(range(500), desc="inner"):
            outer.update()
    lines = log.getvalue().splitlines()
    assert [line.split("|")[0] for line in lines] == [
        "outer:   0%",
        "inner:   0%",
        "inner: 100%",
        "outer: 100%",
    ]
    assert not {"\r", "\x1b"} & set(log.getvalue())


def test_an_epoch_is_a_line(monkeypatch):
    log = redirect(monkeypatch, io.StringIO())
    with progress.progress_bar(total=2) as bar:
        bar.update()
        bar.set_postfix(loss="0.5")
    assert "1/2" in log.getvalue().splitlines()[1]
    assert "loss=0.5" in log.getvalue().splitlines()[1]


def test_a_terminal_gets_a_bar(monkeypatch):
    log = redirect(monkeypatch, Terminal())
    with progress.stage("Waiting"):
        pass
    assert log.getvalue().endswith("\rWaiting: 1/1\n")


def test_a_stage_has_a_beginning_and_an_end(monkeypatch):
    log = redirect(monkeypatch, io.StringIO())
    with progress.stage("Waiting"):
        assert log.getvalue() == "Waiting: 0/1\n"
    assert log.getvalue() == "Waiting: 0/1\nWaiting: 1/1\n"


def start(error=None):
    with progress.starting_tensorflow():
        os.write(2, b"a notice\n")
        if error is not None:
            raise error


def test_notices_are_dropped(monkeypatch, capfd):
    monkeypatch.setenv(progress.LOG_VARIABLE, progress.QUIET)
    start()
    os.write(2, b"later\n")
    err = capfd.readouterr().err
    assert "a notice" not in err and "later" in err


def test_notices_before_a_failure_appear(monkeypatch, capfd):
    monkeypatch.setenv(progress.LOG_VARIABLE, progress.QUIET)
    with pytest.raises(ImportError):
        start(ImportError("no TensorFlow"))
    assert "a notice" in capfd.readouterr().err


def test_who_asks_for_notices_gets_them(monkeypatch, capfd):
    monkeypatch.setenv(progress.LOG_VARIABLE, "0")
    start()
    assert "a notice" in capfd.readouterr().err
