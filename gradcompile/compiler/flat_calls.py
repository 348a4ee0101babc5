"""Calls of a kernel on one flat vector, as solvers want them.

Written for what it will get, as the other calls are:

    def flat(__x, __others):
        try:
            if (__type(__x) is __ndarray and __x.shape == (7,) and __x.dtype is __float64
                    and (data := __others.get("data", __absent)) is not __absent and …):
                __result = __machine(__x[0:6].reshape((2, 3)), __x[6], data)
                return __flat(__result)
        except __TypeError:
            pass
        return __general(__x, None, __others)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.calls import given_text
from gradcompile.compiler.conversion import misfit
from gradcompile.compiler.plain_arguments import NotPlainError, PlainTests, Tested
from gradcompile.compiler.plans import arrange
from gradcompile.compiler.request import Request
from gradcompile.graph.nested import NUMBER, Structure, divide, read, travelling
from gradcompile.ir.signature import Bundle
from gradcompile.support.arrays import FloatArray

FlatCall = Callable[[Any, FloatArray | None, Mapping[str, Any]], Any]
"""Takes the vector, the array for the result or None, and the other arguments by name."""


def flat_call(request: Request, arguments: Arguments, run: Callable[..., Any]) -> FlatCall:
    """Make the call of a kernel on a vector: what it is given is converted, or refused.

    Args:
        request: what was built.
        arguments: those of the function.
        run: machine code, of the emitted parameters.
    """
    structures, signature = request.traced.arguments, request.signature
    names, size = list(request.parameters), len(request.slots)
    others = [name for name in names if name not in request.wrt]

    def call(x: Any, out: FloatArray | None, named: Mapping[str, Any]) -> Any:
        if any(name in request.options.batched for name in request.wrt):
            wrt = list(request.wrt)
            raise ValueError(f"flat: {arguments.name} is differentiated by its rows, {wrt}")
        if sorted(named) != sorted(others):
            raise TypeError(f"flat: expected the arguments {others}, got {list(named)}")
        vector = _vector(x, size)
        if out is not None and not request.mode.differentiates and _is_number(signature.value):
            kind = type(out).__name__
            raise TypeError(f"flat: out: expected None, as the value is a number, got {kind}")
        given = {k: arguments.take_as(k, v, structures[k]) for k, v in named.items()}
        arguments.require_equal(given)
        start = 0
        for name in request.wrt:
            stop = start + structures[name].size
            given[name] = list(divide(structures[name], vector[start:stop]))
            start = stop
        made = chain.from_iterable([given[name] for name in names])
        return flatten_result(request, run(*arrange(signature.parameters, made)), out)

    return call


def _vector(x: Any, size: int) -> FloatArray:
    """The numbers of a list, an array, or what becomes one; a number alone is one of one.

    Raises:
        TypeError: something in it is no real number.
        ValueError: it has another shape than `(size,)`, or is nested too deeply.
    """
    if type(x) is np.ndarray and x.dtype == np.float64 and x.shape == (size,):
        return np.require(x, requirements=["C", "A"])  # what solvers give
    try:
        items, structure = read(x if isinstance(x, list | tuple) else np.asanyarray(x))
    except TypeError as error:
        raise TypeError(f"flat: {error}") from None
    except RecursionError:
        raise ValueError("flat: the vector is nested too deeply") from None
    if structure.statics:
        raise TypeError("flat: expected numbers in the vector, got NoneType None")
    expected = Structure("array", (size,))
    if size == 1 and structure == NUMBER:
        structure = expected
    if misfit(expected, structure) is not None:
        given = tuple(structure.keys) if structure.kind == "array" else structure
        raise ValueError(f"flat: expected a vector of shape {(size,)}, got {given}")
    return np.ravel(items[0]) if items else np.empty(0)


def _is_number(value: Sequence[Bundle]) -> bool:
    """Is the value one number, and not one for each row?"""
    return [(group.shape, group.is_row) for group in value] == [(None, False)]


def flatten_result(request: Request, returned: Any, out: FloatArray | None) -> Any:
    """Put what machine code returned into flat arrays: the value, the gradient, or both."""
    signature, mode = request.signature, request.mode
    parts = list(signature.flatten(returned))
    count = len(signature.value)
    value, gradient = parts[:count], parts[count:]
    flat_value = value[0] if [x.shape for x in signature.value] == [None] else None
    if out is not None and not mode.differentiates and flat_value is not None:
        flat_value = _checked(out, flat_value.shape)  # one number for each row
        flat_value[:] = value[0]
    if mode.keeps_value and flat_value is None:
        flat_value = join(signature.value, value, None if mode.differentiates else out)
    if not mode.differentiates:
        return flat_value
    flat_gradient = join(signature.gradient or (), gradient, out)
    return (flat_value, flat_gradient) if mode.keeps_value else flat_gradient


def join(groups: Sequence[Bundle], parts: Sequence[Any], out: FloatArray | None) -> FloatArray:
    """Put results, one a bundle, into one array: with the axis of the rows first, if there is one.

    Raises:
        ValueError: `out` has another shape, or is no array of float64 that can be written to.
    """
    rows = [len(part) for group, part in zip(groups, parts, strict=True) if group.is_row]
    size = sum(group.size for group in groups)
    shape = (rows[0], size) if rows else (size,)
    if out is None and len(groups) == 1 and groups[0].shape is not None:
        whole: FloatArray = parts[0].reshape(shape)
        return whole
    joined = np.empty(shape) if out is None else _checked(out, shape)
    start = 0
    for group, part in zip(groups, parts, strict=True):
        joined[..., start : start + group.size] = np.reshape(part, (*shape[:-1], group.size))
        start += group.size
    return joined


def _checked(out: Any, shape: tuple[int, ...]) -> FloatArray:
    kind = type(out).__name__
    if not isinstance(out, np.ndarray) or out.dtype != np.float64 or not out.flags.writeable:
        raise ValueError(f"flat: out: expected a float64 array that can be written to, got {kind}")
    if out.shape != shape:
        raise ValueError(f"flat: out: expected an array of shape {shape}, got {out.shape}")
    return out


def written_flat(
    request: Request, run: Callable[..., Any], general: FlatCall
) -> Callable[[Any, Mapping[str, Any]], Any]:
    """Write the call that takes a float64 vector, and plain other arguments, without a detour.

    Args:
        request: what was built.
        run: machine code, of the emitted parameters; arrays of another kind are a TypeError.
        general: takes anything else.
    """
    tests = PlainTests()
    size = len(request.slots)
    tests.array("__x", (size,))
    try:
        tested = iter(list(_tested(request, tests)))
    except NotPlainError:
        return lambda x, others: general(x, None, others)
    count = len(request.parameters) - len(request.wrt)
    tests.conditions.append(f"__len(__others) == {count}")
    given = [given_text(group, tested, tests) for group in request.signature.parameters]
    text = "\n".join(
        [
            "def flat(__x, __others):",
            "    try:",
            f"        if {' and '.join(tests.conditions)}:",
            f"            __result = __machine({', '.join(given)})",
            f"            return {_flat_text(request)}",
            "    except __TypeError:",
            "        pass",
            "    return __general(__x, None, __others)",
        ]
    )
    names = {
        **tests.globals, "__machine": run, "__general": general,
        "__flat": lambda returned: flatten_result(request, returned, None),
    }  # fmt: skip
    exec(compile(text, "<flat call>", "exec"), names)  # our own text
    flat: Callable[[Any, Mapping[str, Any]], Any] = names["flat"]
    return flat


def _tested(request: Request, tests: PlainTests) -> Iterator[Tested]:
    structures, batched = request.traced.arguments, request.options.batched
    starts: dict[str, int] = {}
    for name in request.wrt:
        starts[name] = sum(structures[x].size for x in starts)
    for name in request.parameters:
        structure = structures[name]
        if name in starts:
            yield from _parts(structure, starts[name], len(request.slots))
            continue
        argument = tests.bound(f"__others.get({tests.refer(name)}, __absent)")
        test = tests.rows if name in batched else tests.argument
        yield from test(structure, argument)


def _parts(structure: Structure, start: int, size: int) -> Iterator[Tested]:
    """The bundles of an argument, as expressions that take them out of the vector."""
    for part in travelling(structure):
        stop = start + part.size
        vector = "__x" if part.size == size else f"__x[{start}:{stop}]"
        if part.kind == "leaf":
            yield f"__x[{start}]", None
        elif part.kind == "array":
            shape = tuple(part.keys)
            yield (vector if len(shape) == 1 else f"{vector}.reshape({shape})"), shape
        else:
            yield vector, (part.size,)
        start = stop


def _flat_text(request: Request) -> str:
    """What is returned of the result: as it is, where that is flat already."""
    signature = request.signature
    gradient = signature.gradient
    value_is_number = [group.shape for group in signature.value] == [None]
    if gradient is None:
        is_flat = len(signature.value) == 1 and len(signature.value[0].shape or ()) <= 1
        return "__result" if is_flat and not signature.value[0].is_row else "__flat(__result)"
    single = len(gradient) == 1 and len(gradient[0].shape or ()) == 1 and not gradient[0].is_row
    if single and not signature.value:
        return "__result[0]"
    if single and value_is_number:
        return "(__result[0], __result[1][0])"
    if all(group.shape is None and not group.is_row for group in gradient):
        if not signature.value:
            return "__array(__result, __float64)"
        if value_is_number:
            return "(__result[0], __array(__result[1], __float64))"
    return "__flat(__result)"
