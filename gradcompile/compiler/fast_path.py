"""Plain arguments: numbers, and float64 arrays of known shapes, which need no conversion.

They are what a training loop gives in every step. To see that they are plain takes a fraction of a
microsecond each. For others the answer is None, and they go the general way, which converts them or
says what is wrong with them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy import ndarray

from gradcompile.graph.nested import Structure
from gradcompile.support.arrays import FloatArray

FLOAT = np.dtype(np.float64)

TYPES: dict[Any, tuple[type, ...]] = {"leaf": (float, np.float64), "array": (ndarray,)}
"""The types of plain arguments, by the kind of their structure."""

PLAIN = {plain for types in TYPES.values() for plain in types}
"""All of these types."""


def is_readable_array(argument: Any) -> bool:
    """Is it an array that machine code can read where it lies?"""
    return type(argument) is ndarray and argument.dtype == FLOAT and argument.flags.aligned


def is_vector(argument: Any, shape: tuple[int]) -> bool:
    """Is it an array that machine code can take for the vector of its inputs?"""
    return is_readable_array(argument) and argument.shape == shape and argument.flags.c_contiguous


def vector_reader(
    structures: Sequence[Structure], types: Sequence[type]
) -> Callable[[Sequence[Any]], FloatArray | None] | None:
    """Make the function that joins plain arguments to a vector; None if they cannot be plain.

    It gives None for arguments that are not plain.

    Args:
        structures: what is expected of each argument.
        types: of the arguments; it will be given others of these types.

    Example:
        >>> from gradcompile.graph.nested import NUMBER
        >>> read = vector_reader([Structure("array", (2,)), NUMBER], [np.ndarray, float])
        >>> read([np.zeros(2), 1.0])
        array([0., 0., 1.])
        >>> read([np.zeros(3), 1.0]) is None
        True
    """
    pairs = zip(structures, types, strict=True)
    if not all(given in TYPES.get(structure.kind, ()) for structure, given in pairs):
        return None
    shapes = [(k, s.keys) for k, s in enumerate(structures) if s.kind == "array"]
    if not shapes:
        return lambda arguments: np.array(arguments, np.float64)

    def read(arguments: Sequence[Any]) -> FloatArray | None:
        for k, shape in shapes:
            if not is_readable_array(arguments[k]) or arguments[k].shape != shape:
                return None
        if len(arguments) == 1:
            return arguments[0].ravel()  # type: ignore[no-any-return]
        return np.concatenate(arguments, axis=None)

    return read


def rows_caller(
    run: Callable[..., Any],
    size: int,
    rows: Mapping[Any, Structure],
    get: Callable[[Any, Any], Any],
    count: int,
) -> Callable[[Any, Any], Any]:
    """Make the function that runs machine code on a plain vector and plain arrays of rows.

    It gives None for arguments that are not plain.

    Args:
        run: takes the vector, and a tuple of matrices.
        size: of the vector.
        rows: what is expected of a row of each array, by its key in what will be given.
        get: takes an array out of that by its key, or None.
        count: how many there will be, arrays or not.

    Example:
        >>> from gradcompile.graph.nested import NUMBER
        >>> def shapes(vector, matrices):
        ...     return [matrix.shape for matrix in matrices]
        >>> rows = {"x": Structure("array", (2,)), "y": NUMBER}
        >>> call = rows_caller(shapes, 3, rows, dict.get, 2)
        >>> call(np.zeros(3), {"x": np.zeros((5, 2)), "y": np.zeros(5)})
        [(5, 2), (5, 1)]
        >>> call(np.zeros(3), {"x": np.zeros((5, 2)), "y": np.zeros(4)}) is None
        True
    """
    shape, first = (size,), next(iter(rows))

    @lru_cache  # a loop goes through batches of a few lengths
    def arrays(length: int) -> list[tuple[Any, tuple[int, ...]]]:
        return [(key, (length, *row.keys)) for key, row in rows.items()]

    def call(vector: Any, given: Any) -> Any:
        if not is_vector(vector, shape) or len(given) != count:
            return None
        leading = get(given, first)
        length = len(leading) if type(leading) is ndarray and leading.ndim else 0
        if not length:  # there is no mean of no rows
            return None
        matrices = []
        for key, expected in arrays(length):
            array = get(given, key)
            if not is_readable_array(array) or array.shape != expected:
                return None
            matrices.append(array if array.ndim == 2 else array.reshape(length, -1))
        return run(vector, tuple(matrices))

    return call
