"""What a program stores, and the form of each stored value: the first step of rolling.

A value is stored if it is a sum, is read more than once or is returned; every other one is written
into the expression of its one reader. Chains and trees of additions become sums of any length. The
form of a stored value is its expression with the leaves taken out (a `Template`) and the leaves:
values that differ only in what they read have equal templates, and are candidates for one loop.
"""

from collections import Counter, deque
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from gradcompile import ops
from gradcompile.ir import Const, Instruction, Operand, Program, Var
from gradcompile.ops import Op

SHORTEST_SUM = 3
"""From this many terms on an addition is a sum of its own; below, it is part of an expression."""

LARGEST = 12
"""The most operations in one expression; a larger one is stored in parts."""


class Template:
    """An expression without its leaves. Equal templates of one `Templates` are the same object.

    Attributes:
        op: the operation; None for a leaf or a constant.
        parts: the operands' templates.
        kind: of a leaf: "input", "row", "data" or "stored"; "" for everything else.
        number: of a constant.
        size: how many operations it has.
    """

    __slots__ = ("kind", "number", "op", "parts", "rank", "size")

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

    def __repr__(self) -> str:
        if self.op is None:
            return self.kind or repr(self.number)
        return f"{self.op.name}({', '.join(map(repr, self.parts))})"


class Form(NamedTuple):
    """A template and what its leaves read, in order: an input by its index, then stored values."""

    template: Template
    leaves: tuple[int, ...]


@dataclass(slots=True)
class Stored:
    """A value that is kept: a sum of forms, or one form.

    Attributes:
        var: the value.
        terms: the terms of a sum, in order; one form otherwise.
        is_sum: is it a sum?
        origin: what it differentiates, if it belongs to the reverse sweep.
    """

    var: Var
    terms: list[Form]
    is_sum: bool
    origin: Var | None


