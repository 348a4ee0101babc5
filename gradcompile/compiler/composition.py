"""Kernels called with Values: what they derived becomes a part of the graph of these Values.

So compiled functions and their derivatives compose: in functions that are traced, and in eager
code, where `backward()` goes through them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.build import Build
from gradcompile.compiler.request import Request
from gradcompile.compiler.results import gradient_type
from gradcompile.graph.arrays import value_array
from gradcompile.graph.nested import Structure, unflatten
from gradcompile.graph.replay import replay
from gradcompile.graph.trace import Traced
from gradcompile.graph.value import Constant, TracedValue, Value
from gradcompile.ops.op import array_of
from gradcompile.support.arrays import AnyArray


def compose(
    arguments: Arguments,
    is_value: bool,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    build: Callable[[Traced], Build],
) -> Any:
    """Apply the program of a kernel to arguments with Values among them.

    The value of a function is what the function itself returns: so the names in it survive.

    Args:
        arguments: of the function.
        is_value: does the kernel compute the value?
        args: those that were given by position.
        kwargs: those that were given by name.
        build: finds the build of the kernel for a structure of arguments.

    Returns:
        What the kernel returns, with Values where it has numbers. Beside traced values numbers stay
        numbers; beside others they are Values of their own.
    """
    if is_value and arguments.function is not None:
        return arguments.function(*args, **kwargs)
    call = arguments.read(args, kwargs)
    bound = arguments.parameters.bind(args, kwargs)
    traced = arguments.traced(bound, call.structures, call.statics)
    built = build(traced)
    leaves = list(_leaves([call.given[name] for name in traced.arguments]))
    results = replay(built.program, leaves)
    if not any(isinstance(leaf, TracedValue) for leaf in leaves):
        results = [x if isinstance(x, Value) else Constant(x) for x in results]
    return unflatten(_results(built.request, call.structures), results, _array)


def _leaves(given: Sequence[list[Any]]) -> Iterator[Any]:
    """Go through the Values and the numbers that arguments are made of, one by one."""
    for items in given:
        for item in items:
            if isinstance(item, np.ndarray):
                yield from item.ravel().tolist()
            else:
                yield item


def _results(request: Request, structures: Mapping[str, Structure]) -> Structure:
    """The structure of what a kernel returns; the gradient's is that of the arguments as given."""
    mode, value = request.mode, request.traced.result
    if not mode.differentiates:
        return value
    kind = gradient_type(tuple(request.wrt))
    gradient = Structure(kind, kind._fields, tuple(structures[name] for name in request.wrt))
    return Structure(tuple, (), (value, gradient)) if mode.keeps_value else gradient


def _array(items: list[Any], shape: tuple[int, ...]) -> AnyArray:
    return array_of(value_array(items, shape))
