"""Rows of data: what a batched argument is made of, and results that have a number for each row."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from gradcompile.graph.nested import NUMBER, Structure
from gradcompile.graph.records import fields_of, is_record
from gradcompile.support.arrays import FloatArray


@dataclass(frozen=True)
class BatchedRows:
    """The rows of one batched argument.

    Attributes:
        structure: of one row.
        arrays: what it is made of, float64, each with the axis of the rows first.
    """

    structure: Structure
    arrays: tuple[FloatArray, ...]


def rows_of(argument: Any) -> BatchedRows:
    """The rows of an array, or of a dict or record of arrays, whose first axis is the rows'.

    Raises:
        TypeError: it is no array of real numbers.
        ValueError: it has no axis of rows, or elements that are masked.
    """
    kind = dict if isinstance(argument, dict) else type(argument)
    if kind is dict or is_record(kind):
        fields = argument if kind is dict else {x.name: x.value for x in fields_of(argument)}
        if not fields:
            raise ValueError(f"expected arrays, got a {kind.__name__} without any")
        parts = [rows_of(part) for part in fields.values()]
        return BatchedRows(
            Structure(kind, tuple(fields), tuple([part.structure for part in parts])),
            tuple([array for part in parts for array in part.arrays]),
        )
    if np.ma.is_masked(argument):
        raise ValueError("expected numbers everywhere, got masked elements; fill them with nan")
    try:
        array = np.asarray(argument)
    except ValueError:
        raise ValueError("expected an array, got rows of different lengths") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"expected an array of real numbers, got one of dtype {array.dtype}")
    if not array.ndim:
        raise ValueError("expected an array whose first axis is that of the rows, got a number")
    with np.errstate(over="ignore"):  # a long double beyond the range is inf
        numbers = np.require(array, np.float64, "A")
    structure = _row(array.shape[1:]) if array.ndim > 1 else NUMBER
    return BatchedRows(structure, (numbers,))


@lru_cache
def _row(shape: tuple[int, ...]) -> Structure:
    return Structure("array", shape)


def as_row(name: str, structure: Structure) -> Structure:
    """A row as arrays hold it: lists of numbers, also of equally long lists, are an array."""
    if structure.kind is dict or is_record(structure.kind):
        return replace(structure, parts=tuple(as_row(name, part) for part in structure.parts))
    if structure.kind in ("leaf", "array"):
        return structure
    parts = {as_row(name, part) for part in structure.parts}
    shape = () if parts == {NUMBER} else next(iter(parts)).keys if parts else ()
    if len(parts) > 1 or any(part.kind is dict for part in parts):
        raise ValueError(f"batched: {name!r} is {structure}, which is no row of an array")
    return Structure("array", (len(structure.parts), *shape))
