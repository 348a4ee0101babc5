"""Kernels called with Values: what they derived becomes a part of the graph of these Values.

So compiled functions and their derivatives compose: in functions that are traced, and in eager
code, where `backward()` goes through them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from gradcompile.compiler.plans import returned_parts
from gradcompile.compiler.programs import differentiable
from gradcompile.compiler.request import Request
from gradcompile.compiler.unpacking import ReturnedPart
from gradcompile.graph.arrays import value_array
from gradcompile.graph.nested import Structure, unflatten
from gradcompile.graph.replay import replay
from gradcompile.graph.value import Constant, TracedValue, Value
from gradcompile.ir.program import Program
from gradcompile.ops.op import array_of
from gradcompile.support.arrays import AnyArray
from gradcompile.support.timing import Stages


def compose(
    request: Request, given: Mapping[str, list[Any]], structures: Mapping[str, Structure]
) -> Any:
    """Apply the program of a kernel to arguments with Values among them.

    Args:
        request: says what the kernel computes.
        given: what each argument is made of.
        structures: of the arguments, as they are given.

    Returns:
        What the kernel returns, with Values where it has numbers. Beside traced values numbers stay
        numbers; beside others they are Values of their own.
    """
    leaves = list(_leaves([given[name] for name in request.traced.arguments]))
    results = replay(program_of(request), leaves)
    if not any(isinstance(leaf, TracedValue) for leaf in leaves):
        results = [x if isinstance(x, Value) else Constant(x) for x in results]
    return unflatten(result_structure(request, structures), results, _array)


def result_structure(request: Request, structures: Mapping[str, Structure]) -> Structure:
    """Give the structure of what a kernel returns for arguments of some structures."""
    parts = [_structure(part) for part in returned_parts(request, structures)]
    return parts[0] if len(parts) == 1 else Structure(tuple, (), tuple(parts))


@lru_cache(maxsize=128)
def program_of(request: Request) -> Program:
    """Give the program of a kernel, which may be differentiated again.

    Its outputs are in the order of what the kernel returns.
    """
    return differentiable(request, request.traced.lowered, Stages(), again=True)


def _structure(part: ReturnedPart) -> Structure:
    if part.kind is None:
        return part.structures[0]
    return Structure(part.kind, part.kind._fields, tuple(part.structures))


def _leaves(given: Sequence[list[Any]]) -> Iterator[Any]:
    """Go through the Values and the numbers that arguments are made of, one by one."""
    for items in given:
        for item in items:
            if isinstance(item, np.ndarray):
                yield from item.ravel().tolist()
            else:
                yield item


def _array(items: list[Any], shape: tuple[int, ...]) -> AnyArray:
    return array_of(value_array(items, shape))
