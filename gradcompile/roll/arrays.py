"""Where stored values lie: arrays, and the subscripts by which each group reads and writes them.

A group has an array of its own, with one dimension a loop. Groups that some leaf reads side by side
share an array: they compute the same thing at several places, by forms that differ. A group whose
members are all returned writes into the result itself.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain as chain_lists
from itertools import pairwise
from math import prod

import numpy as np

from gradcompile.ir.nests import Array, Place, Subscript
from gradcompile.ir.program import Const, Output, Program, Var
from gradcompile.roll.affine import Fit, chain, factor, fit
from gradcompile.roll.forms import Form, Forms, Template
from gradcompile.roll.groups import Group, Places, Shape
from gradcompile.support.arrays import IntArray
from gradcompile.support.names import common_label


@dataclass
class Access:
    """What one leaf of a group reads, or what the group writes: a subscript a dimension."""

    array: Array
    fits: list[Fit]


@dataclass
class SegmentTerms:
    """One segment of a group: terms of one template, and the loops that sum them.

    Attributes:
        template: of the terms.
        extents: of the loops.
        leaves: what the terms read.
        starts: where the terms of each member begin, if they differ in number; one more at the end.
    """

    template: Template
    extents: tuple[int, ...]
    leaves: list[Access]
    starts: IntArray | None = None


@dataclass
class Shaped:
    """A group with its loops: what every member writes and reads as functions of their indices.

    Attributes:
        is_total: does it sum up the rows of a batch?
    """

    group: Group
    extents: tuple[int, ...]
    place: Access
    terms: list[SegmentTerms]
    is_total: bool = False


class Arrays:
    """The arrays of a program.

    Attributes:
        inputs, rows, data: the flat arrays that are given.
        outputs: the flat array of each output that is a tuple; None for a number.
        totals: those of them in which the rows of a batch are summed up.
    """

    def __init__(
        self,
        program: Program,
        forms: Forms,
        groups: Sequence[Group],
        places: Places,
        totals: Collection[int] = (),
    ) -> None:
        self._places = places
        self.first = len(program.inputs)
        self.given = program.given
        self.before_data = self.first - len(program.data)
        self.inputs = Array((self.given,), space="inputs")
        self.rows = Array((program.rows,), space="rows")
        self.data = Array((len(program.data),), space="data")
        self.forms = forms
        count = len(forms.stored)
        self.group_of = np.zeros(count, np.int64)
        for number, group in enumerate(groups):
            self.group_of[group.members] = number
        self.groups = groups
        self.array_of: dict[int, Array] = {}
        self.place_of = np.zeros(count, np.int64)
        self.outputs: list[Array | None] = []
        self.copies: list[tuple[Array, Group]] = []
        self._refined: set[int] = set()
        self.totals: set[Array] = set()
        self._roots = self._united()
        self._families(self._roots)
        self._results(program, totals)

    # --- families ------------------------------------------------------------------------------

    def _united(self) -> list[int]:
        """For each group, the first of the groups that share its array."""
        parent = list(range(len(self.groups)))

        def root(k: int) -> int:
            while parent[k] != k:
                parent[k] = parent[parent[k]]
                k = parent[k]
            return k

        for group in self.groups:
            for (template, _), grid in zip(group.segments, group.tables, strict=True):
                for leaf in _stored_leaves(template):
                    sources = np.unique(self.group_of[grid[:, :, leaf] - self.first])
                    for other in sources[1:]:
                        a, b = sorted((root(int(sources[0])), root(int(other))))
                        parent[b] = a
        return [root(k) for k in range(len(self.groups))]

    def _families(self, roots: Sequence[int]) -> None:
        families: dict[int, list[int]] = {}
        for number, root in enumerate(roots):
            families.setdefault(root, []).append(number)
        for numbers in families.values():
            group = self.groups[numbers[0]]
            if len(numbers) == 1 and group.rounds == 1:
                self.place_of[group.members] = np.arange(len(group.members))
                continue
            everyone = [member for number in numbers for member in self.groups[number].members]
            everyone.sort(key=lambda member: self._places(self.forms.stored[member]))
            self.place_of[everyone] = np.arange(len(everyone))
            array = Array(self._common_shape(len(everyone), numbers))
            for number in numbers:
                self.array_of[number] = array

    def _common_shape(self, total: int, numbers: Iterable[int]) -> tuple[int, ...]:
        """The shape that the places of all groups of a family agree on; flat if there is none."""
        found = []
        for number in numbers:
            group = self.groups[number]
            places = self.place_of[group.members[: len(group.members) // group.rounds]]
            jumps = np.flatnonzero(np.diff(places) != 1)
            run = int(jumps[0]) + 1 if len(jumps) else len(places)
            found.append([run, *(length for length in factor(places) if length != run)])
        lengths = sorted({length for lengths in found for length in lengths} | {total})
        if any(outer % inner for inner, outer in pairwise(lengths)):
            return (total,)
        return chain(total, found)

    # --- results -------------------------------------------------------------------------------

    def _results(self, program: Program, totals: Collection[int]) -> None:
        """Let groups write into results where they can; copy the rest."""
        forms = iter(self.forms.outputs)
        read = self._read() if totals else set()
        for number, output in enumerate(program.outputs):
            if not isinstance(output, tuple) and not program.rows:
                next(forms)
                self.outputs.append(None)
                continue
            array = self._result(number, output, total=number in totals)
            self.outputs.append(array)
            slots: dict[int, int] = {}
            rest: list[tuple[int, Form]] = []
            for slot in range(array.size):
                form = next(forms)
                template, leaves = form
                member = leaves[0] - self.first if template.kind == "stored" else -1
                if member >= 0 and member not in slots and member not in read:
                    slots[member] = slot
                else:
                    rest.append((slot, form))
            taken = self._write_into(array, slots)
            rest += [
                (slot, (self.forms.leaf("stored"), (member + self.first,)))
                for member, slot in slots.items()
                if member not in taken
            ]
            self._copy(array, sorted(rest, key=lambda item: item[0]))

    def _result(self, number: int, output: Output, total: bool) -> Array:
        if isinstance(output, tuple):
            array = Array((len(output),), space=f"output {number}")
        else:  # the value of a batched function: a number if it is a sum, else one for each row
            array = Array((), space="" if total else f"output {number}", label="value")
        if total:
            self.totals.add(array)
        return array

    def _read(self) -> set[int]:
        """The stored values that are needed by row, and not only summed up.

        Others read them, or they are returned twice: the second result would read the sum that the
        first one is.
        """
        read = set(chain_lists.from_iterable([value.leaves for value in self.forms.stored]))
        returned = Counter[int]()
        for template, leaves in self.forms.outputs:
            (returned if template.kind == "stored" else read).update(leaves)
        read.update(leaf for leaf, times in returned.items() if times > 1)
        return {leaf - self.first for leaf in read if leaf >= self.first}

    def _write_into(self, array: Array, slots: dict[int, int]) -> set[int]:
        taken: set[int] = set()
        for number in sorted({int(self.group_of[member]) for member in slots}):
            members = self.groups[number].members
            if number not in self.array_of and all(member in slots for member in members):
                self.array_of[number] = array
                self.place_of[members] = [slots[member] for member in members]
                taken.update(members)
        return taken

    def _copy(self, array: Array, rest: Sequence[tuple[int, Form]]) -> None:
        # One loop copies from one array.
        by_source: dict[tuple[Template, int], tuple[list[int], list[tuple[int, ...]]]] = {}
        for slot, (template, leaves) in rest:
            slots, found = by_source.setdefault(
                (template, self._source(template, leaves)), ([], [])
            )
            slots.append(slot)
            found.append(leaves)
        for (template, _), (slots, found) in by_source.items():
            shape = Shape(reverse=True, is_sum=False, counts=(), sources=None)
            group = Group(slots, [(template, 1)], found, False, True, -1, shape)
            self.copies.append((array, group))

    def _source(self, template: Template, leaves: Sequence[int]) -> int:
        """For a stored value, which family of groups it belongs to."""
        return (
            self._roots[self.group_of[leaves[0] - self.first]] if template.kind == "stored" else -1
        )

    # --- loops ---------------------------------------------------------------------------------

    def shape(self, number: int) -> Shaped:
        """A group's loops, and what it reads and writes in them; producers come first."""
        group = self.groups[number]
        if group.rounds > 1 and group.scan not in self._refined:
            self._refine(group.scan)
        shaped = self._shape(group, self.array_of.get(number), self.place_of[group.members])
        self.array_of[number] = array = shaped.place.array
        if not array.label and not array.space:
            array.label, array.primal = self._label(group)
        return shaped

    def _refine(self, scan: int) -> None:
        """Give the arrays of a scan, which its groups read from each other, their dimensions."""
        self._refined.add(scan)
        shapes: dict[Array, tuple[int, ...]] = {}
        for number, group in enumerate(self.groups):
            if group.scan == scan:
                array = self.array_of[number]
                places = self.place_of[group.members]
                if len(places) == array.size:
                    extents = self._extents(array, places, group.tables, group.rounds)
                    shapes[array] = tuple(extent for extent in extents if extent > 1)
        for array, shape in shapes.items():
            array.shape = shape

    def _label(self, group: Group) -> tuple[str, Array | None]:
        """What to call the array of a group; and for adjoints, the array that they belong to."""
        variables = [self.forms.stored[member].var for member in group.members]
        label = common_label([var.name for var in variables])
        primals = {self._array_of_var(var.primal) for var in variables}
        if len(primals) == 1 and None not in primals:
            return label, primals.pop()
        if not label:
            label = common_label([var.primal.name for var in variables if var.primal])
            label = f"{label}_bar" if label else ""
        operation = group.segments[0][0].op
        return label or ("s" if group.is_sum or operation is None else operation.name), None

    def _array_of_var(self, var: Var | None) -> Array | None:
        number = self.forms.number_of.get(var) if var is not None else None
        return None if number is None else self.array_of.get(int(self.group_of[number]))

    def shape_copy(self, result: Array, group: Group) -> Shaped:
        """The loops of a group that copies into a result."""
        return self._shape(group, result, np.array(group.members))

    def read(self, form: Form) -> Place | Const:
        """The place of one operand that the program returns."""
        template, leaves = form
        if template.number is not None:
            return template.number
        array, coordinates = self._coordinates(np.array(leaves))
        return Place(array, tuple(Subscript(int(c[0])) for c in coordinates))

    def _shape(self, group: Group, array: Array | None, places: IntArray) -> Shaped:
        grids = group.tables
        regular = [grid for k, grid in enumerate(grids) if k != group.ragged]
        extents = self._extents(array, places, regular, group.rounds)
        order = np.arange(len(places))
        if group.ragged < 0:
            order = self._forward_order(extents, grids, group.rounds)
            grids = [grid[order] for grid in grids]
        if array is None:
            self.place_of[np.array(group.members)[order]] = places
            array = Array(tuple(extent for extent in extents if extent > 1))
        else:
            places = places[order]
        place = Access(array, [fit(c, extents) for c in _coordinates(array, places)])
        terms = [
            self._ragged_terms(group, grid, extents)
            if k == group.ragged
            else self._terms(template, grid, extents)
            for k, ((template, _), grid) in enumerate(zip(group.segments, grids, strict=True))
        ]
        return Shaped(group, extents, place, terms)

    def _extents(
        self, array: Array | None, places: IntArray, grids: Sequence[IntArray], rounds: int
    ) -> tuple[int, ...]:
        """The loops over the members of a group: where what they read or write jumps."""
        found = [factor(c[:, 0]) for grid in grids for c in self._coordinate_lists(grid)]
        if array is not None:
            found += [factor(c) for c in _coordinates(array, places)]
        return chain(len(places), found, rounds)

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
        if not self.forms.strict:
            order = np.arange(grid.shape[1]).reshape(inner)
            grid = grid[:, np.flip(order, _backward(lists, inner)).ravel()]
        leaves = []
        for number in range(grid.shape[2]):
            array, coordinates = self._coordinates(grid[:, :, number])
            leaves.append(Access(array, [fit(c, (*extents, *inner)) for c in coordinates]))
        return SegmentTerms(template, inner, leaves)

    def _ragged_terms(self, group: Group, grid: IntArray, extents: tuple[int, ...]) -> SegmentTerms:
        """The terms of all members one after the other, and where those of each begin."""
        template, _ = group.segments[group.ragged]
        leaves = []
        for number in range(grid.shape[2]):
            array, coordinates = self._coordinates(grid[:, :, number])
            fits = [_behind(fit(c[0], c.shape[1:]), len(extents)) for c in coordinates]
            leaves.append(Access(array, fits))
        lengths = [len(run) // grid.shape[2] for run in group.runs]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return SegmentTerms(template, grid.shape[1:2], leaves, starts)

    def _coordinate_lists(self, grid: IntArray) -> list[IntArray]:
        return [c for k in range(grid.shape[2]) for c in self._coordinates(grid[:, :, k])[1]]

    def _coordinates(self, leaf: IntArray) -> tuple[Array, list[IntArray]]:
        """The array that a leaf reads, and where in it, dimension by dimension."""
        low = leaf.flat[0]
        if low < self.given:
            return self.inputs, [leaf]
        if low < self.before_data:
            return self.rows, [leaf - self.given]
        if low < self.first:
            return self.data, [leaf - self.before_data]
        array = self.array_of[int(self.group_of[low - self.first])]
        return array, _coordinates(array, self.place_of[leaf - self.first])


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


def _coordinates(array: Array, places: IntArray) -> list[IntArray]:
    """Places in an array, dimension by dimension.

    numpy 2.4's `unravel_index` is wrong for more than 8,192 places in two dimensions.
    """
    coordinates: list[IntArray] = []
    for extent in reversed(array.shape[1:]):
        places, inner = np.divmod(places, extent)
        coordinates.append(inner)
    return [places, *reversed(coordinates)] if array.shape else []


def _stored_leaves(template: Template) -> list[int]:
    return [number for number, kind in enumerate(leaf_kinds(template)) if kind == "stored"]


def leaf_kinds(template: Template) -> list[str]:
    """The kinds of a template's leaves, in order."""
    kinds: list[str] = []
    stack = [template]
    while stack:
        item = stack.pop()
        if item.kind:
            kinds.append(item.kind)
        stack.extend(reversed(item.parts))
    return kinds
