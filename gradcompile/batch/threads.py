"""Rows spread over threads: each computes some of the rows, while machine code holds no lock."""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gradcompile.compiler.request import Request
from gradcompile.ir.nests import BLOCK_ROWS

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Result = TypeVar("Result")

MIN_ROWS_OF_A_THREAD = 4 * BLOCK_ROWS
"""The fewest rows that are worth a thread."""

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


def over_threads(request: Request, run: Callable[..., Any]) -> Callable[..., Any]:
    """Let machine code work on its rows in threads, if that was asked for.

    Args:
        request: what was built.
        run: machine code, of the emitted parameters.
    """
    threads, least = request.options.threads, MIN_ROWS_OF_A_THREAD
    if threads == 1:
        return run
    groups = request.signature.parameters
    first = next(k for k, group in enumerate(groups) if group.is_row)

    def spread_run(*arguments: Any) -> Any:
        rows = len(arguments[first])
        if rows < 2 * least:
            return run(*arguments)

        def part(start: int, stop: int) -> Any:
            pairs = zip(groups, arguments, strict=True)
            some = [x[start:stop] if group.is_row else x for group, x in pairs]
            return stop - start, run(*some)

        return _joined(request, spread(part, rows, threads, least))

    return spread_run


def _joined(request: Request, parts: Sequence[tuple[int, Any]]) -> Any:
    """The result for all rows from those for some rows each; the same for the same parts.

    Args:
        request: what was built.
        parts: how many rows each had, and its result.
    """
    if len(parts) == 1:
        return parts[0][1]
    signature, counts = request.signature, [count for count, _ in parts]
    columns = zip(*(signature.flatten(result) for _, result in parts), strict=True)
    joined = []
    for group, column in zip(signature.results, columns, strict=True):
        pieces = list(column)
        if request.options.reduce == "mean":  # each is divided by the number of its own rows
            pieces = [x * (n / sum(counts)) for x, n in zip(column, counts, strict=True)]
        joined.append(np.concatenate(pieces) if group.is_row else sum(pieces[1:], pieces[0]))
    return signature.nest(joined)
