"""Arguments of a graph in another form than it has: compared, converted, and given back.

A graph has the arguments that `inputs=` named. A call may give them in other forms: an array where
a list was named, or a list of arrays where a matrix was; the gradient has the form that was given.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcompile.graph.nested import NUMBER, Structure, assembled, divide, travelling
from gradcompile.graph.records import has_attributes
from gradcompile.support.arrays import FloatArray


class Misfit(NamedTuple):
    """A part of an argument that is not of the shape that is expected.

    Attributes:
        place: the subscripts of the part; "" for the whole argument.
        expected: its structure in the graph.
        given: its structure in the call.
    """

    place: str
    expected: Structure
    given: Structure


def misfit(expected: Structure, given: Structure, place: str = "") -> Misfit | None:
    """Find the first part that cannot be converted to what is expected; None if all can.

    Arrays, and lists and tuples of equally long ones, are converted to each other if they are of
    one shape; other sequences and dicts if all their parts are.

    Example:
        >>> pair = Structure(list, (), (NUMBER, NUMBER))
        >>> misfit(pair, Structure("array", (2,)))
        >>> str(misfit(pair, Structure("array", (3,))).given)
        'an array of shape (3,)'
    """
    if expected == given:
        return None
    shape, other = _shape(expected), _shape(given)
    if shape is not None and shape == other:
        return None
    regular = shape is not None and other is not None
    parts, others = _parts(expected), _parts(given)
    if regular or not parts or len(parts) != len(others) or not _same_keys(expected, given):
        return Misfit(place, expected, given)
    named = expected.kind is dict or has_attributes(expected.kind)
    keys = expected.keys if named else range(len(parts))
    for key, part, other_part in zip(keys, parts, others, strict=True):
        at = f".{key}" if has_attributes(expected.kind) else f"[{key!r}]"
        found = misfit(part, other_part, place + at)
        if found is not None:
            return found
    return None


def _same_keys(expected: Structure, given: Structure) -> bool:
    """Is a dict given for a dict, with the same keys, or a sequence for a sequence?"""
    if any(x.kind is dict or has_attributes(x.kind) for x in (expected, given)):
        return expected.kind is given.kind and expected.keys == given.keys
    # The keys of a sequence are the fields of a namedtuple, those of an array its shape.
    return expected.kind == "array" or expected.keys in ((), given.keys)


def _shape(structure: Structure) -> tuple[int, ...] | None:
    """The shape of an array, or of a list of equally long ones; None if there is none."""
    if structure.kind == "array":
        return tuple(structure.keys)
    if structure.kind not in (list, tuple):
        return () if structure.kind == "leaf" else None
    if structure.is_vector:
        return (len(structure.parts),)
    shapes = {_shape(part) for part in structure.parts}
    inner = shapes.pop() if len(shapes) == 1 else None
    return None if inner is None else (len(structure.parts), *inner)


def _parts(structure: Structure) -> Sequence[Structure]:
    """The parts of a container; of an array, those along its first axis."""
    if structure.kind != "array":
        return structure.parts
    inner = tuple(structure.keys[1:])
    return [Structure("array", inner) if inner else NUMBER] * structure.keys[0]


def travel_alike(given: Structure, expected: Structure) -> bool:
    """Does an argument travel in as large bundles as what is expected, so that none is divided?"""
    if given == expected:
        return True
    sizes = [
        [None if part.kind == "leaf" else part.size for part in travelling(structure)]
        for structure in (given, expected)
    ]
    return sizes[0] == sizes[1]


def converted(items: list[Any], given: Structure, expected: Structure) -> list[Any]:
    """List what an argument is made of, as if it had been given in the form that is expected."""
    if given == expected:
        return items
    parts = [np.ravel(item) for item in items]
    return list(divide(expected, np.concatenate(parts) if parts else np.empty(0)))


def restored(structure: Structure, by_row: bool, *bundles: Any) -> Any:
    """Put the numbers of bundles into the form of `structure`, which has other ones.

    Args:
        structure: the form.
        by_row: is the first axis of each bundle that of the rows?
        bundles: numbers and arrays, in order.

    Example:
        >>> given = Structure(list, (), (NUMBER, Structure("array", (2,))))
        >>> restored(given, False, np.array([1.0, 2.0, 3.0]))
        [1.0, array([2., 3.])]
    """
    if not by_row:
        return _restored(structure, np.concatenate([np.ravel(bundle) for bundle in bundles]))
    columns = [np.reshape(x, (len(x), int(np.prod(x.shape[1:])))) for x in bundles]
    return _restored(structure, np.concatenate(columns, axis=1))


def _restored(structure: Structure, numbers: FloatArray) -> Any:
    """The form of `structure`, made of numbers along the last axis."""
    by_row = numbers.ndim > 1
    if structure.kind == "leaf":
        return numbers[:, 0] if by_row else numbers.item()
    if structure.kind == "array":
        return numbers.reshape((*numbers.shape[:-1], *structure.keys))
    if structure.is_vector:
        return structure.kind(numbers.T if by_row else numbers.tolist())
    parts = []
    start = 0
    for part in structure.parts:
        parts.append(_restored(part, numbers[..., start : start + part.size]))
        start += part.size
    return assembled(structure, parts)
