"""Python's cyclic garbage collector, paused while large programs are built."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No cycles are looked for inside; as a decorator, while the function runs.

    A compilation makes millions of small objects and no cycles. The collector visits all of them
    again and again as they grow in number, which takes longer than the compilation itself.

    >>> with collector_paused():
    ...     gc.isenabled()
    False
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
