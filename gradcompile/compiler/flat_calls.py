"""Calls of a kernel on one flat vector, as solvers want them.

Written for what it will get, as the other calls are:

    def flat(__x, __p, __others):
        try:
            if (__type(__x) is __ndarray and __x.shape == (7,) and __x.dtype is __float64
                    and (data := __others.get("data", __absent)) is not __absent and …):
                __result = __machine(__x[0:6].reshape((2, 3)), __x[6], data)
                return __flat(__result)
        except __TypeError:
            pass
        return __general(__x, __p, None, __others)
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.calls import given_text
from gradcompile.compiler.conversion import misfit
from gradcompile.compiler.plain_arguments import NotPlainError, PlainTests, Tested
from gradcompile.compiler.plans import arrange
from gradcompile.compiler.request import Request
from gradcompile.graph.nested import NUMBER, Structure, divide, read, travelling
from gradcompile.graph.value import Value
from gradcompile.ir.signature import Bundle
from gradcompile.support.arrays import FloatArray

FlatCall = Callable[[Any, Any, FloatArray | None, Mapping[str, Any]], Any]
"""Takes the vector, the direction or None, the array for the result or None, and the other
arguments by name."""


def flat_call(request: Request, arguments: Arguments, run: Callable[..., Any]) -> FlatCall:
    """Make the call of a kernel on a vector: what it is given is converted, or refused.

    Args:
        request: what was built.
        arguments: those of the function.
        run: machine code, of the emitted parameters.
    """
    structures, signature = request.traced.arguments, request.signature
    names = list(request.parameters)
    others = [name for name in names if name not in (*request.wrt, *request.directions)]
    of_vectors = (request.wrt, len(request.slots)), (request.directions, _direction_size(request))

    def call(x: Any, p: Any, out: FloatArray | None, named: Mapping[str, Any]) -> Any:
        if any(name in request.options.batched for name in request.wrt):
            wrt = list(request.wrt)
            raise ValueError(f"flat: {arguments.name} is differentiated by its rows, {wrt}")
        if any(name in request.options.batched for name in request.directions):
            raise ValueError(
                f"flat: {arguments.name} has {request.kind.direction} for each row, and they are "
                f"no vector; call {request.kind.name} with its arguments"
            )
        if sorted(named) != sorted(others):
            raise TypeError(f"flat: expected the arguments {others}, got {list(named)}")
        if (p is None) != (not request.directions):
            expected = f"the {request.kind.direction}" if request.directions else "no second vector"
            raise TypeError(f"flat: expected {expected} after x, got {p!r:.60}")
        if out is not None and not request.kind.differentiates and _is_number(signature.value):
            kind = type(out).__name__
            raise TypeError(f"flat: out: expected None, as the value is a number, got {kind}")
        given: dict[str, list[Any]] = {}
        for vector, (of, size) in zip((x, p), of_vectors, strict=True):
            start, numbers = 0, _vector(vector, size) if of else np.empty(0)
            for name in of:
                stop = start + structures[name].size
                given[name] = list(divide(structures[name], numbers[start:stop]))
                start = stop
        given |= {k: arguments.take_as(k, v, structures[k]) for k, v in named.items()}
        arguments.require_equal({name: given[name] for name in others})
        made = chain.from_iterable([given[name] for name in names])
        return flatten_result(request, run(*arrange(signature.parameters, made)), out)

    return call


def _direction_size(request: Request) -> int:
    """How long the second vector is; 0 if there is one number for each row, or no direction."""
    return len(request.direction_slots)


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
        advice = ""
        if any(isinstance(item, Value) for item in np.ravel(np.asarray(x, dtype=object)).tolist()):
            advice = "; of Values, call the kernel with its arguments, which builds a graph"
        raise TypeError(f"flat: {error}{advice}") from None
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
    """Put what machine code returned into flat arrays, one a part; the last one into `out`."""
    supply = request.signature.flatten(returned)
    parts = [(groups, list(islice(supply, len(groups)))) for groups, _ in request.signature.parts()]
    flat = []
    for number, (groups, items) in enumerate(parts, 1):
        target = out if number == len(parts) else None
        is_value = request.kind.keeps_value and number == 1
        if number == len(parts) and _is_matrix(request):
            flat.append(_matrix(request, groups, items, target))
        elif [group.shape for group in groups] == [None] and (is_value or _is_tangent(request)):
            flat.append(_number(items[0], target))
        else:
            flat.append(join(groups, items, target))
    return flat[0] if len(flat) == 1 else tuple(flat)


def _is_matrix(request: Request) -> bool:
    return request.kind.is_matrix and request.nonzeros is None


def _is_tangent(request: Request) -> bool:
    return request.kind.derivative == "tangent"


def _number(number: Any, out: FloatArray | None) -> Any:
    """A number as it is; one for each row may be put into an array."""
    if out is None:
        return number
    target = _checked(out, np.shape(number))
    target[...] = number
    return target


def _matrix(
    request: Request, groups: Sequence[Bundle], parts: Sequence[Any], out: FloatArray | None
) -> FloatArray:
    """Put the blocks of a Jacobian or a Hessian into one matrix."""
    joined, order = join(groups, parts, None), request.matrix_order
    shape = (*joined.shape[:-1], *request.matrix_shape)
    if order is None and out is None:
        return joined.reshape(shape)
    matrix = np.empty(shape) if out is None else _checked(out, shape)
    if order is None:
        matrix[...] = joined.reshape(shape)
    else:
        matrix[(..., *order)] = joined
    return matrix


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
) -> Callable[[Any, Any, Mapping[str, Any]], Any]:
    """Write the call that takes a float64 vector, and plain other arguments, without a detour.

    Args:
        request: what was built.
        run: machine code, of the emitted parameters; arrays of another kind are a TypeError.
        general: takes anything else.
    """
    tests = PlainTests()
    size = len(request.slots)
    tests.array("__x", (size,))
    if request.directions:
        tests.array("__p", (_direction_size(request),))
    try:
        tested = iter(list(_tested(request, tests)))
    except NotPlainError:
        return lambda x, p, others: general(x, p, None, others)
    count = len(request.parameters) - len(request.wrt) - len(request.directions)
    tests.conditions.append(f"__len(__others) == {count}")
    given = [given_text(group, tested, tests) for group in request.signature.parameters]
    text = "\n".join(
        [
            "def flat(__x, __p, __others):",
            "    try:",
            f"        if {' and '.join(tests.conditions)}:",
            f"            __result = __machine({', '.join(given)})",
            f"            return {_flat_text(request)}",
            "    except __TypeError:",
            "        pass",
            "    return __general(__x, __p, None, __others)",
        ]
    )
    names = {
        **tests.globals, "__machine": run, "__general": general, "__concatenate": np.concatenate,
        "__flat": lambda returned: flatten_result(request, returned, None),
    }  # fmt: skip
    exec(compile(text, "<flat call>", "exec"), names)  # our own text
    flat: Callable[[Any, Any, Mapping[str, Any]], Any] = names["flat"]
    return flat


def _tested(request: Request, tests: PlainTests) -> Iterator[Tested]:
    structures, batched = request.traced.arguments, request.options.batched
    vectors: dict[str, tuple[str, int, int]] = {}
    for vector, names in (("__x", request.wrt), ("__p", request.directions)):
        size, start = sum(structures[name].size for name in names), 0
        for name in names:
            vectors[name] = vector, start, size
            start += structures[name].size
    for name in request.parameters:
        structure = structures[name]
        if name in vectors:
            yield from _parts(structure, *vectors[name])
            continue
        argument = tests.bound(f"__others.get({tests.refer(name)}, __absent)")
        test = tests.rows if name in batched else tests.argument
        yield from test(structure, argument)


def _parts(structure: Structure, vector: str, start: int, size: int) -> Iterator[Tested]:
    """The bundles of an argument, as expressions that take them out of the vector."""
    for part in travelling(structure):
        stop = start + part.size
        numbers = vector if part.size == size else f"{vector}[{start}:{stop}]"
        if part.kind == "leaf":
            yield f"{vector}[{start}]", None
        elif part.kind == "array":
            shape = tuple(part.keys)
            yield (numbers if len(shape) == 1 else f"{numbers}.reshape({shape})"), shape
        else:
            yield numbers, (part.size,)
        start = stop


def _are_rows(request: Request, groups: Sequence[Bundle]) -> bool:
    """Are these several vectors, which make the matrix one behind the other?"""
    are_vectors = all(len(group.shape or ()) == 1 and not group.is_row for group in groups)
    return are_vectors and len(groups) > 1 and request.matrix_order is None


def _flat_text(request: Request) -> str:
    """What is returned of the result: as it is, where that is flat already."""
    parts = request.signature.parts()
    matrix = _is_matrix(request)
    texts = []
    for number, (groups, is_single) in enumerate(parts, 1):
        part = "__result" if len(parts) == 1 else f"__result[{number - 1}]"
        is_value = request.kind.keeps_value and number == 1
        alone = len(groups) == 1 and not groups[0].is_row
        is_last = number == len(parts)
        if matrix and is_last and _are_rows(request, groups):
            texts.append(f"__concatenate({part}).reshape({request.matrix_shape})")
        elif matrix and is_last:
            if not (alone and is_single and groups[0].shape) or request.matrix_order is not None:
                return "__flat(__result)"
            is_matrix = groups[0].shape == request.matrix_shape
            texts.append(part if is_matrix else f"{part}.reshape({request.matrix_shape})")
        elif alone and len(groups[0].shape or ()) <= 1 and (groups[0].shape or is_value):
            texts.append(part if is_single else f"{part}[0]")
        elif not is_value and all(x.shape is None and not x.is_row for x in groups):
            if is_single and not _is_tangent(request):
                part = f"({part},)"
            texts.append(
                part if is_single and _is_tangent(request) else f"__array({part}, __float64)"
            )
        else:
            return "__flat(__result)"
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
