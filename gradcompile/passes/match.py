"""Which rules an instruction matches."""

from collections import defaultdict
from functools import cache
from typing import Any

from gradcompile.ir import Const, IndexedBuilder, Instruction, Operand, Var
from gradcompile.ops import Op
from gradcompile.passes.rules import IDENTITIES, STABILITY, Pattern, Rule, Variable

Head = Op | float | None
"""What tells that a rule may match: the number that one operand must be, or the operation that
must define it; None if the last two operands must be equal."""


@cache
def _index(forward: bool) -> dict[Op, dict[Head, list[Rule]]]:
    """The rules for one sweep, by the operation of their root and by their head."""
    found: defaultdict[Op, defaultdict[Head, list[Rule]]] = defaultdict(lambda: defaultdict(list))
    for rule in (*STABILITY, *IDENTITIES) if forward else IDENTITIES:
        found[rule.tree.op][_head(rule)].append(rule)
    return {op: dict(rules) for op, rules in found.items()}


def _head(rule: Rule) -> Head:
    parts = rule.tree.operands
    for part in parts:
        if not isinstance(part, Variable):
            return part.op if isinstance(part, Pattern) else float(part)
    # By identity: `==` on the parts of a pattern builds a pattern.
    assert parts[-1] is parts[-2], f"nothing tells where {rule} may match"
    return None


def candidates(builder: IndexedBuilder, instruction: Instruction) -> list[Rule]:
    """The rules that an instruction may match, in the order to try them; most often none."""
    _, op, operands, origin = instruction
    found: list[Rule] = []
    rules = _index(origin is None).get(op)
    if rules is None:
        return found
    if None in rules and operands[-1] == operands[-2]:
        found += rules[None]
    has_constant = False
    for operand in operands:
        if isinstance(operand, Const):
            has_constant = True
            head: Head = operand.value
        else:
            definition = builder.definitions.get(operand)
            if definition is None:
                continue
            head = definition.op
        if head in rules:
            found += rules[head]
    if found and not has_constant:
        return [rule for rule in found if not rule.needs_constant]
    return found


def match(
    builder: IndexedBuilder,
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
        for part, operand in zip(pattern.operands, order, strict=True):
            if not _fits(builder, part, operand, trial):
                break
        else:
            bound.update(trial)
            return True
    return False


def _fits(
    builder: IndexedBuilder, pattern: Any, operand: Operand, bound: dict[str, Operand]
) -> bool:
    if isinstance(pattern, Variable):
        return pattern.takes(operand) and bound.setdefault(pattern.name, operand) == operand
    if isinstance(pattern, Pattern):
        definition = builder.definitions.get(operand) if isinstance(operand, Var) else None
        return definition is not None and match(
            builder, pattern, definition.op, definition.operands, bound
        )
    return isinstance(operand, Const) and operand.value == pattern