class Forms:
    """The stored values of a program, in an order in which each can be computed.

    Attributes:
        stored: every stored value; leaf `len(program.inputs) + k` reads number k.
        number_of: the number of each.
        outputs: for each operand that the program returns, its form.
    """

    def __init__(self, program: Program, strict: bool) -> None:
        self.strict = strict
        self.stored: list[Stored] = []
        self.number_of: dict[Var, int] = {}
        self._templates: dict[object, Template] = {}
        self._numbers: dict[float, Form] = {}
        self._first = len(program.inputs)
        self._forms: dict[Var, Form] = {}
        self._sums: dict[Var, deque[Form]] = {}
        self._origins: dict[Var, Var | None] = {}
        self._reads = _count_reads(program)
        kinds = ["input"] * program.given + ["row"] * program.rows + ["data"] * len(program.data)
        for index, (var, kind) in enumerate(zip(program.inputs, kinds, strict=True)):
            self._forms[var] = Form(self._leaf(kind), (index,))
        self._kept = {x for x in program.flat_outputs if isinstance(x, Var)}
        for instruction in program.instructions:
            self._instruction(instruction)
        self.outputs = [self._form(x) for x in program.flat_outputs]

    # --- templates ---------------------------------------------------------------------------

    def _intern(self, key: object, op: Op | None, parts: tuple[Template, ...]) -> Template:
        template = self._templates.get(key)
        if template is None:
            template = Template(len(self._templates), op, parts)
            self._templates[key] = template
        return template

    def _leaf(self, kind: str) -> Template:
        if kind not in self._templates:
            self._templates[kind] = Template(len(self._templates), kind=kind)
        return self._templates[kind]

    def _constant(self, number: Const) -> Form:
        # A float is found faster than a Const, but 0.0 would find -0.0.
        known = self._numbers.get(number.value) if number.value else None
        if known is None:
            if number not in self._templates:
                self._templates[number] = Template(len(self._templates), number=number)
            known = Form(self._templates[number], ())
            self._numbers[number.value] = known
        return known

    # --- instructions ------------------------------------------------------------------------

    def _instruction(self, instruction: Instruction) -> None:
        result, op, operands, origin = instruction
        self._origins[result] = origin
        if op is ops.add or (op is ops.sub and self._is_sum(operands)):
            self._sums[result] = self._flatten(op, operands)
            if self._reads[result] > 1 or result in self._kept:
                self._settle_sum(result)
            return
        form = self._apply(op, operands)
        if self._reads[result] > 1 or result in self._kept:
            self._store(result, [form], is_sum=False)
        else:
            self._forms[result] = form

    def _is_sum(self, operands: tuple[Operand, ...]) -> bool:
        """Are differences to be terms of a sum? Not those like 1 - y * y, which may be small."""
        return not self.strict and not isinstance(operands[0], Const)

    def _apply(self, op: Op, operands: tuple[Operand, ...]) -> Form:
        forms = [self._form(operand) for operand in operands]
        form = self._combine(op, forms)
        while form.template.size > LARGEST:
            sizes = [part.template.size for part in forms]
            largest = sizes.index(max(sizes))
            operand = operands[largest]
            assert isinstance(operand, Var)
            self._store(operand, [forms[largest]], is_sum=False)
            forms = [self._forms[x] if x is operand else part
                     for x, part in zip(operands, forms, strict=True)]  # fmt: skip
            form = self._combine(op, forms)
        return form

    def _combine(self, op: Op, forms: list[Form]) -> Form:
        if len(forms) == 2:  # by far the most
            (left, reads), (right, more) = forms
            if op.commutative and left.rank > right.rank:
                left, reads, right, more = right, more, left, reads
            template = self._intern((op, left.rank, right.rank), op, (left, right))
            return Form(template, reads + more)
        parts = tuple([form.template for form in forms])
        template = self._intern((op, *[part.rank for part in parts]), op, parts)
        return Form(template, tuple([leaf for form in forms for leaf in form.leaves]))

    def _form(self, operand: Operand) -> Form:
        if isinstance(operand, Const):
            return self._constant(operand)
        if operand in self._sums:
            self._settle_sum(operand)
        return self._forms[operand]

    def _store(self, var: Var, terms: list[Form], is_sum: bool) -> None:
        leaf = self._first + len(self.stored)
        self.number_of[var] = len(self.stored)
        self.stored.append(Stored(var, terms, is_sum, self._origins[var]))
        self._forms[var] = Form(self._leaf("stored"), (leaf,))

    # --- sums --------------------------------------------------------------------------------

    def _flatten(self, op: Op, operands: tuple[Operand, ...]) -> "deque[Form]":
        left, right = operands
        terms = self._terms(left)
        if op is ops.add and (self.strict or right not in self._sums):
            terms.append(self._form(right))
            return terms
        others = deque([self._form(right)]) if self.strict else self._terms(right)
        if op is ops.sub:
            others = deque([self._negative(form) for form in others])
        # The longer of the two takes up the shorter: a tree of any shape stays cheap.
        if len(terms) >= len(others):
            terms.extend(others)
            return terms
        others.extendleft(reversed(terms))
        return others

    def _terms(self, operand: Operand) -> "deque[Form]":
        if isinstance(operand, Var):
            terms = self._sums.pop(operand, None)
            if terms is not None:
                return terms
        return deque([self._form(operand)])

    def _negative(self, form: Form) -> Form:
        if form.template.op is ops.neg:
            return Form(form.template.parts[0], form.leaves)
        return self._combine(ops.neg, [form])

    def _settle_sum(self, var: Var) -> None:
        terms = self._sums.pop(var)
        if len(terms) >= SHORTEST_SUM:
            self._store(var, list(terms), is_sum=True)
            return
        form = self._pair(*terms)
        if self._reads[var] > 1 or var in self._kept or form.template.size > LARGEST:
            self._store(var, [form], is_sum=False)
        else:
            self._forms[var] = form

    def _pair(self, left: Form, right: Form) -> Form:
        if not self.strict and left.template.op is ops.neg:
            left, right = right, left
        if right.template.op is ops.neg and not self.strict:
            return self._combine(ops.sub, [left, self._negative(right)])
        return self._combine(ops.add, [left, right])


def _count_reads(program: Program) -> "Counter[Operand]":
    """How often each value is read; an operand that an expression repeats counts as two."""
    reads: Counter[Operand] = Counter(
        chain.from_iterable([operands for _, _, operands, _ in program.instructions])
    )
    repeating = {op for op in {op for _, op, _, _ in program.instructions} if any(op.repeats)}
    for _, op, operands, _ in program.instructions:
        if op in repeating:
            repeated = zip(operands, op.repeats, strict=True)
            reads.update([operand for operand, is_repeated in repeated if is_repeated])
    return reads
