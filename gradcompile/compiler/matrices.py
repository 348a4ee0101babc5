"""Derivatives of several outputs by several arguments: one structure over another.

The outer structure is that of the outputs, or of the gradient; in the place of each of its leaves
stands the inner one, that of the arguments, in which a leaf of shape t becomes one of shape s + t:

    >>> pair = Structure(list, (), (NUMBER, NUMBER))
    >>> print(over(pair, Structure("array", (3,))))
    a list of length 2, each an array of shape (3,)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from gradcompile.compiler.results import gradient_type
from gradcompile.graph.nested import NUMBER, Structure
from gradcompile.support.arrays import IntArray


def gradient_structure(arguments: Mapping[str, Structure]) -> Structure:
    """Make the structure of a gradient by some arguments."""
    kind = gradient_type(tuple(arguments))
    return Structure(kind, kind._fields, tuple(arguments.values()))


def over(outer: Structure, inner: Structure) -> Structure:
    """Put a structure in the place of each leaf of another one, as `jax.jacobian` does."""
    if outer.kind in ("leaf", "array"):
        return _prefixed(_shape(outer), inner)
    return replace(outer, parts=tuple(over(part, inner) for part in outer.parts))


def _prefixed(shape: tuple[int, ...], inner: Structure) -> Structure:
    """Prefix the shape of each leaf."""
    if inner.kind in ("leaf", "array"):
        whole = (*shape, *_shape(inner))
        return Structure("array", whole) if whole else NUMBER
    return replace(inner, parts=tuple(_prefixed(shape, part) for part in inner.parts))


def _shape(leaf: Structure) -> tuple[int, ...]:
    return tuple(leaf.keys) if leaf.kind == "array" else ()


def places(outer: Structure, inner: Structure) -> tuple[IntArray, IntArray]:
    """Find the row and the column of each number of `over(outer, inner)`, in its order.

    Example:
        >>> pair = Structure(list, (), (NUMBER, Structure("array", (2,))))
        >>> rows, columns = places(Structure("array", (2,)), pair)
        >>> rows.tolist(), columns.tolist()
        ([0, 1, 0, 0, 1, 1], [0, 0, 1, 2, 1, 2])
    """
    rows, columns = [], []
    stretches = list(_stretches(inner))
    for start, size in _stretches(outer):
        for first, count in stretches:
            rows.append(np.repeat(np.arange(start, start + size), count))
            columns.append(np.tile(np.arange(first, first + count), size))
    empty = [np.zeros(0, np.int64)]
    return np.concatenate(rows or empty), np.concatenate(columns or empty)


def _stretches(structure: Structure) -> Iterator[tuple[int, int]]:
    """Where each leaf begins in the flat list, and how many numbers it has."""
    start = 0
    for size in _sizes(structure):
        yield start, size
        start += size


def _sizes(structure: Structure) -> Sequence[int]:
    sizes: list[int] = []
    stack = [structure]
    while stack:
        part = stack.pop()
        if part.kind in ("leaf", "array"):
            sizes.append(prod(_shape(part)))
        else:
            stack.extend(reversed(part.parts))
    return sizes
