"""Groups: stored values that one loop can compute.

Values belong together if they have equal forms and none depends on another. The dependence level
of a value, one more than the greatest of those it reads, makes sure of the second. Where the same
layer is applied at several places and some of them are ready earlier than the others, they wait
for each other, as far as nothing else has to wait for them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gradcompile.ir import Program, Var
from gradcompile.roll.forms import Form, Forms, Stored, Template

Segment = tuple[Template, tuple[int, ...]]
"""Terms of a sum that one loop can add: their template, and which of their leaves read the same
group of values, by local numbers."""

MANY_SOURCES = 4
"""A sum over more groups than this reads the steps of a recurrence: they count as one group."""

FEWEST_LENGTHS = 3
"""From so many lengths of a sum on, one loop computes it for all of them."""


class Shape(NamedTuple):
    """What the members of a group have in common.

    Attributes:
        reverse: do they belong to the reverse sweep?
        is_sum: are they sums?
        counts: each kind of terms, and how many of it there are.
        sources: what their leaves read, where that matters.
    """

    reverse: bool
    is_sum: bool
    counts: tuple[tuple[Segment, object], ...]
    sources: tuple[int, ...] | None


@dataclass(eq=False)
class Group:
    """Stored values that one loop computes.

    Attributes:
        members: numbers of stored values, in the order of the loop.
        segments: the templates of the terms, each with how many of its kind a member sums.
        leaves: for each segment, for each member, the leaves of its terms one after the other.
        is_sum: are the members sums? Otherwise there is one segment with one term.
        reverse: does it belong to the reverse sweep?
        level: the dependence level.
        shape: what equal groups have in common.
        rounds: how many groups of a scan were merged in it; their members follow each other.
        scan: the number of the scan it belongs to; -1 for none.
        ragged: the segment of which each member sums another number of terms; -1 for none.
    """

    members: list[int]
    segments: list[tuple[Template, int]]
    leaves: list[list[list[int]]]
    is_sum: bool
    reverse: bool
    level: int
    shape: "Shape"
    rounds: int = 1
    scan: int = -1
    ragged: int = -1


def make_groups(program: Program, forms: Forms, places: "Places") -> list[Group]:
    """The groups of a program's stored values, in an order in which they can be computed."""
    stored = forms.stored
    first = len(program.inputs)
    levels = _aligned_levels(stored, first, program.given)
    kin: list[int] = []
    steps: list[int] = []
    kinds: dict[object, int] = {}
    groups: dict[object, Group] = {}
    for number, value in enumerate(stored):
        reverse, level = value.origin is not None, levels[number]
        terms = _segments(value, kin, first, forms.strict)
        if len(terms) > MANY_SOURCES:
            terms = _segments(value, steps, first, forms.strict)
        family = (reverse, tuple(segment for segment, _ in terms))
        sources = None if _has_input(value, program.given) else _sources(terms, steps, first)
        kin.append(kinds.setdefault((level, family), len(kinds)))
        steps.append(kinds.setdefault(family, len(kinds)))
        counts = tuple((segment, len(found)) for segment, found in terms)
        shape = Shape(reverse, value.is_sum, counts, sources)
        group = groups.get((level, shape))
        if group is None:
            segments = [(segment[0], len(found)) for segment, found in terms]
            group = Group([], segments, [[] for _ in terms], value.is_sum, reverse, level, shape)
            groups[level, shape] = group
        group.members.append(number)
        for leaves, (_, found) in zip(group.leaves, terms, strict=True):
            leaves.append([leaf for form in found for leaf in form.leaves])
    made = list(_merge_ragged(groups.values()))
    for group in made:
        _sort(group, [places(stored[member]) for member in group.members])
    return sorted(made, key=lambda group: (group.reverse, group.level))


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
        if len(found) >= FEWEST_LENGTHS and len(varying) == 1 and _reads(found[0], varying[0]):
            yield _merged(found, varying[0])
        else:
            yield from found


def _reads(group: Group, place: int) -> bool:
    """Do the terms of a segment read anything?"""
    return bool(group.leaves[place][0])


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
    return merge(groups, segments=segments, is_sum=True, shape=shape, ragged=ragged)


def merge(groups: Sequence[Group], **changes: Any) -> Group:
    """The members of all groups as one group, which is like the first but for some changes."""
    members = [member for group in groups for member in group.members]
    leaves = [
        [leaf for group in groups for leaf in group.leaves[segment]]
        for segment in range(len(groups[0].leaves))
    ]
    return replace(groups[0], members=members, leaves=leaves, **changes)


