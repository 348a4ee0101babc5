"""Rows spread over threads: each computes some of the rows, while machine code holds no lock."""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Result = TypeVar("Result")

MAX_POOLS = 8
"""Numbers of threads, each with a pool of its own; the threads of one that is dropped end."""


def cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(MAX_POOLS)
def _pool(threads: int) -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor  # loads on first use

    return ThreadPoolExecutor(threads, thread_name_prefix="gradcompile")


if hasattr(os, "register_at_fork"):  # a forked process has the pools, but none of their threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def spread(
    work: Callable[[int, int], Result], rows: int, threads: int, least: int
) -> Sequence[Result]:
    """Run `work(start, stop)` for parts of the rows, each in a thread; the results in order.

    Args:
        work: is given the first row of a part, and where it ends.
        rows: how many there are.
        threads: how many parts; fewer, if a part would have less than `least` rows.
        least: the fewest rows that are worth a thread.

    Example:
        >>> spread(lambda start, stop: stop - start, 1000, 3, least=100)
        [333, 333, 334]
    """
    parts = max(1, min(threads, rows // least))
    bounds = [rows * part // parts for part in range(parts + 1)]
    first, *others = pairwise(bounds)
    started = [_pool(threads).submit(work, *part) for part in others]
    return [work(*first), *(future.result() for future in started)]
