"""Families: groups that share an array.

A group has an array of its own. Groups that some leaf reads side by side share one: they compute
the same thing at several places, by forms that differ.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gradcompile.roll.affine import chain, factor
from gradcompile.roll.arrays import Shapes, Storage
from gradcompile.roll.forms import Forms, Template
from gradcompile.roll.groups import Group, StatementOrder
from gradcompile.support.arrays import IntArray


@dataclass(frozen=True)
class Layout:
    """Where stored values lie, as far as it is known.

    Attributes:
        storage_of: for each group, by its number, the array that it writes.
        shapes: of these arrays.
        positions: for each stored value, by its number, which element of its array it is.
    """

    storage_of: Mapping[int, Storage]
    shapes: Shapes
    positions: IntArray


@dataclass(frozen=True)
class Families:
    """Which groups share an array.

    Attributes:
        group_of: for each stored value, by its number, the number of its group.
        first: for each group, by its number, the first of the groups that share its array.
        layout: of groups that share an array, and of scans.
    """

    group_of: IntArray
    first: Sequence[int]
    layout: Layout


def find_families(forms: Forms, groups: Sequence[Group], order: StatementOrder) -> Families:
    """Find the groups that share arrays, and the shapes of these arrays."""
    count = len(forms.stored)
    group_of = np.zeros(count, np.int64)
    for number, group in enumerate(groups):
        group_of[group.members] = number
    first = _united(groups, group_of, forms.first)
    families: dict[int, list[int]] = {}
    for number, root in enumerate(first):
        families.setdefault(root, []).append(number)
    positions = np.zeros(count, np.int64)
    storage_of: dict[int, Storage] = {}
    shapes: dict[Storage, tuple[int, ...]] = {}
    for numbers in families.values():
        family = [groups[number] for number in numbers]
        if len(family) == 1 and family[0].rounds == 1:
            positions[family[0].members] = np.arange(len(family[0].members))
            continue
        everyone = [member for group in family for member in group.members]
        everyone.sort(key=lambda member: order(forms.stored[member]))
        positions[everyone] = np.arange(len(everyone))
        storage = Storage()
        shapes[storage] = _common_shape(len(everyone), family, positions)
        storage_of.update(dict.fromkeys(numbers, storage))
    return Families(group_of, first, Layout(storage_of, shapes, positions))


def _united(groups: Sequence[Group], group_of: IntArray, stored: int) -> list[int]:
    """For each group, the first of the groups that share its array."""
    parent = list(range(len(groups)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for group in groups:
        for (template, _), grid in zip(group.segments, group.tables, strict=True):
            for leaf in _stored_leaves(template):
                sources = np.unique(group_of[grid[:, :, leaf] - stored])
                for other in sources[1:]:
                    a, b = sorted((root(int(sources[0])), root(int(other))))
                    parent[b] = a
    return [root(k) for k in range(len(groups))]


def _common_shape(total: int, family: Iterable[Group], positions: IntArray) -> tuple[int, ...]:
    """The shape that the positions of all groups of a family agree on; flat if there is none."""
    found = []
    for group in family:
        own = positions[group.members[: len(group.members) // group.rounds]]
        jumps = np.flatnonzero(np.diff(own) != 1)
        run = int(jumps[0]) + 1 if len(jumps) else len(own)
        found.append([run, *(length for length in factor(own) if length != run)])
    lengths = sorted({length for lengths in found for length in lengths} | {total})
    if any(outer % inner for inner, outer in pairwise(lengths)):
        return (total,)
    return chain(total, found)


def _stored_leaves(template: Template) -> list[int]:
    return [leaf for leaf, kind in enumerate(_leaf_kinds(template)) if kind == "stored"]


def _leaf_kinds(template: Template) -> list[str]:
    """The kinds of a template's leaves, in order."""
    kinds: list[str] = []
    stack = [template]
    while stack:
        item = stack.pop()
        if item.kind:
            kinds.append(item.kind)
        stack.extend(reversed(item.parts))
    return kinds
