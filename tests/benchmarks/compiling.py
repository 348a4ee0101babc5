"""Compile times of straight-line text: translated, beside numba's own way for the same text.

Run by `python -m tests.benchmarks.compiling`. Seconds are those of a core, with an empty cache,
behind a first function that makes numba load what it needs. numba's own way is asked for by leaving
the source out, which nothing but this and the tests does.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import gradcompile as gdc
from gradcompile import Value
from gradcompile.compiler.machine_code import Target
from tests.benchmarks.timing import by_turns, calls_in, ratio
from tests.benchmarks.works import irregular

TURNS = 9
SPAN = 0.02


class Compiled(NamedTuple):
    """Machine code, and the seconds that it took a core."""

    run: Any
    seconds: float


def neuron() -> tuple[Value, list[Value]]:
    """The neuron of the lecture."""
    inputs = [Value(0.5 * k, name) for k, name in enumerate(("x1", "x2", "w1", "w2", "b"))]
    x1, x2, w1, w2, b = inputs
    return (x1 * w1 + x2 * w2 + b).tanh(), inputs


def target_of(root: Value, inputs: Sequence[Value]) -> tuple[Target, list[Any]]:
    """The straight text of value and gradient, and the arguments that its function takes."""
    kernel = gdc.compile(root, inputs=list(inputs), roll=False, cache=False).value_and_grad
    target = kernel._build().target
    arguments = target.signature.arguments(np.array([x.data for x in inputs]))
    return target, [x if np.ndim(x) else float(x) for x in arguments]


def made(target: Target, translated: bool) -> Compiled:
    """Compile a function in one of the two ways."""
    from gradcompile.jit import entry, jit

    source = target.source if translated else ""
    start = time.process_time()
    dispatcher = jit(target.function, target.signature, source=source, use_cache=False)
    return Compiled(entry(dispatcher), time.process_time() - start)


def compare(name: str, root: Value, inputs: Sequence[Value]) -> None:
    """Compile both ways, and call the two by turns."""
    target, given = target_of(root, inputs)
    ours, numbas = made(target, True), made(target, False)
    count = calls_in(ours.run, tuple(given), SPAN)
    pair = {"ours": (ours.run, tuple(given), count), "numba": (numbas.run, tuple(given), count)}
    times = by_turns(pair, TURNS)
    print(
        f"{name}, {len(target.source.splitlines())} lines: {ours.seconds:.3f} s, by numba alone "
        f"{numbas.seconds:.3f} s, ratio {ours.seconds / numbas.seconds:.3f}; "
        f"calls {ratio(times['ours'], times['numba']):.2f}"
    )


def main() -> None:
    """Print all rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=2_000, help="operations, both ways")
    parser.add_argument("--large", type=int, default=20_000, help="operations, translated")
    options = parser.parse_args()
    made(target_of(*neuron())[0], False)
    for turn in range(3):
        compare(f"neuron, turn {turn + 1}", *neuron())
    rates = {}
    for size in (options.small, options.large):
        work = irregular(size)
        target, _ = target_of(work.loss(), work.parameters)
        rates[size] = made(target, True).seconds / size
        print(f"irregular, {size} operations: {1e3 * rates[size]:.2f} ms each", flush=True)
    print(f"large by small: {rates[options.large] / rates[options.small]:.2f}", flush=True)
    work = irregular(options.small)
    compare(f"irregular, {options.small} operations", work.loss(), work.parameters)


if __name__ == "__main__":
    main()
