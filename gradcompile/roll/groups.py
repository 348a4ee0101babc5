"""Groups: stored values that one loop can compute.

Values belong together if they have equal forms and none depends on another. The dependence level
of a value, one more than the greatest of those it reads, makes sure of the second. Where the same
layer is applied at several places and some of them are ready earlier than the others, they wait
for each other, as far as nothing else has to wait for them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple

import numpy as np

from gradcompile.ir.sweeps import Sweep
from gradcompile.roll.forms import Forms, Stored, Template
from gradcompile.support.arrays import IntArray

Segment = tuple[Template, tuple[int, ...]]
"""Terms of a sum that one loop can add: their template, and which of their leaves read the same
group of values, by local numbers."""

MAX_SOURCES = 4
"""A sum over more groups than this reads the steps of a recurrence: they count as one group."""

MIN_LENGTHS = 3
"""From so many lengths of a sum on, one loop computes it for all of them."""


class Shape(NamedTuple):
    """What the members of a group have in common.

    Attributes:
        sweep: that they belong to.
        is_sum: are they sums?
        counts: each kind of terms, and how many of it there are.
        sources: what their leaves read, where that matters.
        output: the output that they are elements of; -1 for none.
    """

    sweep: Sweep
    is_sum: bool
    counts: tuple[tuple[Segment, object], ...]
    sources: tuple[int, ...] | None
    output: int = -1


@dataclass(eq=False)
class Group:
    """Stored values that one loop computes.

    Attributes:
        members: numbers of stored values, in the order of the loop.
        segments: the templates of the terms, each with how many of its kind a member sums.
        leaves: for each member, the leaves of its terms, one segment after the other; without
            those of a ragged one.
        is_sum: are the members sums? Otherwise there is one segment with one term.
        sweep: that it belongs to.
        level: the dependence level.
        shape: what equal groups have in common.
        rounds: how many groups of a scan were merged in it; their members follow each other.
        scan: the number of the scan it belongs to; -1 for none.
        ragged: the segment of which each member sums another number of terms; -1 for none.
        runs: for each member, the leaves of these terms.
        number: its place among all groups.
        differentiates: the numbers of the forward groups that its values are adjoints by.
    """

    members: list[int]
    segments: list[tuple[Template, int]]
    leaves: list[tuple[int, ...]]
    is_sum: bool
    sweep: Sweep
    level: int
    shape: "Shape"
    rounds: int = 1
    scan: int = -1
    ragged: int = -1
    runs: list[tuple[int, ...]] = field(default_factory=list)
    number: int = -1
    differentiates: tuple[int, ...] = ()

    @cached_property
    def tables(self) -> list[IntArray]:
        """The leaves of each segment by member, term and leaf; a ragged one is one long row."""
        found = []
        table = _integers(self.leaves).reshape(len(self.leaves), -1)
        for place, (template, count) in enumerate(self.segments):
            part, table = np.split(table, [count * template.width], axis=1)
            if place == self.ragged:
                found.append(_integers(self.runs).reshape(1, -1, template.width))
            else:
                found.append(part.reshape(len(part), count, template.width))
        return found


def _integers(rows: Iterable[Iterable[int]]) -> IntArray:
    return np.fromiter(chain.from_iterable(rows), np.int64)


def make_groups(
    forms: Forms, statements: "StatementOrder", parameters: Sequence[int] = ()
) -> list[Group]:
    """Group a program's stored values, in an order in which the groups can be computed.

    Args:
        forms: the stored values.
        statements: their order in the program.
        parameters: for each input, the number of the array that it is an element of; -1 for none.
    """
    kinds = _Kinds(forms, parameters)
    for number, value in enumerate(forms.stored):
        kinds.add(number, value)
    made = list(_merge_ragged(kinds.groups.values()))
    for group in made:
        _sort(group, [statements(forms.stored[member]) for member in group.members])
    return sorted(made, key=lambda group: (group.sweep, group.level))


class _Kind(NamedTuple):
    """What stored values have in common whose leaves of equal templates read equal groups.

    Attributes:
        group: where they belong.
        order: of their leaves, segment by segment.
        kin: a number for all values of one formula on one level.
        step: a number for all values of one formula.
    """

    group: Group
    order: Sequence[int]
    kin: int
    step: int


class _Kinds:
    """Tells the kind of one stored value after the other; most have been seen before.

    Attributes:
        groups: the groups of the values so far.
    """

    def __init__(self, forms: Forms, parameters: Sequence[int]) -> None:
        self.groups: dict[object, Group] = {}
        self._given = forms.program.given
        self._arrays = forms.program.given + forms.program.rows
        self._strict = forms.strict
        self._sweep_of = forms.sweep_of
        self._levels = _aligned_levels(forms)
        self._outputs = _outputs(forms)
        self._kinds: dict[object, _Kind] = {}
        self._numbers: dict[object, int] = {}
        # By what a leaf reads; elements of one array are of one kind, other inputs of none.
        arrays = [-1 if k < 0 else self._number(("array", k)) for k in parameters]
        self._kin = [*arrays, *[-1] * (forms.first - len(arrays))]
        self._steps = [*self._kin]

    def add(self, number: int, value: Stored) -> None:
        """Put the next stored value into its group."""
        level = self._levels[number]
        sources = tuple(map(self._kin.__getitem__, value.leaves))
        output = self._outputs.get(number, -1)
        key = (level, self._sweep_of[value.var], value.is_sum, value.templates, sources, output)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = self._new(value, level, sources, output)
        self._kin.append(kind.kin)
        self._steps.append(kind.step)
        kind.group.members.append(number)
        kind.group.leaves.append(tuple(map(value.leaves.__getitem__, kind.order)))

    def _new(self, value: Stored, level: int, sources: tuple[int, ...], output: int) -> _Kind:
        sweep = self._sweep_of[value.var]
        steps = tuple(map(self._steps.__getitem__, value.leaves))
        segments = _segments(value.templates, sources, self._strict)
        if len(segments) > MAX_SOURCES:
            segments = _segments(value.templates, steps, self._strict)
        family = (sweep, tuple([segment for segment, _ in segments]))
        counts = tuple([(segment, len(starts)) for segment, starts in segments])
        # Equal weights tell the same layer, whatever it is applied to.
        firsts = [range(x[0], x[0] + template.width) for (template, _), x in segments]
        read = tuple([steps[k] for k in chain.from_iterable(firsts)])
        if min(value.leaves, default=self._given) < self._given:
            leaves = [value.leaves[k] for k in chain.from_iterable(firsts)]
            read = tuple(
                [x if leaf < self._arrays else -1 for x, leaf in zip(read, leaves, strict=True)]
            )
        shape = Shape(sweep, value.is_sum, counts, read, output)
        if (level, shape) not in self.groups:
            found = [(template, count) for (template, _), count in counts]
            self.groups[level, shape] = Group([], found, [], value.is_sum, sweep, level, shape)
        order = [
            place
            for (template, _), starts in segments
            for start in starts
            for place in range(start, start + template.width)
        ]
        kin, step = map(self._number, ((level, family), family))
        return _Kind(self.groups[level, shape], order, kin, step)

    def _number(self, key: object) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def _outputs(forms: Forms) -> dict[int, int]:
    """For each stored value that is returned, the number of the (first) output that it is in."""
    supply = iter(forms.outputs)
    found: dict[int, int] = {}
    for number, output in enumerate(forms.program.outputs):
        for _ in output if isinstance(output, tuple) else (output,):
            template, leaves = next(supply)
            if template.kind == "stored":
                found.setdefault(leaves[0] - forms.first, number)
    return found


def _merge_ragged(groups: Iterable[Group]) -> Iterator[Group]:
    """The groups, those merged that differ in the length of one sum alone."""
    alike: dict[object, list[Group]] = {}
    for group in groups:
        kinds = tuple(segment for segment, _ in group.shape.counts)
        key = (group.level, group.shape._replace(counts=()), kinds)
        alike.setdefault(key, []).append(group)
    for found in alike.values():
        lengths = zip(*([count for _, count in group.segments] for group in found), strict=True)
        varying = [place for place, counts in enumerate(lengths) if len(set(counts)) > 1]
        if len(found) >= MIN_LENGTHS and len(varying) == 1:
            template, _ = found[0].segments[varying[0]]
            if template.width:
                yield _merged(found, varying[0])
                continue
        yield from found


def _merged(groups: Sequence[Group], ragged: int) -> Group:
    """One group of members that sum different numbers of terms of a segment."""
    first = groups[0]
    template, _ = first.segments[ragged]
    segments = [*first.segments]
    segments[ragged] = (template, 0)
    lengths = tuple((group.segments[ragged][1], len(group.members)) for group in groups)
    counts = [*first.shape.counts]
    counts[ragged] = (counts[ragged][0], lengths)
    shape = first.shape._replace(counts=tuple(counts))
    parts = [_without_runs(group, ragged) for group in groups]
    return merge(parts, segments=segments, is_sum=True, shape=shape, ragged=ragged)


def _without_runs(group: Group, ragged: int) -> Group:
    """The group, the leaves of one segment apart from the others."""
    widths = [template.width * count for template, count in group.segments]
    start, stop = sum(widths[:ragged]), sum(widths[: ragged + 1])
    leaves = [row[:start] + row[stop:] for row in group.leaves]
    return replace(group, leaves=leaves, runs=[row[start:stop] for row in group.leaves])


def merge(groups: Sequence[Group], **changes: Any) -> Group:
    """The members of all groups as one group, which is like the first but for some changes."""
    return replace(
        groups[0],
        members=[member for group in groups for member in group.members],
        leaves=[row for group in groups for row in group.leaves],
        runs=[row for group in groups for row in group.runs],
        **changes,
    )


def _segments(
    templates: Sequence[Template], sources: tuple[int, ...], strict: bool
) -> list[tuple[Segment, list[int]]]:
    """The terms by their kind: all of a kind together, or only neighbours if order counts.

    Args:
        templates: of the terms.
        sources: for each leaf, a number for what it reads; -1 if that makes no difference.
        strict: does order count?

    Returns:
        The kinds, each with the places of the first leaves of its terms.
    """
    local_of = {-1: -1}
    found: dict[object, tuple[Segment, list[int]]] = {}
    ends = accumulate([template.width for template in templates], initial=0)
    last: object = None
    run = 0
    for template, (start, stop) in zip(templates, pairwise(ends), strict=True):
        kind = (template, sources[start:stop])
        if strict and kind != last:
            run += 1
        last = kind
        if (run, kind) not in found:
            local = [local_of.setdefault(x, len(local_of) - 1) for x in sources[start:stop]]
            found[run, kind] = ((template, tuple(local)), [])
        found[run, kind][1].append(start)
    return list(found.values())


# --- the order of members ----------------------------------------------------------------------


class StatementOrder:
    """The order of stored values: by the forward statement they belong to, then by their own."""

    def __init__(self, forms: Forms) -> None:
        self._number_of = forms.operand_of

    def __call__(self, value: Stored) -> tuple[int, int]:
        """The key by which a value is sorted among those of its loop."""
        number_of = self._number_of
        own = number_of[value.var]
        primal = value.var.primal if value.var.primal in number_of else value.origin
        while primal is not None and primal.primal in number_of:
            primal = primal.primal
        return (own if primal is None else number_of.get(primal, own), own)


def _sort(group: Group, keys: Sequence[tuple[int, int]]) -> None:
    order = sorted(range(len(keys)), key=keys.__getitem__)
    group.members = [group.members[k] for k in order]
    group.leaves = [group.leaves[k] for k in order]
    group.runs = [group.runs[k] for k in order] if group.runs else []


# --- levels ------------------------------------------------------------------------------------


def _aligned_levels(forms: Forms) -> list[int]:
    """The level of each stored value."""
    levels, given = _levels(forms), forms.program.given
    alike: dict[object, list[int]] = {}
    for number, value in enumerate(forms.stored):
        start = sum([template.width for template in value.templates[:3]])
        shared = tuple([leaf for leaf in value.leaves[:start] if leaf < given])
        if shared:
            key = (value.origin is None, value.templates[-1], len(value.templates), shared)
            alike.setdefault(key, []).append(number)
    apart = [x for x in alike.values() if len({levels[number] for number in x}) > 1]
    if not apart:
        return levels
    latest = _latest(forms, levels)
    wanted = [0] * len(levels)
    for numbers in apart:
        meeting = max(levels[number] for number in numbers)
        for number in numbers:
            if meeting <= latest[number]:
                wanted[number] = meeting
    return _levels(forms, wanted)


def _levels(forms: Forms, wanted: Sequence[int] | None = None) -> list[int]:
    """One more than the greatest level of what a value reads, or more if that is wanted."""
    levels = [-1] * forms.first  # by leaf
    for number, value in enumerate(forms.stored):
        level = max(map(levels.__getitem__, value.leaves), default=-1) + 1
        levels.append(level if wanted is None else max(level, wanted[number]))
    return levels[forms.first :]


def _latest(forms: Forms, levels: Sequence[int]) -> list[int]:
    """The greatest level that each value may have while no level is added to its sweep."""
    last = {False: 0, True: 0}
    for level, value in zip(levels, forms.stored, strict=True):
        last[value.origin is None] = max(last[value.origin is None], level)
    latest = [0] * forms.first + [last[value.origin is None] for value in forms.stored]  # by leaf
    for number, value in reversed([*enumerate(forms.stored, forms.first)]):
        for leaf in value.leaves:
            latest[leaf] = min(latest[leaf], latest[number] - 1)
    return latest[forms.first :]
