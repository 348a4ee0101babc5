"""Flat results to the structures that the user knows: values as returned, gradients by argument."""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcompile.compiler.options import GRAD, VALUE
from gradcompile.compiler.request import Request
from gradcompile.graph.nested import NUMBER, Structure, unflatten
from gradcompile.support.arrays import FloatArray

Reader = Callable[[FloatArray], Any]
"""Gives the components by an argument its structure."""


def unpacker(request: Request) -> Callable[[Any], Any]:
    """Make the function that gives a kernel's flat result the structure that the user knows."""
    traced = request.traced
    if request.mode is VALUE:
        return value_reader(traced.result)
    readers = {name: reader(traced.arguments[name]) for name in request.wrt}
    return gradient_unpacker(request, [request.slots], readers)


def value_reader(result: Structure) -> Callable[[Any], Any]:
    """Make the function that gives a flat value the structure that was returned."""
    if result == NUMBER:
        return lambda value: value
    return lambda values: unflatten(result, values.tolist())


def reader(argument: Structure) -> Reader:
    """Make the function that gives the components by an argument its structure."""
    if argument == NUMBER:
        return _number
    if argument.kind == "array":
        return lambda part: part.reshape(argument.keys)
    return lambda part: unflatten(argument, part.tolist())


def _number(part: FloatArray) -> float:
    return part.item()


def gradient_unpacker(
    request: Request, groups: Sequence[list[int]], readers: Mapping[str, Reader]
) -> Callable[[Any], Any]:
    """Make the function of a flat result to the gradients, after the value if it has one.

    Args:
        request: of a kernel that differentiates.
        groups: for each array that the gradient consists of, the inputs that its components are by.
        readers: they give the components by each argument its structure.
    """
    gradient, is_single = _gradient(request, groups, readers), len(groups) == 1
    if request.mode is GRAD:
        return gradient if is_single else lambda arrays: gradient(*arrays)

    def value_and_gradient(result: Any) -> Any:
        value, array = result
        return value, gradient(array)

    def value_and_gradients(result: Any) -> Any:
        value, *arrays = result
        return value, gradient(*arrays)

    return value_and_gradient if is_single else value_and_gradients


def _gradient(
    request: Request, groups: Sequence[list[int]], readers: Mapping[str, Reader]
) -> Callable[..., Any]:
    """Make the function of the arrays that a gradient consists of to its namedtuple."""
    make = gradient_type(request.wrt)._make
    # Numbers, and a single argument, are so frequent that they go without any detour.
    if readers and all(read is _number for read in readers.values()):
        return lambda numbers: make(numbers.tolist())
    if len(readers) == 1:
        (read_all,) = readers.values()
        return lambda array: make((read_all(array),))
    places = request.traced.places
    parts = [(*_part(places[name], groups), read) for name, read in readers.items()]
    return lambda *arrays: make([read(arrays[k][part]) for k, part, read in parts])


def gradient_type(wrt: Sequence[str]) -> type[Any]:
    """Make the namedtuple of gradients, one field an argument."""
    # A field may not begin with an underscore; `rename` numbers what cannot be mended.
    fields = [name if name.lstrip("_") in wrt else name.lstrip("_") for name in wrt]
    return namedtuple("Gradient", fields, rename=True)


def _part(slots: range, groups: Sequence[list[int]]) -> tuple[int, slice]:
    """Find the gradient by an argument: in which array it is, and there."""
    for k, group in enumerate(groups):
        if slots.start in group:
            start = group.index(slots.start)
            return k, slice(start, start + len(slots))
    return 0, slice(0)  # by nothing
