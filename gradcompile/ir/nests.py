"""The loop-nest IR: what rolling makes of a straight-line program.

    rolled      ::=  array*   nest*   return output*
    array       ::=  name[extent, ...]                     kept values; no extent: one number
                  |  name[extent, ...] = space[start...]   a view of what is given, or of a result
    nest        ::=  (loop | assignment)+
    loop        ::=  for index < extent: (loop | assignment)+
                  |  for index < extent, falling: ...            from the last to the first
                  |  for index < extent, by number: ...          so many rounds in one
                  |  for index < extent, in block index: ...     those of one block of rounds
                  |  for index < extent, from place to next: ... from an element of a table to the
                                                                 next element
                 |  for index < extent, of a product: ...        with the loops inside of it, as a
                                                                 product of matrices or sums of rows
    assignment  ::=  place = expression | place += expression
    expression  ::=  op expression+ | number | place
    place       ::=  array[subscript, ...]
    subscript   ::=  offset + stride * index + ...  [+ table[subscript, ...]]
    output      ::=  place | number | array

A subscript is affine in the indices of the loops around it; what is not affine is looked up in a
table of integers. Every element of a kept array is assigned before it is read; `verify_nests`
checks that by running the subscripts, and that they stay within the extents.

The program of a batched function computes a block of rows. The last extent of an array that has an
element for each row is `BLOCK_ROWS`, and so is the extent of the loops over them; how many rows a
block has is known when it is run. An output that is not kept by row is the sum over the rows, and
is added to what its array holds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gradcompile.ir.program import ADJOINT, Const
from gradcompile.ir.signature import Signature
from gradcompile.ir.sweeps import Sweep
from gradcompile.ops.op import Op
from gradcompile.support.arrays import IntArray

BLOCK_ROUNDS = 512
"""How many rounds of a loop are a block: 4 kB of each row of an array, so that some rows fit the
fastest cache."""


class RowExtent(int):
    """An extent that is only known at run time, and how many rows are at most computed at once."""

    def __repr__(self) -> str:
        return "rows"


BLOCK_ROWS = RowExtent(240)
"""The rows of a block: 2 kB of each array, so that those of some layers fit the fastest cache. A
power of two would put all rows of an array at the same places of the cache."""


@dataclass(frozen=True, eq=False)
class Index:
    """The index of a loop.

    Attributes:
        extent: how many rounds the loop has.
        is_scan: does a round read what the round before wrote?
        falls: does it count down?
        block: the index of the blocks that it runs in; None if it runs from 0 to its extent.
        start: the place, in a table, of the first of its values; the next element is where they
            end. None if it runs from 0 to its extent.
        step: how many rounds are written out as one.
    """

    extent: int
    is_scan: bool = False
    falls: bool = False
    block: "Index | None" = None
    start: "Place | None" = None
    step: int = 1

    @property
    def last(self) -> int:
        """The greatest of its values."""
        return self.extent - self.step

    @property
    def is_row(self) -> bool:
        """Does it count the rows of a batch?"""
        return isinstance(self.extent, RowExtent)

    def rounds(self, block: int = 0) -> range:
        """The values that it takes, in order; in one block of them, if it runs in blocks."""
        if self.block is not None:
            return range(
                BLOCK_ROUNDS * block, min(BLOCK_ROUNDS * block + BLOCK_ROUNDS, self.extent)
            )
        return range(self.extent)[:: -1 if self.falls else self.step]


@dataclass(frozen=True, eq=False)
class Array:
    """Numbers with names.

    Attributes:
        shape: the extents; () for one number.
        space: for a view, what it is a part of: "inputs", "rows", "data", "tables" or an output;
            "count" for the number of rows.
        start: for a view, where it begins there.
        label: what its elements are labelled with, or what computes them.
        primal: for derivatives, the array of what they are the derivatives of.
        suffix: for derivatives, what the name has behind that of the primal.
    """

    shape: tuple[int, ...]
    space: str = ""
    start: int = 0
    label: str = ""
    primal: "Array | None" = None
    suffix: str = ADJOINT

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def has_rows(self) -> bool:
        """Has it an element for each row of a batch?"""
        return bool(self.shape) and isinstance(self.shape[-1], RowExtent)


COUNT = Array((), space="count", label="n")
"""How many rows a block has, as a number."""


class Total(Array):
    """A variable in which one sum is accumulated."""


@dataclass(frozen=True)
class Subscript:
    """`offset + sum(stride * index) [+ table[...]]`."""

    offset: int
    terms: tuple[tuple[Index, int], ...] = ()
    table: "Place | None" = None

    def indices(self) -> Iterator[Index]:
        """Every index it depends on."""
        for index, _ in self.terms:
            yield index
        if self.table is not None:
            yield from self.table.indices()


@dataclass(frozen=True)
class Place:
    """An element of an array."""

    array: Array
    subscripts: tuple[Subscript, ...] = ()

    def indices(self) -> Iterator[Index]:
        """Every index it depends on."""
        for subscript in self.subscripts:
            yield from subscript.indices()


@dataclass(frozen=True)
class Apply:
    """An operation on expressions."""

    op: Op
    operands: "tuple[Expression, ...]"


Expression = Apply | Const | Place


@dataclass(frozen=True)
class Assign:
    """`place = value`, or `place += value`."""

    place: Place
    value: Expression
    adds: bool = False


@dataclass(frozen=True)
class Loop:
    """`for index < extent: body`.

    Attributes:
        is_product: is it the first of the loops of a product of matrices, or of sums of rows?
    """

    index: Index
    body: "Sequence[Loop | Assign]"
    is_product: bool = False


Step = Loop | Assign


@dataclass(frozen=True)
class Formula:
    """What a nest computes: `place = ` the sum of the terms, each over its own indices.

    Attributes:
        place: what is computed.
        terms: each with the indices that it is summed up over.
        number: of the formula; those of one statement of the user's program have the same.
        differentiates: the numbers of the forward formulas that it is an adjoint by.
    """

    place: Place
    terms: tuple[tuple[tuple[Index, ...], Expression], ...]
    number: int = -1
    differentiates: tuple[int, ...] = ()


@dataclass(frozen=True)
class Nest:
    """Steps, what they compute as formulas, and the sweep that they belong to."""

    steps: Sequence[Step]
    formulas: Sequence[Formula]
    sweep: Sweep


@dataclass(frozen=True)
class Rolled:
    """A program of loop nests.

    Attributes:
        name: of the function it was traced from.
        inputs: how many numbers it is given.
        data: the numbers that the graph captured as constants, in the order of the views.
        tables: the integers of all tables, one after the other.
        nests: in order.
        outputs: each a place, a number, or an array.
        order: for each number in `data`, which constant of the program it is.
        summary: how many instructions, groups, members, nests and gathers.
        signature: what its function takes and returns; None while that is not decided.
        rows: how many numbers a row of a batch has; 0 if there is no batch.
        strict: is it to be equal to the straight-line program, bit for bit?
    """

    name: str
    inputs: int
    data: tuple[float, ...]
    tables: IntArray
    nests: Sequence[Nest]
    outputs: Sequence[Place | Const | Array]
    order: IntArray
    summary: dict[str, int] = field(default_factory=dict)
    signature: Signature | None = None
    rows: int = 0
    strict: bool = False

    def __str__(self) -> str:
        return print_nests(self)


def temporaries(rolled: Rolled) -> set[Array]:
    """Collect the arrays that nests keep values in which are not returned."""
    used = {
        place.array
        for nest in rolled.nests
        for step in assignments(nest.steps)
        for place in (step.place, *places(step.value))
    }
    return {array for array in used if not array.space and array.shape}


def places(expression: Expression) -> Iterator[Place]:
    """Every place that an expression reads."""
    stack = [expression]
    while stack:
        item = stack.pop()
        if isinstance(item, Apply):
            stack.extend(reversed(item.operands))
        elif isinstance(item, Place):
            yield item


def assignments(steps: Sequence[Step]) -> Iterator[Assign]:
    """Every assignment, in order."""
    for step in steps:
        if isinstance(step, Loop):
            yield from assignments(step.body)
        else:
            yield step


def loops(steps: Sequence[Step]) -> Iterator[Loop]:
    """Every loop, in order, each before those inside of it."""
    for step in steps:
        if isinstance(step, Loop):
            yield step
            yield from loops(step.body)


# --- text --------------------------------------------------------------------------------------


def print_nests(rolled: Rolled) -> str:
    """The nests as text, as the grammar has them."""
    names: dict[object, str] = {}
    for nest in rolled.nests:
        for step in assignments(nest.steps):
            for place in (step.place, *places(step.value)):
                base = place.array.label or place.array.space or "v"
                names.setdefault(place.array, f"{base}.{len(names) + 1}")

    def subscript(x: Subscript) -> str:
        parts = [f"{stride}*{names[index]}" for index, stride in x.terms]
        parts += [text(x.table)] if x.table is not None else []
        return " + ".join([*parts, str(x.offset)] if x.offset or not parts else parts)

    def text(x: Expression) -> str:
        if isinstance(x, Const):
            return repr(x)
        if isinstance(x, Apply):
            return f"{x.op.name}({', '.join(map(text, x.operands))})"
        if not x.subscripts:
            return names.get(x.array, x.array.space)
        name = names.setdefault(x.array, f"{x.array.space}.{x.array.start}")
        return f"{name}[{', '.join(map(subscript, x.subscripts))}]"

    def how(index: Index) -> str:
        if index.start is not None:
            return f", from {text(index.start)} to next"
        if index.block is not None:
            return f", in block {names[index.block]}"
        by = f", by {index.step}" if index.step > 1 else ""
        return ", falling" if index.falls else by

    def lines(steps: Sequence[Step], depth: int) -> Iterator[str]:
        for step in steps:
            if isinstance(step, Loop):
                names.setdefault(step.index, f"i{len(names) + 1}")
                of = ", of a product" if step.is_product else ""
                head = f"for {names[step.index]} < {step.index.extent!r}{how(step.index)}{of}"
                yield f"{'  ' * depth}{head}:"
                yield from lines(step.body, depth + 1)
            else:
                sign = "+=" if step.adds else "="
                yield f"{'  ' * depth}{text(step.place)} {sign} {text(step.value)}"

    body = [line for nest in rolled.nests for line in lines(nest.steps, 0)]
    outputs = [x.space if isinstance(x, Array) else text(x) for x in rolled.outputs]
    return "\n".join([*body, f"return {', '.join(outputs)}"])
