"""Tables: integers that addresses are looked up in, and captured constants that loops read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gradcompile.ir.nests import Array
from gradcompile.roll.affine import Fit
from gradcompile.roll.arrays import Access, Accesses, Storage, with_leaves
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


@dataclass(frozen=True)
class DataTables:
    """The tables of captured constants.

    Attributes:
        constants: for each table, in order, which constants of the program are its elements.
    """

    constants: Mapping[Storage, IntArray]

    def starts(self) -> dict[Storage, int]:
        """Where each begins in all of them, one after the other."""
        sizes = [numbers.size for numbers in self.constants.values()]
        starts = np.cumsum([0, *sizes]).tolist()
        return dict(zip(self.constants, starts, strict=False))

    def order(self, orders: Mapping[Storage, Sequence[int]]) -> IntArray:
        """For each element of all tables, one table after the other, the constant it holds.

        Args:
            orders: the order that the dimensions of some tables have been brought into.
        """
        parts = [np.zeros(0, np.int64)]
        for storage, numbers in self.constants.items():
            parts.append(numbers.transpose(orders.get(storage, range(numbers.ndim))).ravel())
        return np.concatenate(parts)


def read_tables(accesses: Accesses, data: Storage) -> tuple[Accesses, DataTables]:
    """Let groups read tables instead of the constants in the order of the graph."""
    tables: dict[tuple[tuple[int, ...], bytes], Storage] = {}
    constants: dict[Storage, IntArray] = {}

    def replaced(access: Access, extents: Sequence[int]) -> Access:
        if access.storage is not data:
            return access
        (fitted,) = access.fits
        axes = [a for a, stride in enumerate(fitted.strides) if stride or a in fitted.axes]
        # Loops that read the same constants in another order read the same table.
        axes.sort(key=lambda axis: (-abs(fitted.strides[axis]), axis))
        addresses = _addresses(fitted, extents, axes)
        key = (addresses.shape, addresses.tobytes())
        if key not in tables:
            tables[key] = Storage("data")
            constants[tables[key]] = addresses
        along = [tuple([int(a == axis) for a in range(len(extents))]) for axis in axes]
        return Access(tables[key], tuple([Fit(0, strides) for strides in along]))

    groups = []
    for group in accesses.groups:
        leaves = [
            [replaced(leaf, (*group.extents, *terms.extents)) for leaf in terms.leaves]
            for terms in group.terms
        ]
        groups.append(with_leaves(group, leaves))
    shapes = {storage: addresses.shape for storage, addresses in constants.items()}
    changed = replace(accesses, groups=tuple(groups), shapes={**accesses.shapes, **shapes})
    return changed, DataTables(constants)


def _addresses(fitted: Fit, extents: Sequence[int], axes: Sequence[int]) -> IntArray:
    grid = np.full(tuple(extents[axis] for axis in axes), fitted.offset, np.int64)
    for dimension, axis in enumerate(axes):
        steps = fitted.strides[axis] * np.arange(extents[axis])
        grid += steps.reshape([-1 if k == dimension else 1 for k in range(len(axes))])
    if fitted.table is not None:
        order = sorted(range(fitted.table.ndim), key=lambda k: axes.index(fitted.axes[k]))
        shape = [extents[axis] if axis in fitted.axes else 1 for axis in axes]
        grid += fitted.table.transpose(order).reshape(shape)
    return grid
