"""Rows of data: what a batched argument is made of, and results that have a number for each row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gradcompile.compiler.fast_path import is_readable_array
from gradcompile.graph.nested import NUMBER, Structure, unflatten
from gradcompile.support.arrays import FloatArray

Matrices = tuple[FloatArray, ...]


@dataclass(frozen=True)
class BatchedRows:
    """The rows of one batched argument.

    Attributes:
        structure: of one row.
        matrices: its numbers, a row of data in each row: one matrix for each array it is made of.
        shapes: of these arrays, as they were given.
    """

    structure: Structure
    matrices: Matrices
    shapes: tuple[tuple[int, ...], ...]


def rows_of(argument: Any) -> BatchedRows:
    """The rows of an array, or of a dict of arrays, whose first axis is that of the rows.

    Raises:
        TypeError: it is no array of real numbers.
        ValueError: it has no axis of rows, or elements that are masked.
    """
    if is_readable_array(argument):
        if argument.ndim == 2:
            return BatchedRows(_row(argument.shape[1:]), (argument,), (argument.shape,))
        if argument.ndim == 1:
            return BatchedRows(NUMBER, (argument[:, np.newaxis],), (argument.shape,))
    if isinstance(argument, dict):
        if not argument:
            raise ValueError("expected arrays, got a dict without any")
        parts = [rows_of(part) for part in argument.values()]
        return BatchedRows(
            Structure(dict, tuple(argument), tuple([part.structure for part in parts])),
            tuple([matrix for part in parts for matrix in part.matrices]),
            tuple([shape for part in parts for shape in part.shapes]),
        )
    if np.ma.is_masked(argument):
        raise ValueError("expected numbers everywhere, got masked elements; fill them with nan")
    try:
        array = np.asarray(argument)
    except ValueError:
        raise ValueError("expected an array, got rows of different lengths") from None
    if array.dtype.kind not in "iuf":
        raise TypeError(f"expected an array of real numbers, got one of dtype {array.dtype}")
    if not array.ndim:
        raise ValueError("expected an array whose first axis is that of the rows, got a number")
    with np.errstate(over="ignore"):  # a long double beyond the range is inf
        numbers = np.require(array, np.float64, "A")
    matrix = numbers if array.ndim == 2 else numbers.reshape(len(array), prod(array.shape[1:]))
    structure = _row(array.shape[1:]) if array.ndim > 1 else NUMBER
    return BatchedRows(structure, (matrix,), (array.shape,))


@lru_cache
def _row(shape: tuple[int, ...]) -> Structure:
    return Structure("array", shape)


def arrays_in(row: Structure) -> list[Structure]:
    """The structures of the rows of the arrays that a batched argument is made of."""
    return [x for part in row.parts for x in arrays_in(part)] if row.kind is dict else [row]


def unflatten_rows(structure: Structure, components: Sequence[Any]) -> Any:
    """The nested result of `structure`, each leaf an array with one number for each row."""
    return unflatten(structure, components, _stacked)


def _stacked(items: list[Any], shape: tuple[int, ...]) -> Any:
    rows = np.stack(items, axis=-1) if items else np.empty((0, 0))
    return rows.reshape(len(rows), *shape)


def as_row(name: str, structure: Structure) -> Structure:
    """A row as arrays hold it: lists of numbers, also of equally long lists, are an array."""
    if structure.kind is dict:
        return replace(structure, parts=tuple(as_row(name, part) for part in structure.parts))
    if structure.kind in ("leaf", "array"):
        return structure
    parts = {as_row(name, part) for part in structure.parts}
    shape = () if parts == {NUMBER} else next(iter(parts)).keys if parts else ()
    if len(parts) > 1 or any(part.kind is dict for part in parts):
        raise ValueError(f"batched: {name!r} is {structure}, which is no row of an array")
    return Structure("array", (len(structure.parts), *shape))
