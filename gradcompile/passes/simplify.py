"""Simplify: wherever a program computes one side of a rule, it computes the other instead.

Rules preserve values up to the sign of zero, or round better; `0 * x` stays, because of inf and
nan. `program.notes` say which rules fired, and why.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

from gradcompile.ir.builder import IndexedBuilder, operand_of
from gradcompile.ir.program import Const, Instruction, Operand, Program, Var
from gradcompile.ops import table
from gradcompile.ops.functions import shift_of
from gradcompile.passes.fold import folded
from gradcompile.passes.match import candidates, match
from gradcompile.passes.rewrite import rewrite
from gradcompile.passes.rules import Pattern, Variable


def simplify(program: Program) -> Program:
    """Apply every rule wherever it matches; `notes` say how often each was applied."""
    for _ in range(MAX_SWEEPS):
        simplifier = _Simplifier()
        result = rewrite(program, IndexedBuilder(), simplifier.step)
        notes = tuple(f"{text}: {count}×" for text, count in simplifier.fired.items())
        program = replace(result, notes=program.notes + notes) if notes else result
        if simplifier.is_done:
            break
    return program


MAX_REWRITES_IN_PLACE = 8
"""How often what a rule makes is rewritten at once; bounds recursion and growth."""

MAX_SWEEPS = 2
"""How often the whole program is gone through, if some of what rules made was not rewritten."""


class _Simplifier:
    """Applies the rules to one instruction after the other.

    Attributes:
        fired: how often each rule was applied.
        is_done: was everything simplified that the rules have made?
    """

    def __init__(self) -> None:
        self.fired: Counter[str] = Counter()
        self.is_done = True

    def step(
        self, builder: IndexedBuilder, instruction: Instruction, depth: int = 0
    ) -> Operand | None:
        """Append the instruction in a simpler form, and give its result; None if it has none."""
        result, op, operands, origin = instruction
        constant = folded(op, operands, origin is not None)
        if constant is not None:
            return constant
        if depth == MAX_REWRITES_IN_PLACE:
            self.is_done = False
            return None
        for rule in candidates(builder, instruction):
            bound = match(builder, rule.tree, op, operands, {})
            if bound is not None:
                self.fired[rule.note] += 1
                return self._build(builder, rule.result, bound, result, depth + 1)
        if op is table.log and origin is None:
            for name, rewritten in _LOGARITHMS.items():
                value = rewritten(builder, operands[0])
                if value is not None:
                    self.fired[name] += 1
                    self.is_done = False
                    return value
        return None

    def _build(
        self,
        builder: IndexedBuilder,
        tree: Any,
        bound: dict[str, Operand],
        result: Var,
        depth: int,
    ) -> Operand:
        if isinstance(tree, Variable):
            return bound[tree.name]
        if isinstance(tree, Pattern):
            operands = tuple(self._build(builder, x, bound, Var(), depth) for x in tree.operands)
            instruction = Instruction(result, tree.op, operands, builder.origin)
            return self.step(builder, instruction, depth) or builder.keep(instruction)
        return Const(tree)


# --- sums of any length, which no pattern can show ---------------------------------------------


def _exponents(builder: IndexedBuilder, total: Operand) -> list[Operand]:
    """List the x1, x2, ... of a sum of exponentials; none of another sum."""
    exponents: list[Operand] = []
    stack = [total]
    while stack:
        operand = stack.pop()
        definition = builder.definitions.get(operand) if isinstance(operand, Var) else None
        if definition is None or definition.op not in (table.add, table.exp):
            return []
        if definition.op is table.exp:
            exponents.append(definition.operands[0])
        else:
            stack.extend(reversed(definition.operands))
    return exponents


def _unshifted(builder: IndexedBuilder, exponent: Operand) -> tuple[Operand, Operand | None]:
    """Give an exponent as it was before the largest was taken out, and what was, if any."""
    definition = builder.definitions.get(exponent) if isinstance(exponent, Var) else None
    if definition is not None and definition.op is table.sub:
        original, shift = definition.operands
        source = builder.definitions.get(shift) if isinstance(shift, Var) else None
        if source is not None and source.op is table.stop_gradient:
            return original, shift
    return exponent, None


def _log_of_exps(builder: IndexedBuilder, argument: Operand) -> Operand | None:
    exponents = _exponents(builder, argument)
    if len(exponents) < MIN_TERMS_TO_SHIFT or any(_unshifted(builder, x)[1] for x in exponents):
        return None
    return operand_of(_logsumexp([builder.ref(x) for x in exponents]))


def _log_of_softmax(builder: IndexedBuilder, argument: Operand) -> Operand | None:
    quotient = builder.definitions.get(argument) if isinstance(argument, Var) else None
    if quotient is None or quotient.op is not table.div:
        return None
    above, below = (_exponents(builder, operand) for operand in quotient.operands)
    if len(above) != 1 or len(below) < 2:
        return None
    pairs = [_unshifted(builder, x) for x in (*above, *below)]
    if len({shift for _, shift in pairs}) == 1:  # it cancels, as in gdc.softmax
        above, below = [pairs[0][0]], [x for x, _ in pairs[1:]]
    chosen = builder.ref(above[0])
    # The chosen exponent's own difference is 0 exactly: with it alone the logarithm would be 0.
    others = [builder.ref(x) - chosen for x in below if x != above[0]]
    return operand_of(-_logsumexp([0.0] * (len(below) - len(others)) + others))


def _logsumexp(terms: list[Any]) -> Any:
    if len(terms) < MIN_TERMS_TO_SHIFT:
        first, second = terms
        return (
            table.softplus(second) if isinstance(first, float) else table.logaddexp(first, second)
        )
    shift = shift_of(terms)
    # A term of 0.0 is written -shift: the sign of a zero is nothing to exp.
    shifted = (-shift if isinstance(x, float) else table.sub(x, shift) for x in terms)
    total = table.exp(next(shifted))
    for term in shifted:
        total = total + table.exp(term)
    return shift + table.log(total)


MIN_TERMS_TO_SHIFT = 3
"""From this length on a sum of exponentials has its largest term taken out; two have a row."""

_LOGARITHMS = {
    "log(exp(x1) + exp(x2) + ...) → m + log(exp(x1 - m) + exp(x2 - m) + ...), m the largest x "
    "(exp overflows from 710 on)": _log_of_exps,
    "log(exp(x1) / (exp(x1) + exp(x2) + ...)) → -log(1.0 + exp(x2 - x1) + ...), m taken out "
    "(exp overflows from 710 on)": _log_of_softmax,
}
"""Rules for the logarithm of a sum of any length."""
