"""What a program stores, and the form of each stored value: the first step of rolling.

A value is stored if it is a sum, is read more than once or is returned; every other one is written
into the expression of its one reader. Chains and trees of additions become sums of any length. The
form of a stored value is its expression with the leaves taken out (a `Template`) and the leaves:
values that differ only in what they read have equal templates, and are candidates for one loop.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from gradcompile.ir.packed import NO_OPERAND, PackedInstructions, index_values, pack
from gradcompile.ir.program import Const, Program, Var
from gradcompile.ir.sweeps import Sweep, sweeps_of
from gradcompile.ops import table
from gradcompile.ops.op import Op

MIN_TERMS = 3
"""From this many terms on an addition is a sum of its own; below, it is part of an expression."""

MAX_OPERATIONS = 12
"""The most operations in one expression; a larger one is stored in parts."""


class Template:
    """An expression without its leaves. Equal templates of one `Templates` are the same object.

    Attributes:
        op: the operation; None for a leaf or a constant.
        parts: the operands' templates.
        kind: of a leaf: "input", "row", "data" or "stored"; "" for everything else.
        number: of a constant.
        size: how many operations it has.
        width: how many leaves it has.
    """

    __slots__ = ("kind", "number", "op", "parts", "rank", "size", "width")

    def __init__(
        self,
        rank: int,
        op: Op | None = None,
        parts: "tuple[Template, ...]" = (),
        kind: str = "",
        number: Const | None = None,
    ) -> None:
        self.rank = rank
        self.op = op
        self.parts = parts
        self.kind = kind
        self.number = number
        self.size: int = sum(part.size for part in parts) + (op is not None)
        self.width: int = sum(part.width for part in parts) + (kind != "")

    def __repr__(self) -> str:
        if self.op is None:
            return self.kind or repr(self.number)
        return f"{self.op.name}({', '.join(map(repr, self.parts))})"


Form = tuple[Template, tuple[int, ...]]
"""A template and what its leaves read, in order: an input by its index, then stored values."""


@dataclass(slots=True)
class Stored:
    """A value that is kept: a sum of forms, or one form.

    Attributes:
        var: the value.
        templates: those of the terms of a sum, in order; one template otherwise.
        leaves: what the leaves of all terms read, in order.
        is_sum: is it a sum?
        origin: what it differentiates, if it belongs to the reverse sweep.
    """

    var: Var
    templates: tuple[Template, ...]
    leaves: tuple[int, ...]
    is_sum: bool
    origin: Var | None


class Forms:
    """The stored values of a program, in an order in which each can be computed.

    Attributes:
        program: the program.
        operand_of: the index of each input and result in `packed`.
        packed: the program's instructions, packed; operands are known by their index in it.
        strict: is the order of sums kept?
        first: the leaf that reads the first stored value; leaf `first + k` reads number k.
        stored: every stored value.
        number_of: the number of each.
        outputs: for each operand that the program returns, its form.
    """

    def __init__(self, program: Program, strict: bool) -> None:
        self.program = program
        self.operand_of = index_values(program)
        self.packed = packed = pack(program, self.operand_of)
        self.strict = strict
        self.first = len(program.inputs)
        self.stored: list[Stored] = []
        self.number_of: dict[Var, int] = {}
        self._templates: dict[object, Template] = {}
        kinds = ["input"] * program.given + ["row"] * program.rows + ["data"] * len(program.data)
        self._forms: list[Form | None] = [(self.leaf(k), (n,)) for n, k in enumerate(kinds)]
        self._forms += [None] * (packed.operand_count - self.first)
        self._sums: dict[int, deque[Form]] = {}
        self._is_kept = _kept(packed)
        steps = zip(packed.opcodes.tolist(), packed.operands.tolist(), strict=True)
        for number, (opcode, operands) in enumerate(steps, self.first):
            op = packed.operations[opcode]
            if op is table.add or (op is table.sub and self._is_sum(operands)):
                self._sums[number] = self._flatten(op, operands)
                if self._is_kept[number]:
                    self._settle_sum(number)
            else:
                self._forms[number] = form = self._apply(op, operands)
                if self._is_kept[number]:
                    self._store(number, form)
        self.outputs = list(map(self._form, packed.outputs.tolist()))

    @cached_property
    def sweep_of(self) -> Mapping[Var, Sweep]:
        """The sweep that each stored value belongs to."""
        return sweeps_of((value.var, value.origin) for value in self.stored)

    # --- templates ---------------------------------------------------------------------------

    def _intern(self, op: Op, *parts: Template) -> Template:
        """The template of an operation and its operands' templates."""
        if (op, *parts) not in self._templates:
            self._templates[op, *parts] = Template(len(self._templates), op, parts)
        return self._templates[op, *parts]

    def leaf(self, kind: str) -> Template:
        """The template of a leaf of this kind."""
        if kind not in self._templates:
            self._templates[kind] = Template(len(self._templates), kind=kind)
        return self._templates[kind]

    def _constant(self, number: Const) -> Form:
        if number not in self._templates:
            self._templates[number] = Template(len(self._templates), number=number)
        return self._templates[number], ()

    # --- instructions ------------------------------------------------------------------------

    def _is_sum(self, operands: Sequence[int]) -> bool:
        """Are differences to be terms of a sum? Not those like 1 - y * y, which may be small."""
        return not self.strict and operands[0] < self.packed.first_constant

    def _apply(self, op: Op, operands: Sequence[int]) -> Form:
        operands = operands[: op.arity]
        forms = [self._forms[operand] or self._form(operand) for operand in operands]
        form = self._combine(op, forms)
        while form[0].size > MAX_OPERATIONS:
            sizes = [template.size for template, _ in forms]
            largest = sizes.index(max(sizes))
            self._store(operands[largest], forms[largest])
            forms = [self._form(x) if x == operands[largest] else part
                     for x, part in zip(operands, forms, strict=True)]  # fmt: skip
            form = self._combine(op, forms)
        return form

    def _combine(self, op: Op, forms: list[Form]) -> Form:
        if len(forms) == 2:  # by far the most
            (left, reads), (right, more) = forms
            if op.commutative and left.rank > right.rank:
                left, reads, right, more = right, more, left, reads
            key = (op, left, right)
            return self._templates.get(key) or self._intern(*key), reads + more
        template = self._intern(op, *[template for template, _ in forms])
        return template, tuple(chain.from_iterable([leaves for _, leaves in forms]))

    def _form(self, operand: int) -> Form:
        """The form of an operand; a sum that an expression reads is complete."""
        if self._forms[operand] is None:
            constant = operand - self.packed.first_constant
            if constant < 0:
                self._settle_sum(operand)
            else:
                self._forms[operand] = self._constant(Const(self.packed.constants[constant]))
        form = self._forms[operand]
        assert form is not None
        return form

    def _store(self, number: int, *terms: Form, is_sum: bool = False) -> None:
        var, _, _, origin = self.program.instructions[number - self.first]
        templates = tuple([template for template, _ in terms])
        leaves = tuple(chain.from_iterable([leaves for _, leaves in terms]))
        self._forms[number] = (self.leaf("stored"), (self.first + len(self.stored),))
        self.number_of[var] = len(self.stored)
        self.stored.append(Stored(var, templates, leaves, is_sum, origin))

    # --- sums --------------------------------------------------------------------------------

    def _flatten(self, op: Op, operands: Sequence[int]) -> "deque[Form]":
        left, right = operands[:2]
        terms = self._terms(left)
        if op is table.add and (self.strict or right not in self._sums):
            terms.append(self._form(right))
            return terms
        others = deque([self._form(right)]) if self.strict else self._terms(right)
        if op is table.sub:
            others = deque([self._negative(form) for form in others])
        # The longer of the two takes up the shorter: a tree of any shape stays cheap.
        if len(terms) >= len(others):
            terms.extend(others)
            return terms
        others.extendleft(reversed(terms))
        return others

    def _terms(self, operand: int) -> "deque[Form]":
        return self._sums.pop(operand, None) or deque([self._form(operand)])

    def _negative(self, form: Form) -> Form:
        template, leaves = form
        if template.op is table.neg:
            return template.parts[0], leaves
        return self._combine(table.neg, [form])

    def _settle_sum(self, number: int) -> None:
        terms = self._sums.pop(number)
        if len(terms) >= MIN_TERMS:
            self._store(number, *terms, is_sum=True)
            return
        self._forms[number] = form = self._pair(*terms)
        if self._is_kept[number] or form[0].size > MAX_OPERATIONS:
            self._store(number, form)

    def _pair(self, left: Form, right: Form) -> Form:
        if not self.strict and left[0].op is table.neg:
            left, right = right, left
        if right[0].op is table.neg and not self.strict:
            return self._combine(table.sub, [left, self._negative(right)])
        return self._combine(table.add, [left, right])


def _kept(packed: PackedInstructions) -> list[bool]:
    """Which operands are returned or read more than once, as one is that an expression repeats."""
    size = packed.operand_count - NO_OPERAND
    reads = np.bincount(packed.operands.ravel() - NO_OPERAND, minlength=size)
    kept = reads[-NO_OPERAND:] > 1
    for opcode, op in enumerate(packed.operations):
        if any(op.repeats):
            columns = np.flatnonzero(op.repeats)
            kept[packed.operands[packed.opcodes == opcode][:, columns]] = True
    kept[packed.outputs] = True
    found: list[bool] = kept.tolist()
    return found
