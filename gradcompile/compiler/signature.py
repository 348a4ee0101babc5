"""The signature of an emitted function, from the arguments of the user's.

A number is a number, an array an array of its own shape, and a list, tuple or dict of numbers one
flat array. A container with arrays inside is taken apart, down to those. Where there are very many
numbers, those side by side go as one array.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from gradcompile.graph.nested import NUMBER, Structure
from gradcompile.ir.signature import MAX_NUMBERS, Bundle, Signature, adjoint_name
from gradcompile.support.names import Names


def signature_of(
    arguments: Mapping[str, Structure],
    order: Sequence[str],
    result: Structure,
    wrt: Sequence[str] | None,
    *,
    keeps_value: bool = True,
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
        wrt: the arguments that are differentiated by; None for the value alone.
        keeps_value: is the value returned, beside the gradient?
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
    value = named(_value(result, by_row)) if keeps_value else ()
    if wrt is None:
        return Signature(given, value)
    called = {(x.start, x.shape): x for x in given}
    gradient: list[Bundle] = []
    start = 0
    for name in wrt:
        for group in groups.get(name, ()):
            primal = called.get((group.start, group.shape), group)
            adjoint = adjoint_name(primal.name)
            rows = by_row or name in batched
            gradient.append(
                replace(group, name=adjoint, start=start, is_row=rows, labels=primal.labels)
            )
            start += group.size
    return Signature(given, value, named(_few_numbers(gradient, "gradient")))


def _labelled(group: Bundle, labels: Sequence[str]) -> Bundle:
    found = tuple(labels[group.start : group.stop])
    own = group.shape is not None and not group.is_merged and any(found)
    return replace(group, labels=found) if own else group


def _value(result: Structure, by_row: bool) -> Iterator[Bundle]:
    name = "value" if result == NUMBER else "values"
    for group in _groups(result, name, 0):
        yield replace(group, is_row=by_row)


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
