"""Functions that another one calls, the parts of a long text, as numba is given them."""

import operator
from collections.abc import Callable, Iterator
from functools import cache, partial
from types import FunctionType
from typing import Any

import numba
from numba import types
from numba.core.datamodel.models import PointerModel
from numba.core.registry import CPUDispatcher
from numba.core.typeconv.castgraph import Conversion
from numba.extending import lower_cast, overload, register_model

from gradcompile import opaque
from gradcompile.jit.flags import SETTINGS
from gradcompile.jit.pipelines import WidestVectors

VECTOR = types.Array(types.float64, 1, "C")
"""One contiguous float64 array."""


def register_entries() -> None:
    """Tell numba what the entries of an array are, and that a stretch of them may be filled."""
    register_model(Entries)(PointerModel)
    lower_cast(types.Array, Entries)(_entries_of)
    overload(operator.setitem)(_fill)


class Entries(types.CPointer):
    """The entries of an array, as the parts of a split text are given them.

    A part does nothing with its arrays but read and write entries, thousands of them, and numba
    compiles that three times as fast through a pointer.
    """

    def can_convert_from(self, typingctx: Any, other: Any) -> Conversion | None:
        """An array may be passed where its entries are asked for."""
        return Conversion.safe if other == VECTOR else None


ENTRIES = Entries(numba.float64)


def _entries_of(context: Any, builder: Any, array: Any, _: Any, value: Any) -> Any:
    """Cast an array to its entries, in LLVM IR."""
    return context.make_array(array)(context, builder, value).data


def _fill(entries: Any, part: Any, value: Any) -> Callable[..., None] | None:
    """Compile `entries[2:5] = 0.0`, which numba knows of arrays alone."""
    if not isinstance(entries, Entries) or not isinstance(part, types.SliceType):
        return None

    def fill(entries: Any, part: Any, value: Any) -> None:
        for index in range(part.start, part.stop):
            entries[index] = value

    return fill


loop_part = partial(CPUDispatcher, pipeline_class=WidestVectors)
"""The dispatcher of a part that is made of loops: it makes matrices of its arrays."""


class Part(CPUDispatcher):
    """The dispatcher of a part: compiled when the function that calls it is."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """What a call with arrays means: a call with their entries."""
        return super().get_call_template([ENTRIES if x == VECTOR else x for x in args], kws)


def calls_opaque(function: Callable[..., Any]) -> bool:
    """Tell whether an emitted text calls functions of the user's own."""
    return any(True for _ in _opaque_functions(function))


def _opaque_functions(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """List the functions of the user's own that a text imports, by their names."""
    for name in opaque.names().intersection(function.__globals__):
        if (own := function.__globals__[name]) is getattr(opaque, name):
            yield name, own


@cache
def _of_opaque(function: FunctionType) -> Any:
    return numba.njit(function, **SETTINGS)


def with_parts(
    function: Callable[..., Any], dispatcher: Callable[[Callable[..., Any]], Any]
) -> Callable[..., Any]:
    """Return the function as numba is to see it: the parts that it calls are dispatchers.

    They go into a copy of its globals, so that under CPython it goes on calling plain functions.
    """
    parts: dict[str, Any] = {
        name: _of_opaque(own)
        for name, own in _opaque_functions(function)
        if name in function.__code__.co_names and isinstance(own, FunctionType)
    }
    parts |= {
        name: dispatcher(with_parts(part, dispatcher))
        for name in function.__code__.co_names
        if isinstance(part := function.__globals__.get(name), FunctionType)
        and part.__code__.co_filename == function.__code__.co_filename
    }
    names = {**function.__globals__, **parts}
    return FunctionType(function.__code__, names, function.__name__) if parts else function
