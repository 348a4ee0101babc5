"""The loops of each group, and what it reads and writes as subscripts of their indices.

The loops show in the addresses of what is read and written. An array that one group alone writes
has a dimension for each of its loops.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from gradcompile.roll.affine import Fit, chain, factor, fit
from gradcompile.roll.arrays import (
    Access,
    Accesses,
    Given,
    Returned,
    SegmentTerms,
    Shaped,
    Storage,
)
from gradcompile.roll.families import Layout
from gradcompile.roll.forms import Form, Forms, Template
from gradcompile.roll.groups import Group
from gradcompile.roll.results import Results
from gradcompile.support.arrays import IntArray


def shape_groups(
    forms: Forms, groups: Sequence[Group], group_of: IntArray, results: Results, given: Given
) -> Accesses:
    """Find the loops of every group, and of the copies into results.

    Args:
        forms: the stored values.
        groups: their groups, producers first.
        group_of: for each stored value, by its number, the number of its group.
        results: the arrays of groups that share one, or write into a result; and the copies.
        given: the arrays that the program is given.
    """
    shaper = _Shaper(forms, groups, group_of, results.layout, given)
    shaped = [shaper.group(number) for number in range(len(groups))]
    shaped += [shaper.shaped(group, result, np.array(group.members))
               for result, group in results.copies]  # fmt: skip
    outputs = [x if isinstance(x, Storage) else shaper.returned(x) for x in results.outputs]
    return Accesses(tuple(shaped), tuple(outputs), shaper.shapes)


class _Shaper:
    """Shapes one group after the other: what a group reads must have its shape before.

    Attributes:
        shapes: the extents of every array so far.
    """

    def __init__(
        self,
        forms: Forms,
        groups: Sequence[Group],
        group_of: IntArray,
        layout: Layout,
        given: Given,
    ) -> None:
        self.shapes = {**given.shapes, **layout.shapes}
        self._strict = forms.strict
        self._groups = groups
        self._group_of = group_of
        self._given = given
        self._storage_of = dict(layout.storage_of)
        self._positions = layout.positions.copy()
        self._refined: set[int] = set()

    def group(self, number: int) -> Shaped:
        """A group's loops, and what it reads and writes in them."""
        group = self._groups[number]
        if group.rounds > 1 and group.scan not in self._refined:
            self._refine(group.scan)
        storage = self._storage_of.get(number)
        shaped = self.shaped(group, storage, self._positions[group.members])
        self._storage_of[number] = shaped.result.storage
        return shaped

    def _refine(self, scan: int) -> None:
        """Give the arrays of a scan, which its groups read from each other, their dimensions."""
        self._refined.add(scan)
        refined: dict[Storage, tuple[int, ...]] = {}
        for number, group in enumerate(self._groups):
            if group.scan == scan:
                storage = self._storage_of[number]
                positions = self._positions[group.members]
                if len(positions) == prod(self.shapes[storage]):
                    extents = self._extents(storage, positions, group.tables, group.rounds)
                    refined[storage] = tuple(extent for extent in extents if extent > 1)
        self.shapes.update(refined)

    def shaped(self, group: Group, storage: Storage | None, positions: IntArray) -> Shaped:
        """The loops of a group that writes these elements of an array, or an array of its own."""
        grids = group.tables
        regular = [grid for k, grid in enumerate(grids) if k != group.ragged]
        extents = self._extents(storage, positions, regular, group.rounds)
        order = np.arange(len(positions))
        if group.ragged < 0:
            order = self._forward_order(extents, grids, group.rounds)
            grids = [grid[order] for grid in grids]
        if storage is None:
            self._positions[np.array(group.members)[order]] = positions
            storage = Storage()
            self.shapes[storage] = tuple(extent for extent in extents if extent > 1)
        else:
            positions = positions[order]
        coordinates = _coordinates(self.shapes[storage], positions)
        result = Access(storage, tuple([fit(c, extents) for c in coordinates]))
        terms = [
            self._ragged_terms(group, grid, extents)
            if k == group.ragged
            else self._terms(template, grid, extents)
            for k, ((template, _), grid) in enumerate(zip(group.segments, grids, strict=True))
        ]
        return Shaped(group, extents, result, tuple(terms))

    def returned(self, form: Form) -> Returned:
        """One operand that the program returns."""
        template, leaves = form
        if template.number is not None:
            return template.number
        storage, coordinates = self._read(np.array(leaves))
        return Access(storage, tuple([Fit(int(c[0]), ()) for c in coordinates]))

    def _extents(
        self,
        storage: Storage | None,
        positions: IntArray,
        grids: Sequence[IntArray],
        rounds: int,
    ) -> tuple[int, ...]:
        """The loops over the members of a group: where what they read or write jumps."""
        found = [factor(c[:, 0]) for grid in grids for c in self._coordinate_lists(grid)]
        if storage is not None:
            found += [factor(c) for c in _coordinates(self.shapes[storage], positions)]
        return chain(len(positions), found, rounds)

    def _forward_order(
        self, extents: tuple[int, ...], grids: Sequence[IntArray], rounds: int
    ) -> IntArray:
        """The order of members in which most strides are positive; rounds keep their order."""
        order = np.arange(prod(extents)).reshape(extents)
        lists = [c[:, 0] for grid in grids for c in self._coordinate_lists(grid)]
        backward = _backward(lists, extents)
        return np.flip(order, tuple(axis for axis in backward if axis or rounds == 1)).ravel()

    def _terms(self, template: Template, grid: IntArray, extents: tuple[int, ...]) -> SegmentTerms:
        lists = [c[0] for c in self._coordinate_lists(grid)]
        inner = chain(grid.shape[1], [factor(c) for c in lists])
        if not self._strict:
            order = np.arange(grid.shape[1]).reshape(inner)
            grid = grid[:, np.flip(order, _backward(lists, inner)).ravel()]
        leaves = []
        for leaf in range(grid.shape[2]):
            storage, coordinates = self._read(grid[:, :, leaf])
            fits = [fit(c, (*extents, *inner)) for c in coordinates]
            leaves.append(Access(storage, tuple(fits)))
        return SegmentTerms(template, inner, tuple(leaves))

    def _ragged_terms(self, group: Group, grid: IntArray, extents: tuple[int, ...]) -> SegmentTerms:
        """The terms of all members one after the other, and where those of each begin."""
        template, _ = group.segments[group.ragged]
        leaves = []
        for leaf in range(grid.shape[2]):
            storage, coordinates = self._read(grid[:, :, leaf])
            fits = [_behind(fit(c[0], c.shape[1:]), len(extents)) for c in coordinates]
            leaves.append(Access(storage, tuple(fits)))
        lengths = [len(run) // grid.shape[2] for run in group.runs]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return SegmentTerms(template, grid.shape[1:2], tuple(leaves), starts)

    def _coordinate_lists(self, grid: IntArray) -> list[IntArray]:
        return [c for k in range(grid.shape[2]) for c in self._read(grid[:, :, k])[1]]

    def _read(self, leaf: IntArray) -> tuple[Storage, list[IntArray]]:
        """The array that a leaf reads, and where in it, dimension by dimension."""
        given, low = self._given, leaf.flat[0]
        if low < given.row:
            return given.inputs, [leaf]
        if low < given.datum:
            return given.rows, [leaf - given.row]
        if low < given.stored:
            return given.data, [leaf - given.datum]
        members = leaf - given.stored
        storage = self._storage_of[int(self._group_of[members.flat[0]])]
        return storage, _coordinates(self.shapes[storage], self._positions[members])


def _behind(fitted: Fit, loops: int) -> Fit:
    """The fit of one loop, inside of others on which it does not depend."""
    axes = tuple([axis + loops for axis in fitted.axes])
    return Fit(fitted.offset, (0,) * loops + fitted.strides, fitted.table, axes)


def _backward(lists: Sequence[IntArray], extents: Sequence[int]) -> tuple[int, ...]:
    """The axes along which more lists fall than rise."""
    votes = np.zeros(len(extents), int)
    for c in lists:
        grid = c.reshape(tuple(extents))
        for axis, extent in enumerate(extents):
            if extent > 1:
                votes[axis] += np.sign(grid.take(1, axis).flat[0] - grid.flat[0])
    return tuple(np.flatnonzero(votes < 0))


def _coordinates(shape: Sequence[int], positions: IntArray) -> list[IntArray]:
    """Elements of an array, dimension by dimension.

    numpy 2.4's `unravel_index` is wrong for more than 8,192 places in two dimensions.
    """
    coordinates: list[IntArray] = []
    for extent in reversed(shape[1:]):
        positions, inner = np.divmod(positions, extent)
        coordinates.append(inner)
    return [positions, *reversed(coordinates)] if shape else []
