"""Headings, tables, times and saved pictures: what the demos share."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from timeit import Timer
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gradcompile.compiler.kernel import Kernel
from gradcompile.graph.value import Value

TIMING_ROUNDS = 9
"""How often each way of calling is timed, in turn with the others; the median counts."""

ROUND_SECONDS = 0.02
"""How long one way of calling is repeated in one round."""


def compiled_anew(kernel: Kernel) -> str:
    """Build the machine code, and say in a sentence what that took."""
    started = time.perf_counter()
    import gradcompile.jit  # noqa: F401  (numba, which it imports, is timed apart)

    imported = time.perf_counter()
    stats = kernel.njit.stats
    built = time.perf_counter()
    how = "load machine code" if stats.cache_hits else "compile"
    return f"{duration(imported - started)} to import numba, {duration(built - imported)} to {how}"


def heading(out: Console, title: str, says: str) -> None:
    """Print the title of a step, and what it says."""
    out.print()
    out.print(Text.assemble((title, "bold cyan"), "  ", (says, "dim")))
    out.print()


def table_of(*columns: str) -> Table:
    """Make a table with these columns; one that begins with > is of numbers."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column[:1] == ">" else "left"
        table.add_column(column.removeprefix(">"), justify=justify, no_wrap=True)
    return table


def medians(timers: list[Timer]) -> list[float]:
    """Measure the median time of each, in turns: what slows the machine down hits all alike."""
    counts = [max(1, int(ROUND_SECONDS * 100 / timer.timeit(100))) for timer in timers]
    rounds = [
        [timer.timeit(count) / count for timer, count in zip(timers, counts, strict=True)]
        for _ in range(TIMING_ROUNDS)
    ]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def duration(seconds: float) -> str:
    """Write a time with three digits, in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size / 10:
            return f"{seconds / size:.2f} {unit}"
    micros = seconds * 1e6
    return f"{micros:.{2 if micros < 10 else 1}f} µs"


def save_drawing(target: Value, output: str | None, default: str) -> Path:
    """Draw and save `target`, and return the path."""
    from gradcompile.show.drawing import draw  # graphviz loads on first use

    return saved(draw(target).save, output, default)


def saved(save: Callable[[Path], Path], output: str | None, default: str) -> Path:
    """Save as `output`, and return the path.

    Without `output`, save in the current directory, or in a temporary one if that cannot be
    written to.
    """
    if output is not None:
        return save(Path(output))
    try:
        return save(Path.cwd() / default)
    except OSError:
        return save(Path(tempfile.mkdtemp(prefix="gradcompile-")) / default)
