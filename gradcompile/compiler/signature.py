"""The signature of an emitted function, from the arguments of the user's.

A number is a number, an array an array of its own shape, and a list, tuple or dict of numbers one
flat array. A container with arrays inside is taken apart, down to those. Where there are very many
numbers, those side by side go as one array.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from gradcompile.compiler.matrices import gradient_structure, over, places
from gradcompile.compiler.options import Kind
from gradcompile.graph.nested import NUMBER, Structure
from gradcompile.ir.program import BY, TANGENT
from gradcompile.ir.signature import MAX_NUMBERS, Bundle, Signature, adjoint_name
from gradcompile.support.names import Names

MAX_GRADIENTS = 4
"""So many gradients of numbers are returned side by side, each with its own arrays."""


def signature_of(
    arguments: Mapping[str, Structure],
    order: Sequence[str],
    result: Structure,
    wrt: Sequence[str],
    kind: Kind,
    nonzeros: int | None = None,
    *,
    batched: Collection[str] = (),
    by_row: bool = False,
    reserved: Collection[str] = (),
    labels: Sequence[str] = (),
) -> Signature:
    """Make the signature of an emitted function.

    Args:
        arguments: their structures, in the order of the program's inputs.
        order: their names, as the user's function has them.
        result: the structure of the value.
        wrt: the arguments that are differentiated by.
        kind: what is computed.
        nonzeros: how many entries of a Jacobian or a Hessian are returned; None for all of them.
        batched: the arguments that hold rows of data.
        by_row: is there a result for each row, and no sum over them?
        reserved: names that no parameter may have.
        labels: for each input what the user calls it; "" where that is its place in an argument.
    """
    groups = _groups_of(arguments, batched)
    parameters = _few_numbers([group for name in order for group in groups.get(name, ())])
    parameters = tuple(_labelled(group, labels) for group in parameters)
    names = Names(frozenset(reserved))

    def named(groups: Iterable[Bundle]) -> tuple[Bundle, ...]:
        return tuple(replace(group, name=names.fresh(group.name, "x")) for group in groups)

    given = named(parameters)
    # An argument may be called as a result would be.
    value = named(_value(result, by_row, "")) if kind.keeps_value else ()
    gradient = None
    if kind.has_gradient:
        adjoints = _like_arguments(wrt, groups, given, adjoint_name, by_row, batched)
        gradient = named(_few_numbers(adjoints, "gradient"))
    if not kind.derivative:
        return Signature(given, value, gradient)
    if nonzeros is not None:
        derivative = [Bundle("values", (nonzeros,), 0, is_row=by_row)]
    elif kind.derivative == "tangent":
        derivative = list(_value(result, by_row, TANGENT))
    elif kind.derivative in ("product", "diagonal"):
        name = product_name if kind.derivative == "product" else diagonal_name
        derivative = _like_arguments(wrt, groups, given, name, by_row, batched)
    else:
        by = {name: arguments[name] for name in wrt}
        outer = result if kind.derivative == "jacobian" else gradient_structure(by)
        derivative = list(_matrix(outer, by, kind, batched, by_row))
    return Signature(given, value, gradient, named(_few_numbers(derivative, kind.derivative)))


def product_name(name: str) -> str:
    """Name the tangent of an adjoint: an entry of the Hessian times a vector."""
    return f"{adjoint_name(name)}{TANGENT}"


def diagonal_name(name: str) -> str:
    """Name the second derivative by what has a name."""
    return f"{adjoint_name(name)}{BY}{name}"


def _like_arguments(
    wrt: Sequence[str],
    groups: Mapping[str, Sequence[Bundle]],
    given: Sequence[Bundle],
    called: Callable[[str], str],
    by_row: bool,
    batched: Collection[str],
) -> list[Bundle]:
    """List the bundles of what has a number for each one of the arguments."""
    known = {(x.start, x.shape): x for x in given}
    found: list[Bundle] = []
    start = 0
    for name in wrt:
        for group in groups.get(name, ()):
            primal = known.get((group.start, group.shape), group)
            rows = by_row or name in batched
            found.append(
                replace(
                    group, name=called(primal.name), start=start, is_row=rows, labels=primal.labels
                )
            )
            start += group.size
    return found


def _matrix(
    outer: Structure,
    by: Mapping[str, Structure],
    kind: Kind,
    batched: Collection[str],
    by_row: bool,
) -> Iterator[Bundle]:
    """List the bundles of a Jacobian or a Hessian.

    Where no arrays are in it, and it is no gradient of one number, it is one matrix; and where it
    would be the gradients of many numbers.
    """
    inner = gradient_structure(by)
    structure = over(outer, inner)
    many = not outer.holds_arrays and outer.size > MAX_GRADIENTS
    if not (batched or outer == NUMBER) and (many or not structure.holds_arrays):
        shape = (outer.size, inner.size) if structure.size > 1 else None
        yield Bundle(kind.derivative, shape, 0)
        return
    rows, columns = places(outer, inner)
    of_rows = np.repeat([x in batched for x in by], [part.size for part in by.values()])
    start = 0
    for path, part in _leaves(outer, kind):
        for group in _prefixed_groups(path, part, by, apart=bool(batched) or outer == NUMBER):
            first = start + group.start
            is_row = by_row or bool(of_rows[columns[first]])
            if kind.is_second:
                is_row = is_row or bool(of_rows[rows[first]])
            yield replace(group, start=first, is_row=is_row)
        start += part.size * inner.size


def _leaves(outer: Structure, kind: Kind) -> Iterator[tuple[str, Structure]]:
    """Each leaf of what is differentiated, and its name: of an output, or of an adjoint."""
    if kind.derivative == "jacobian":
        for group in _groups(outer, "value" if outer == NUMBER else "values", 0, apart=True):
            yield group.name, _leaf(group)
        return
    for field, part in zip(outer.keys, outer.parts, strict=True):
        for group in _groups(part, adjoint_name(field), 0, apart=True):
            yield group.name, _leaf(group)


def _leaf(group: Bundle) -> Structure:
    return NUMBER if group.shape is None else Structure("array", group.shape)


def _prefixed_groups(
    path: str, outer: Structure, by: Mapping[str, Structure], *, apart: bool
) -> Iterator[Bundle]:
    """The bundles of the derivatives of one leaf: by field, where there are arrays."""
    whole = over(outer, gradient_structure(by))
    if not (apart or whole.holds_arrays):
        yield Bundle(f"{path}_gradient", (whole.size,), 0)
        return
    start = 0
    for field, part in zip(by, whole.parts, strict=True):
        yield from _groups(part, f"{path}{BY}{field}", start, apart=apart)
        start += part.size


def _labelled(group: Bundle, labels: Sequence[str]) -> Bundle:
    found = tuple(labels[group.start : group.stop])
    own = group.shape is not None and not group.is_merged and any(found)
    return replace(group, labels=found) if own else group


def _value(result: Structure, by_row: bool, suffix: str) -> Iterator[Bundle]:
    name = "value" if result == NUMBER else "values"
    for group in _groups(result, name, 0):
        yield replace(group, name=f"{group.name}{suffix}", is_row=by_row)


def _groups_of(
    arguments: Mapping[str, Structure], batched: Collection[str]
) -> dict[str, tuple[Bundle, ...]]:
    """Divide the flat values of arguments into bundles; those of each argument by its name."""
    groups: dict[str, tuple[Bundle, ...]] = {}
    start = 0
    for name, structure in arguments.items():
        is_row = name in batched
        found = _groups(structure, name, start, apart=is_row)
        groups[name] = tuple(replace(group, is_row=is_row) for group in found)
        start += structure.size
    return groups


def _groups(
    structure: Structure, name: str, start: int, *, apart: bool = False
) -> Iterator[Bundle]:
    """The bundles of one structure, in order; all numbers apart, if they are arrays of rows."""
    stack = [(structure, name)]
    while stack:
        part, path = stack.pop()
        if part.kind == "leaf":
            yield Bundle(path, None, start)
        elif part.kind == "array":
            yield Bundle(path, tuple(part.keys), start)
        elif not part.holds_arrays and not apart:
            if part.size:
                yield Bundle(path, (part.size,), start)
        elif part.kind != "static":
            keys = part.keys or range(len(part.parts))
            inside = [(x, f"{path}_{key}") for key, x in zip(keys, part.parts, strict=True)]
            stack.extend(reversed(inside))
            continue
        start += part.size


def _few_numbers(groups: Sequence[Bundle], name: str = "inputs") -> tuple[Bundle, ...]:
    """The same bundles; or, where too many are single numbers, those side by side as one array."""

    def is_number(group: Bundle) -> bool:
        return group.shape is None and not group.is_row

    if sum(map(is_number, groups)) <= MAX_NUMBERS:
        return tuple(groups)
    merged: list[Bundle] = []
    for together, run in groupby(groups, key=is_number):
        found = list(run)
        if together and len(found) > 1:
            labels = tuple(group.name for group in found)
            merged.append(
                replace(found[0], name=name, shape=(len(found),), is_merged=True, labels=labels)
            )
        else:
            merged.extend(found)
    return tuple(merged)
