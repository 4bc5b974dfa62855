"""Ctrl-C as a request: the first finishes what is at hand and keeps it, the second aborts.

A closed terminal and SIGTERM abort at once: killed outright, the run would count as in progress in Dagster for ever.

Work runs in a thread of its own while the main thread waits for it and for signals. Inside the main thread Dagster
would put its own handler in place around every step and end the run at once.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from types import FrameType
from typing import TypeVar

from alpha_pipeline.cli import ABORTED, INTERRUPTED

Result = TypeVar("Result")

ENDINGS = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
PATIENCE = 5.0  # seconds that work has to end after an abort; writes are all or nothing, so it may be cut off then
STACK = 16 << 20  # bytes; other systems give threads much less than their main one


def interruptible(work: Callable[[], Result], stop: Callable[[], None]) -> Result:
    """What `work` returns or raises; `stop` is called at the first Ctrl-C.

    Raises:
        KeyboardInterrupt: at the second, or at one of ENDINGS, once the work has ended. Work that does not end takes
            the process with it.
    """
    results: list[Result] = []
    errors: list[BaseException] = []
    ended = threading.Event()  # and not Thread.join: in Python 3.11 one that is interrupted takes the thread for ended

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # handed to the caller, whatever it is
            errors.append(error)
        finally:
            ended.set()

    before = threading.stack_size(STACK)
    thread = threading.Thread(target=copy_context().run, args=(run,), name="work", daemon=True)
    presses, aborted = 0, False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal presses, aborted
        presses += 1
        if presses == 1 and number == signal.SIGINT:
            stop()
        elif not aborted:
            aborted = True
            raise KeyboardInterrupt

    endings = [each for each in ENDINGS if signal.getsignal(each) is signal.SIG_DFL]  # nohup has one ignored
    previous = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, *endings)}
    try:
        thread.start()
        threading.stack_size(before)
        while not ended.wait(0.1):  # short, so that signals are handled at once on every system
            pass
    except KeyboardInterrupt:
        _abort(thread, ended)
        raise
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
    if errors:
        raise errors[0]
    return results[0]


def _abort(thread: threading.Thread, ended: threading.Event) -> None:
    """Raise KeyboardInterrupt inside the work, so that Dagster records how its run ended; or end the process."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(KeyboardInterrupt))
    if not ended.wait(PATIENCE):
        sys.stderr.write(ABORTED)
        sys.stderr.flush()
        os._exit(INTERRUPTED)
