"""Simplify: named identities that relate several operations.

A rule is two expressions over the same variables. Wherever a program computes the first, it
computes the second instead. Rules preserve values up to the sign of zero, or round better;
`0 * x` stays, because of inf and nan. A test proves every rule with sympy.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from gradcompile import ops
from gradcompile.ir import Builder, Const, Instruction, Operand, Program, Var
from gradcompile.operators import Operand as OperatorOperand
from gradcompile.ops import Op
from gradcompile.passes.fold import folded
from gradcompile.passes.rewrite import rewrite
from gradcompile.syntax import evaluate, free_names, parse


@dataclass(frozen=True)
class Rule:
    """`pattern` becomes `replacement`, both Python text over the op table."""

    pattern: str
    replacement: str
    reason: str

    @cached_property
    def tree(self) -> "Pattern":
        """The pattern as operations over variables and numbers."""
        tree = self._read(self.pattern)
        assert isinstance(tree, Pattern)
        return tree

    @cached_property
    def result(self) -> Any:
        """The replacement: a `Pattern`, a `Variable` or a number."""
        return self._read(self.replacement)

    def _read(self, text: str) -> Any:
        tree = parse(text)
        variables = {name: Variable(name) for name in free_names(tree)}
        return evaluate(tree, variables, ops.TABLE)


class Variable(OperatorOperand):
    """Stands for any operand."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> "Pattern":  # type: ignore[override]
        return Pattern(op, operands)


class Pattern(OperatorOperand):
    """An operation over patterns, variables and numbers."""

    __slots__ = ("op", "operands")

    def __init__(self, op: Op, operands: tuple[Any, ...]) -> None:
        self.op = op
        self.operands = operands

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> "Pattern":
        return Pattern(op, operands)


# fmt: off
RULES: tuple[Rule, ...] = (
    Rule("x + 0.0",  "x",         "adding nothing"),
    Rule("x - 0.0",  "x",         "subtracting nothing"),
    Rule("0.0 - x",  "-x",        "negation says it directly"),
    Rule("x * 1.0",  "x",         "a factor of one"),
    Rule("x / 1.0",  "x",         "a divisor of one"),
    Rule("x * -1.0", "-x",        "negation says it directly"),
    Rule("x / -1.0", "-x",        "negation says it directly"),
    Rule("-(-x)",    "x",         "two negations cancel"),
    Rule("x + -y",   "x - y",     "subtraction says it directly"),
    Rule("x - -y",   "x + y",     "addition says it directly"),
    Rule("-x * -y",  "x * y",     "two negations cancel"),
    Rule("x * -y",   "-(x * y)",  "the sign outside, where a sum can take it up"),
    Rule("-x / y",   "-(x / y)",  "the sign outside, where a sum can take it up"),
    Rule("x + x",    "2.0 * x",   "exact, and read once"),
    Rule("x * x",    "square(x)", "one operand, whose derivative is 2 * x"),
    Rule("x * (1.0 / y)", "x / y", "one rounding instead of two"),
    Rule("x ** 0.0", "1.0",       "by IEEE-754 also for nan"),
    Rule("x ** 1.0", "x",         "the first power"),
    Rule("x ** 2.0", "square(x)", "exactly rounded, and much faster than a power"),
    Rule("x ** -1.0", "reciprocal(x)", "exactly rounded, and much faster than a power"),
    Rule("where(1.0, x, y)", "x", "the condition holds"),
    Rule("where(0.0, x, y)", "y", "the condition does not hold"),
    Rule("where(c, x, x)", "x",   "both branches agree"),
    Rule("where(logical_not(c), x, y)", "where(c, y, x)", "the same choice"),
    Rule("where(c, where(c, x, y), z)", "where(c, x, z)", "chosen already"),
    Rule("where(c, x, where(c, y, z))", "where(c, x, z)", "chosen already"),
    Rule("where(c, where(c, x, y) * z, w)", "where(c, x * z, w)", "chosen already"),
    Rule("where(c, where(c, x, y) / z, w)", "where(c, x / z, w)", "chosen already"),
    Rule("where(c, -where(c, x, y), w)", "where(c, -x, w)", "chosen already"),
    Rule("where(c, x, 0.0) + where(c, y, 0.0)", "where(c, x + y, 0.0)", "the same choice"),
    Rule("x * where(c, 0.0, y)", "where(c, 0.0, x * y)", "the branch not taken stays out"),
    Rule("x * where(c, y, 0.0)", "where(c, x * y, 0.0)", "the branch not taken stays out"),
    Rule("x * where(c, 1.0, y)", "where(c, x, x * y)", "a choice of factors is a choice"),
)
# fmt: on


