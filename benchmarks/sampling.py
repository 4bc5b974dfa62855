"""Where threads are, looked at many times a second: Python stacks of all threads but this one's.

Kernels release the GIL and have no Python frame, so each is called through a frame of its name while the sampler runs.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.engine.plan import MASK

Stack = tuple[str, ...]
TASKS = Path("/proc/self/task")
"""Where Linux tells the state of each thread; elsewhere all count as busy."""
KERNEL = "kernel"


class Sampler(threading.Thread):
    """Counts stacks every `period` seconds, outermost frame first."""

    def __init__(self, period: float) -> None:
        super().__init__(name="sampler", daemon=True)
        self.period = period
        self.stacks: Counter[Stack] = Counter()
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self.period):
            frames = sys._current_frames()
            for thread in threading.enumerate():
                frame = frames.get(thread.ident or 0)
                if thread is not self and frame is not None and _runs(thread.native_id):
                    stack = tuple(reversed(list(_frames(frame))))
                    if stack:
                        self.stacks[stack] += 1

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _runs(task: int | None) -> bool:
    """Whether a thread is running or could be, and does not wait for another or for work."""
    try:
        state = (TASKS / str(task) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return not TASKS.exists()
    return state == "R"


def _frames(frame: FrameType | None) -> Iterator[str]:
    """Names of our own frames and of kernels, innermost first; others are folded into who called them."""
    while frame is not None:
        code = frame.f_code
        parts = Path(code.co_filename).parts
        if code.co_filename == KERNEL:
            yield code.co_name
        elif "alpha_pipeline" in parts:
            inside = parts[len(parts) - parts[::-1].index("alpha_pipeline") :]
            yield f"{'.'.join(inside).removesuffix('.py')}:{code.co_qualname.replace('.<locals>', '')}"
        frame = frame.f_back


@contextmanager
def sampled(period: float = 0.004) -> Iterator[Sampler]:
    """Samples while the block runs."""
    kernels = {**KERNELS, "universe mask": MASK}
    runs = {name: kernel.run for name, kernel in kernels.items()}
    for name, kernel in kernels.items():
        object.__setattr__(kernel, "run", _named(f"{name}()", kernel.run))
    sampler = Sampler(period)
    sampler.start()
    try:
        yield sampler
    finally:
        sampler.stop()
        for name, kernel in kernels.items():
            object.__setattr__(kernel, "run", runs[name])


def _named(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """The same call, from a frame of that name."""

    def call(*arguments: Any) -> Any:
        return run(*arguments)

    code: CodeType = call.__code__.replace(co_name=name, co_qualname=name, co_filename=KERNEL)
    return FunctionType(code, call.__globals__, name, None, call.__closure__)
