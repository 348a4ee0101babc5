"""What groups read and write, and the arrays that this makes in the end.

Where values lie is a `Storage`; its shape and its name are found phase by phase, and an `Array`
with all of it is made once, when nothing changes any more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gradcompile.ir.nests import Array
from gradcompile.ir.program import ADJOINT, BY, Const, Program, Var
from gradcompile.roll.affine import Fit
from gradcompile.roll.forms import Forms, Template
from gradcompile.roll.groups import Group
from gradcompile.support.arrays import IntArray
from gradcompile.support.names import common_label

Shapes = Mapping["Storage", tuple[int, ...]]
"""The extents of each array."""


@dataclass(frozen=True, eq=False)
class Storage:
    """Where values lie.

    Attributes:
        space: of what it is a part, as that of an array; "" for values that are kept.
        label: what it is called, if it is known.
    """

    space: str = ""
    label: str = ""


@dataclass(frozen=True)
class Given:
    """What a program is given, and by which numbers leaves read it: one after the other.

    Attributes:
        inputs, rows, data: the flat arrays.
        shapes: their extents.
        row, datum, stored: the first leaf that reads a row, data, or a stored value.
    """

    inputs: Storage
    rows: Storage
    data: Storage
    shapes: Shapes
    row: int
    datum: int
    stored: int


def given_arrays(program: Program) -> Given:
    """Make the flat arrays that a program is given."""
    inputs, rows, data = Storage("inputs"), Storage("rows"), Storage("data")
    shapes = {inputs: (program.given,), rows: (program.rows,), data: (len(program.data),)}
    stored = len(program.inputs)
    datum = stored - len(program.data)
    return Given(inputs, rows, data, shapes, program.given, datum, stored)


@dataclass(frozen=True)
class Access:
    """What one leaf of a group reads, or what the group writes: a subscript a dimension."""

    storage: Storage
    fits: tuple[Fit, ...]


@dataclass(frozen=True)
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
    leaves: tuple[Access, ...]
    starts: IntArray | None = None


@dataclass(frozen=True)
class Shaped:
    """A group with its loops: what every member writes and reads as functions of their indices.

    Attributes:
        group: the group.
        extents: of the loops over its members.
        result: what it writes.
        terms: segment by segment.
        is_total: does it sum up the rows of a batch?
    """

    group: Group
    extents: tuple[int, ...]
    result: Access
    terms: tuple[SegmentTerms, ...]
    is_total: bool = False

    def accesses(self) -> Iterator[Access]:
        """All that it writes and reads."""
        yield self.result
        for terms in self.terms:
            yield from terms.leaves


Returned = Access | Const | Storage
"""What a program returns: an element of an array, a number, or an array."""


@dataclass(frozen=True)
class Accesses:
    """What all groups read and write.

    Attributes:
        groups: in an order in which they can be computed.
        outputs: what the program returns.
        shapes: of all arrays.
    """

    groups: tuple[Shaped, ...]
    outputs: tuple[Returned, ...]
    shapes: Shapes


def with_leaves(group: Shaped, leaves: Sequence[Sequence[Access]]) -> Shaped:
    """Make the group that reads these leaves, segment by segment."""
    terms = [
        replace(terms, leaves=tuple(own)) for terms, own in zip(group.terms, leaves, strict=True)
    ]
    return replace(group, terms=tuple(terms))


# --- labels ----------------------------------------------------------------------------------


def make_arrays(
    accesses: Accesses,
    forms: Forms,
    groups: Sequence[Group],
    group_of: IntArray,
    starts: Mapping[Storage, int],
) -> dict[Storage, Array]:
    """Make all arrays, with what they are called.

    Args:
        accesses: what is read and written in the end; copies come after all groups.
        forms: the stored values, by whose names arrays are called.
        groups: their groups.
        group_of: for each stored value, by its number, the number of its group.
        starts: where the parts of a flat array begin.
    """
    storages = [shaped.result.storage for shaped in accesses.groups]

    def storage_of(var: Var | None) -> Storage | None:
        number = forms.number_of.get(var) if var is not None else None
        return None if number is None else storages[group_of[number]]

    bound = forms.program.bound
    labels: dict[Storage, str] = {}
    primals: dict[Storage, Storage | None] = {}
    suffixes: dict[Storage, str] = {}
    for group, storage in zip(groups, storages, strict=False):
        if not (storage.space or storage.label or labels.get(storage)):
            variables = [forms.stored[member].var for member in group.members]
            found = {storage_of(var.primal) for var in variables}
            primals[storage] = primal = found.pop() if len(found) == 1 else None
            suffixes[storage] = _suffix(variables)
            labels[storage] = common_label([var.name or bound.get(var, "") for var in variables])
            if primal is None:
                labels[storage] = labels[storage] or _derivative_label(variables, bound)
    arrays: dict[Storage, Array] = {}
    for storage in dict.fromkeys([*storages, *accesses.shapes]):  # adjoints come last
        primal = primals.get(storage)
        arrays[storage] = Array(
            accesses.shapes[storage],
            storage.space,
            starts.get(storage, 0),
            labels.get(storage, storage.label),
            arrays.get(primal) if primal is not None else None,
            suffixes.get(storage, ADJOINT),
        )
    return arrays


def _derivative_label(variables: Sequence[Var], bound: Mapping[Var, str]) -> str:
    """What to call an array of derivatives without names; "" if their primals have none either."""
    primals = [var.primal for var in variables if var.primal]
    label = common_label([var.name or bound.get(var, "") for var in primals])
    return f"{label}{_suffix(variables)}" if label else ""


def _suffix(variables: Sequence[Var]) -> str:
    """What the names of derivatives have behind those of their primals."""
    return common_label([var.suffix for var in variables]) or BY.rstrip("_")
