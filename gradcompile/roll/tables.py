"""Tables: integers that addresses are looked up in, and captured constants that loops read."""

from collections.abc import Mapping, Sequence

import numpy as np

from gradcompile.ir.nests import Array
from gradcompile.roll.affine import Fit
from gradcompile.roll.arrays import Access, Arrays, Shaped
from gradcompile.support.arrays import IntArray


class Tables:
    """The integers of every table, one after the other, each table once."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[tuple[int, ...], bytes], Array] = {}
        self._tables: list[IntArray] = []
        self._size = 0

    def array(self, integers: IntArray) -> Array:
        """The array that holds a table."""
        key = (integers.shape, integers.tobytes())
        if key not in self._arrays:
            self._arrays[key] = Array(integers.shape, space="tables", start=self._size)
            self._tables.append(integers.ravel())
            self._size += integers.size
        return self._arrays[key]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._tables)

    def flat(self) -> IntArray:
        """All of them."""
        return np.concatenate(self._tables) if self._tables else np.zeros(0, np.int64)


class DataTables:
    """The tables that a program reads, and which captured constant each element is."""

    def __init__(self, arrays: Arrays) -> None:
        self._data = arrays.data
        self._tables: dict[tuple[tuple[int, ...], bytes], tuple[Array, IntArray]] = {}

    def replace(self, group: Shaped) -> None:
        """Let a group read tables instead of the constants in the order of the graph."""
        for terms in group.terms:
            extents = (*group.extents, *terms.extents)
            for access in terms.leaves:
                if access.array is self._data:
                    self._replace(access, extents)

    def _replace(self, access: Access, extents: Sequence[int]) -> None:
        (fitted,) = access.fits
        axes = [a for a, stride in enumerate(fitted.strides) if stride or a in fitted.axes]
        # Loops that read the same constants in another order read the same table.
        axes.sort(key=lambda axis: (-abs(fitted.strides[axis]), axis))
        addresses = _addresses(fitted, extents, axes)
        key = (addresses.shape, addresses.tobytes())
        if key not in self._tables:
            self._tables[key] = (Array(addresses.shape, space="data"), addresses)
        access.array = self._tables[key][0]
        access.fits = [
            Fit(0, tuple([int(axis == chosen) for axis in range(len(extents))])) for chosen in axes
        ]

    def order(self, exchanged: Mapping[Array, Sequence[int]]) -> IntArray:
        """For each element of all tables, one table after the other, the constant it holds.

        Args:
            exchanged: the order that the dimensions of some tables have been brought into.
        """
        parts = [np.zeros(0, np.int64)]
        start = 0
        for array, addresses in self._tables.values():
            array.start = start
            start += array.size
            axes = exchanged.get(array, range(addresses.ndim))
            parts.append(addresses.transpose(list(axes)).ravel())
        return np.concatenate(parts)


def _addresses(fitted: Fit, extents: Sequence[int], axes: Sequence[int]) -> IntArray:
    grid = np.full(tuple(extents[axis] for axis in axes), fitted.offset, np.int64)
    for place, axis in enumerate(axes):
        steps = fitted.strides[axis] * np.arange(extents[axis])
        grid += steps.reshape([-1 if k == place else 1 for k in range(len(axes))])
    if fitted.table is not None:
        order = sorted(range(fitted.table.ndim), key=lambda k: axes.index(fitted.axes[k]))
        shape = [extents[axis] if axis in fitted.axes else 1 for axis in axes]
        grid += fitted.table.transpose(order).reshape(shape)
    return grid
