"""The demo `moons`: a network of `Value`s, compiled, learns to tell two moons apart."""

import inspect
import sys
import textwrap
import time
from pathlib import Path
from timeit import Timer
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gradcompile import api
from gradcompile.compiler.function import CompiledFunction
from gradcompile.compiler.kernel import Kernel
from gradcompile.demos import plot, two_moons
from gradcompile.demos.telling import compiled_anew, duration, heading, medians, saved, table_of
from gradcompile.demos.two_moons import Training
from gradcompile.graph.value import Value, topological
from gradcompile.ir.sweeps import REVERSE_SWEEP
from gradcompile.show.terminal import print_code
from gradcompile.support.arrays import FloatArray

SHOWN_STEPS = (0, 1, 9, 40, 99)
"""The steps of the lecture's table."""

EAGER_STEPS = 2
"""How many steps are made with Values, which take long."""


def moons(out: Console, output: str | None = None) -> None:
    """Show the two moons, from one loss over all of them to a trained network.

    Args:
        out: where to tell it.
        output: the file of the picture; without it, one in the current directory, or in a
            temporary one where that cannot be written to.

    Raises:
        OSError: `output` cannot be written.
        ValueError: `output` has a suffix that is no plot's, or there is no matplotlib for it.
    """
    if output is not None:
        _check_plot(output)
    X, y = two_moons.points()
    model = two_moons.network()
    start = model.flat

    root = two_moons.loss(model, X, y)
    counts = f"{len(X)} points, {len(start)} parameters, {len(topological(root)):,} nodes"
    heading(out, "Two moons", f"one graph for the loss: {counts}")
    print_code(out, inspect.getsource(two_moons.loss), "python")

    started = time.perf_counter()
    steps = _bar(range(EAGER_STEPS), "eager Values")
    values = two_moons.train(two_moons.eager(model, X, y), start, steps)
    eager = (time.perf_counter() - started) / EAGER_STEPS

    kernel, compiled = _compiled(root, model.parameters())
    heading(out, "Its code", "the loops found again; this is the forward sweep")
    _print_forward(out, kernel.source)

    steps = _bar(range(two_moons.STEPS), "machine code")
    machine = two_moons.train(kernel.flat, start, steps)
    heading(out, "Training", "the loss of all points, step by step")
    out.print(_losses(values, machine, X, y))

    heading(out, "One step", "for the loss and all its derivatives")
    out.print(_step_times(eager, kernel, start))
    out.print()
    out.print(compiled, style="dim")
    out.print(_training_time(eager, kernel, start), style="dim")

    heading(out, "Its picture", "where the network draws the line")
    _plot(out, machine, X, y, output)


def _compiled(root: Value, params: list[Value]) -> tuple[Kernel, str]:
    """Build the kernel of a loss with its machine code, and say what that took."""
    started = time.perf_counter()
    function: CompiledFunction = api.compile(
        root, inputs={"params": params}, name="loss", progress=sys.stderr.isatty()
    )
    kernel = function.value_and_grad
    kernel.source  # noqa: B018  (emitted on first use)
    emitted = time.perf_counter() - started
    return kernel, f"Before: {duration(emitted)} to emit, {compiled_anew(kernel)}."


def _print_forward(out: Console, source: str) -> None:
    """Print the forward sweep of a long text."""
    lines = source.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("def "))
    last = next(k for k, line in enumerate(lines) if line.startswith(f"    # {REVERSE_SWEEP}"))
    print_code(out, textwrap.dedent("\n".join(lines[first:last])), "python")
    out.print(f"# ... {last - first} of {len(lines)} lines", style="dim")


def _bar(steps: range, says: str) -> Any:
    """Show a progress bar over the steps, on a terminal; it goes when they are done."""
    from tqdm import tqdm  # loads on first use

    return tqdm(steps, says, leave=False, disable=None)


def _losses(values: Training, machine: Training, X: FloatArray, y: FloatArray) -> Table:
    table = table_of(">step", "eager Values", "machine code", ">accuracy")
    for step in SHOWN_STEPS:
        by_values = repr(values.losses[step]) if step < EAGER_STEPS else ""
        right = two_moons.accuracy(two_moons.scores(machine.params[step], X), y)
        table.add_row(str(step), by_values, repr(machine.losses[step]), f"{right:.0%}")
    return table


def _step_times(eager: float, kernel: Kernel, start: FloatArray) -> Table:
    names = {"flat": kernel.flat, "njit": kernel.njit, "start": start}
    by_flat, by_njit = medians(
        [Timer(f"{name}(start)", globals=names) for name in ("flat", "njit")]
    )
    table = table_of("", "", ">time", ">faster")
    for what, how, seconds in (
        ("eager Values", "a new graph, then backward()", eager),
        ("machine code", "one array in, one out, by .flat", by_flat),
        ("machine code", "the emitted function, by .njit", by_njit),
    ):
        table.add_row(what, how, duration(seconds), f"{eager / seconds:,.0f}×")
    return table


def _training_time(eager: float, kernel: Kernel, start: FloatArray) -> str:
    started = time.perf_counter()
    steps = len(two_moons.train(kernel.flat, start).losses)
    seconds = time.perf_counter() - started
    by_values = duration(eager * steps)
    return f"All {steps} steps: {duration(seconds)}; with Values they would take {by_values}."


def _check_plot(output: str) -> None:
    try:
        plot.check(output)
    except ModuleNotFoundError as error:
        raise ValueError(str(error)) from None


def _plot(
    out: Console, machine: Training, X: FloatArray, y: FloatArray, output: str | None
) -> None:
    """Draw where the trained network draws the line; say where, or why not."""
    if not plot.available():
        out.print(f"No picture of the decision boundary, as {plot.MISSING}", markup=False)
        return

    trained = machine.params[-1]
    right = two_moons.accuracy(two_moons.scores(trained, X), y)
    title = f"Two moons: accuracy {right:.0%} after {len(machine.losses)} steps"

    def save(path: Path) -> Path:
        return plot.decision_boundary(
            lambda points: two_moons.scores(trained, points), X, y, path, title
        )

    with out.status("matplotlib draws ..."):
        picture = saved(save, output, "moons.png")
    out.print(Text(str(picture)), soft_wrap=True)
