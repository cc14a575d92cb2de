import os
import signal
import sys
import threading
import time
import weakref

import pytest

from keras_hypertinypw import interruption


def wait() -> None:
    """Spends a minute, if nobody interrupts."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.001)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_and_noted(number):
    with interruption.noted() as signals:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
            wait()
    assert signals == [number]


class Object:
    pass


def test_what_a_callback_drops_is_raised_again():
    with interruption.noted() as signals:
        with pytest.raises(KeyboardInterrupt):
            something = Object()
            reference = weakref.ref(
                something, lambda _: signal.raise_signal(signal.SIGINT)
            )
            del something
            wait()
    assert reference() is None
    assert signals == [signal.SIGINT]


def test_other_dropped_exceptions_are_reported(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    with interruption.noted():
        something = Object()
        reference = weakref.ref(something, lambda _: 1 / 0)
        del something
    assert reference() is None
    assert [dropped.exc_type for dropped in reported] == [ZeroDivisionError]


def test_handlers_are_those_of_before_in_the_end():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    hook = sys.unraisablehook
    with interruption.noted():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in numbers] == before
    assert sys.unraisablehook is hook


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruption.noted() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        assert signals == []
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_have_no_signals():
    received = []

    def enter():
        with interruption.noted() as signals:
            received.append(signals)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert received == [[]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_held_signal_is_raised_behind_the_block(number):
    ended = threading.Event()
    other = threading.Thread(target=ended.wait)  # Takes what is masked here.
    other.start()
    reached = False
    try:
        with interruption.noted() as signals:
            with pytest.raises(KeyboardInterrupt), interruption.held():
                os.kill(os.getpid(), number)
                time.sleep(0.05)
                assert not signals
                reached = True
    finally:
        ended.set()
        other.join()
    assert reached
    assert signals == [number]


def test_what_is_ignored_stays_ignored_while_held():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruption.held():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
