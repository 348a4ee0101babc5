"""Python's cyclic garbage collector, paused while large programs are built."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class _Pauses:
    """The pauses of all threads, for the collector is that of the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._was_enabled = False

    def begin(self) -> None:
        with self._lock:
            if not self._count:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._count += 1

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if self._was_enabled and not self._count:
                gc.enable()


_pauses = _Pauses()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Look for no cycles inside; as a decorator, while the function runs.

    A compilation makes millions of small objects and no cycles. The collector visits all of them
    again and again as they grow in number, which takes longer than the compilation itself. It goes
    on when the last of the threads that compile is done.

    >>> with collector_paused():
    ...     gc.isenabled()
    False
    """
    _pauses.begin()
    try:
        yield
    finally:
        _pauses.end()
