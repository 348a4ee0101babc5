"""Emitted functions on flat arrays: what they take and return as a list of numbers, or one array.

An emitted function has the parameters of the user's; a test that runs many of them alike wants
all inputs as one array, and all results as numbers in order.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcompile.compiler.plans import plan
from gradcompile.emit.parts import LIMIT
from gradcompile.emit.straight import emit
from gradcompile.ir.program import Program
from gradcompile.ir.signature import ADJOINT, Bundle, Signature, flat_signature

OnFlat = Callable[[Sequence[float]], tuple[float, Any]]
"""Takes all inputs; gives the value and the gradient, a flat array."""


def flat(results: Any) -> list[float]:
    """The numbers of a kernel's or the interpreter's result, however nested, in order."""
    return list(_numbers(results))


def _numbers(results: Any) -> Iterator[float]:
    for part in results if isinstance(results, list | tuple) else [results]:
        if isinstance(part, list | tuple):
            yield from _numbers(part)
        else:
            yield from map(float, np.ravel(part))


def signature_of(kernel: Any) -> Signature:
    """What the emitted function of a kernel takes and returns."""
    signature: Signature = kernel._build().request.signature
    return signature


def of_flat(function: Callable[..., Any], signature: Signature) -> Callable[..., list[float]]:
    """A function with a signature, on all inputs as one list: gives its results as one list."""

    def run(at: Sequence[float], *rows: Any) -> list[float]:
        given = signature.arguments(np.array(at, np.float64))
        # IEEE results; numpy scalars only announce some of them.
        with np.errstate(all="ignore"):
            return flat(function(*given, *rows))

    return run


def python_of(kernel: Any) -> Callable[..., tuple[float, Any]]:
    """The emitted text of a `value_and_grad` kernel as CPython runs it, on all inputs.

    Arrays of rows, where the function takes any, are given behind them.
    """
    run = of_flat(kernel.python, signature_of(kernel))

    def value_and_gradient(at: Sequence[float], *rows: Any) -> tuple[float, Any]:
        value, *gradient = run(at, *rows)
        return value, np.array(gradient)

    return value_and_gradient


def by_number(program: Program) -> tuple[Program, Signature]:
    """A program as a function of numbers alone; what is behind the value is the gradient."""
    names = [f"x{k}" for k in range(len(program.inputs))]
    given = tuple(Bundle(name, None, k) for k, name in enumerate(names))
    results = [Bundle(f"{name}{ADJOINT}", None, k) for k, name in enumerate(names)]
    outputs = tuple(program.flat_outputs)
    value, gradient = Bundle("value", None, 0), tuple(results[: len(outputs) - 1])
    return replace(program, outputs=outputs), Signature(given, (value,), gradient or None)


def emit_flat(program: Program, function: str = "f", summary: str = "", limit: int = LIMIT) -> str:
    """The text of a program as a function on the flat array of its inputs."""
    return emit(program, flat_signature(program), function, summary, limit)


def emit_kernel(kernel: Any, function: str = "f", summary: str = "", limit: int = LIMIT) -> str:
    """The straight text of a kernel's program, with the kernel's signature."""
    return emit(kernel.program, signature_of(kernel), function, summary, limit)


def by_text(
    kernel: Any, args: Sequence[Any], kwargs: Mapping[str, Any], direction: Any = None
) -> Any:
    """Call a kernel by its emitted text under CPython, so that no machine code is made.

    Arguments are read, and results put into their structure, as by a call. A direction is given
    as to the kernel itself.
    """
    named = {} if direction is None else kernel._named(direction, args, kwargs)
    call = kernel._read(tuple(args), {**kwargs, **named})
    request = kernel._build(call.traced).request
    wrap = kernel._wrap(request)
    return plan(request, kernel.__signature__, call, "by text", kernel.python, wrap)(call.given)