def simplify(program: Program) -> Program:
    """`program` with every rule applied wherever it matches; `notes` say how often each was."""
    simplifier = _Simplifier()
    result = rewrite(program, simplifier.step)
    notes = tuple(
        f"{rule.pattern} → {rule.replacement} ({rule.reason}): {count}×"
        for rule, count in simplifier.fired.items()
    )
    return replace(result, notes=program.notes + notes)


DEPTH = 8
"""How often the product of one rule is simplified again; bounds recursion and growth."""

Key = tuple[Op, "Op | float | None"]
"""The root's operation, and the operation or the number that one of its operands must be."""

_INDEX: dict[Key, list[Rule]] = {}


def _index() -> dict[Key, list[Rule]]:
    if not _INDEX:
        found: defaultdict[Key, list[Rule]] = defaultdict(list)
        for rule in RULES:
            fixed = [x for x in rule.tree.operands if not isinstance(x, Variable)]
            first = fixed[0] if fixed else None
            found[rule.tree.op, first.op if isinstance(first, Pattern) else first].append(rule)
        _INDEX.update(found)
    return _INDEX


class _Simplifier:
    def __init__(self) -> None:
        self.fired: Counter[Rule] = Counter()
        self.index = _index()

    def step(self, builder: Builder, instruction: Instruction) -> Operand:
        return self.apply(builder, instruction.op, instruction.operands, instruction.result)

    def apply(
        self,
        builder: Builder,
        op: Op,
        operands: tuple[Operand, ...],
        result: Var | None = None,
        depth: int = 0,
    ) -> Operand:
        """Append `op operands` in its simplest form; its result."""
        constant = folded(op, operands)
        if constant is not None:
            return constant
        for rule in self._candidates(builder, op, operands) if depth < DEPTH else ():
            bound: dict[str, Operand] = {}
            if _match(builder, rule.tree, op, operands, bound):
                self.fired[rule] += 1
                return self._build(builder, rule.result, bound, result, depth + 1)
        return builder.apply(op, operands, result)

    def _candidates(
        self, builder: Builder, op: Op, operands: tuple[Operand, ...]
    ) -> Iterator[Rule]:
        yield from self.index.get((op, None), ())
        for operand in operands:
            if isinstance(operand, Const):
                yield from self.index.get((op, operand.value), ())
            elif operand in builder.definitions:
                yield from self.index.get((op, builder.definitions[operand].op), ())

    def _build(
        self,
        builder: Builder,
        tree: Any,
        bound: dict[str, Operand],
        result: Var | None,
        depth: int,
    ) -> Operand:
        if isinstance(tree, Variable):
            return bound[tree.name]
        if isinstance(tree, Pattern):
            operands = tuple(self._build(builder, x, bound, None, depth) for x in tree.operands)
            return self.apply(builder, tree.op, operands, result, depth)
        return Const(tree)


def _match(
    builder: Builder,
    pattern: Pattern,
    op: Op,
    operands: tuple[Operand, ...],
    bound: dict[str, Operand],
) -> bool:
    """Is `op operands` an instance of the pattern? Binds the variables if so."""
    if pattern.op is not op:
        return False
    for order in (operands, operands[::-1]) if op.commutative else (operands,):
        trial = dict(bound)
        pairs = zip(pattern.operands, order, strict=True)
        if all(_fits(builder, part, operand, trial) for part, operand in pairs):
            bound.update(trial)
            return True
    return False


def _fits(builder: Builder, pattern: Any, operand: Operand, bound: dict[str, Operand]) -> bool:
    if isinstance(pattern, Variable):
        return bound.setdefault(pattern.name, operand) == operand
    if isinstance(pattern, Pattern):
        definition = builder.definitions.get(operand) if isinstance(operand, Var) else None
        return definition is not None and _match(
            builder, pattern, definition.op, definition.operands, bound
        )
    return isinstance(operand, Const) and operand.value == pattern
