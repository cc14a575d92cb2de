"""SIGINT and SIGTERM, wherever they arrive."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Terminals; batch systems.
_AGAIN_SECONDS = 0.01


@contextlib.contextmanager
def noted() -> Iterator[list[int]]:
    """Raises KeyboardInterrupt at both signals, and lists those that came.

    The exception may come out of TensorFlow's C++ as another one; the list
    tells what it was. Python drops what is raised in a destructor or a
    callback of weakref: then it is raised again, a moment later. A signal
    that the process was started to ignore, as by `nohup`, stays ignored.
    Threads other than the main one get no signals: there it does nothing.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    report = sys.unraisablehook

    def note(number: int, frame: FrameType | None) -> None:
        if number in _SIGNALS:
            received.append(number)
        raise KeyboardInterrupt

    def raise_again(dropped: sys.UnraisableHookArgs) -> None:
        if dropped.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            report(dropped)

    with _handled_by(note, (*_SIGNALS, signal.SIGALRM)):
        sys.unraisablehook = raise_again
        try:
            yield received
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.unraisablehook = report


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Lets both signals wait for the end of the block.

    An exception in the middle of TensorFlow's import ends the process with
    SIGABRT, or is lost. A mask would not do: other threads take the signal
    then, and Python raises in the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    try:
        with _handled_by(lambda number, _: received.append(number), _SIGNALS):
            yield
    finally:
        for number in received:
            signal.raise_signal(number)


@contextlib.contextmanager
def _handled_by(
    handler: Callable[[int, FrameType | None], None],
    numbers: Iterable[signal.Signals],
) -> Iterator[None]:
    """Sets the handler of signals, but of ignored ones, until the end."""
    before = {
        number: signal.signal(number, handler)
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