def _segments(
    value: Stored, kin: Sequence[int], first: int, strict: bool
) -> list[tuple[Segment, list[Form]]]:
    """The terms by their kind: all of a kind together, or only neighbours if order counts."""
    sources: dict[int, int] = {}
    found: dict[object, tuple[Segment, list[Form]]] = {}
    last: Segment | None = None
    for form in value.terms:
        local = tuple(
            [
                sources.setdefault(kin[leaf - first], len(sources)) if leaf >= first else -1
                for leaf in form.leaves
            ]
        )
        segment = (form.template, local)
        if strict and segment == last:
            list(found.values())[-1][1].append(form)
        elif not strict and segment in found:
            found[segment][1].append(form)
        else:
            found[segment if not strict else len(found)] = (segment, [form])
        last = segment
    return list(found.values())


def _has_input(value: Stored, given: int) -> bool:
    """Does a value read an input? Equal weights tell the same layer, whatever it is applied to."""
    return any(leaf < given for form in value.terms for leaf in form.leaves)


def _sources(
    terms: Sequence[tuple[Segment, list[Form]]], kin: Sequence[int], first: int
) -> tuple[int, ...]:
    """What the first term of each kind reads."""
    leaves = [leaf for _, found in terms for leaf in found[0].leaves]
    return tuple([kin[leaf - first] if leaf >= first else -1 for leaf in leaves])


# --- the order of members ----------------------------------------------------------------------


class Places:
    """The place of a stored value: that of the forward statement it belongs to, then its own."""

    def __init__(self, program: Program) -> None:
        self.of: dict[Var, int] = {var: index for index, var in enumerate(program.inputs)}
        for instruction in program.instructions:
            self.of[instruction.result] = len(self.of)

    def __call__(self, value: Stored) -> tuple[int, int]:
        """The order of values in a loop: a key to sort by."""
        own = self.of[value.var]
        primal = value.var.primal if value.var.primal in self.of else value.origin
        while primal is not None and primal.primal in self.of:
            primal = primal.primal
        return (own if primal is None else self.of.get(primal, own), own)


def _sort(group: Group, keys: Sequence[tuple[int, int]]) -> None:
    order = sorted(range(len(keys)), key=keys.__getitem__)
    if order != list(range(len(order))):
        group.members = [group.members[k] for k in order]
        group.leaves = [[leaves[k] for k in order] for leaves in group.leaves]


# --- levels ------------------------------------------------------------------------------------


def _aligned_levels(stored: Sequence[Stored], first: int, given: int) -> list[int]:
    reads = [_stored_leaves(value, first) for value in stored]
    early = _levels(reads)
    late = _latest(reads, early, stored)
    alike: dict[object, list[int]] = {}
    for number, value in enumerate(stored):
        shared = tuple(leaf for form in value.terms[:3] for leaf in form.leaves if leaf < given)
        if shared:
            key = (value.origin is not None, value.terms[-1].template, len(value.terms), shared)
            alike.setdefault(key, []).append(number)
    wanted = [0] * len(stored)
    for numbers in alike.values():
        meeting = max(early[number] for number in numbers)
        for number in numbers:
            if meeting <= late[number]:
                wanted[number] = meeting
    return _levels(reads, wanted)


def _stored_leaves(value: Stored, first: int) -> list[int]:
    return [leaf - first for form in value.terms for leaf in form.leaves if leaf >= first]


def _levels(reads: Sequence[Iterable[int]], wanted: Sequence[int] | None = None) -> list[int]:
    levels: list[int] = []
    for number, read in enumerate(reads):
        level = max([levels[k] for k in read], default=-1) + 1
        levels.append(level if wanted is None else max(level, wanted[number]))
    return levels


def _latest(
    reads: Sequence[Sequence[int]], early: Sequence[int], stored: Sequence[Stored]
) -> list[int]:
    """The greatest level that each value may have while no level is added to its sweep."""
    last = {False: 0, True: 0}
    for level, value in zip(early, stored, strict=True):
        last[value.origin is not None] = max(last[value.origin is not None], level)
    late = [last[value.origin is not None] for value in stored]
    for number in range(len(reads) - 1, -1, -1):
        for read in reads[number]:
            late[read] = min(late[read], late[number] - 1)
    return late
