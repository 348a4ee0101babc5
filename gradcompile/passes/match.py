"""Tells which rules an instruction matches."""

from collections import defaultdict
from functools import cache
from typing import Any

from gradcompile.ir.builder import IndexedBuilder
from gradcompile.ir.program import Const, Instruction, Operand, Var
from gradcompile.ops.op import Op
from gradcompile.passes.rules import IDENTITIES, STABILITY, Pattern, Rule, Variable

Head = Op | float | None
"""What tells that a rule may match: the number that one operand must be, or the operation that
must define it; None if the last two operands must be equal."""

Bound = dict[str, Operand]
"""What variables of a rule stand for."""

Entry = tuple[Rule, frozenset[Head]]
"""A rule, and what else there must be among the operands, beside its head."""


@cache
def _index(forward: bool, has_constant: bool) -> dict[Op, dict[Head, list[Entry]]]:
    """Sort the rules for one sweep, for operands with or without a constant among them.

    They are sorted by the operation of their root, then by their head.
    """
    rules: defaultdict[Op, defaultdict[Head, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for rule in (*STABILITY, *IDENTITIES) if forward else IDENTITIES:
        if has_constant or not rule.needs_constant:
            head, *others = _heads(rule)
            rules[rule.tree.op][head].append((rule, frozenset(others)))
    return {op: dict(by_head) for op, by_head in rules.items()}


def _heads(rule: Rule) -> list[Head]:
    """What tells of the operands that a rule may match, the first of it for the index."""
    parts = rule.tree.operands
    heads: list[Head] = [
        part.op if isinstance(part, Pattern) else float(part)
        for part in parts
        if not isinstance(part, Variable)
    ]
    # By identity: `==` on the parts of a pattern builds a pattern.
    assert heads or parts[-1] is parts[-2], f"nothing tells where {rule} may match"
    return heads or [None]


def candidates(builder: IndexedBuilder, instruction: Instruction) -> list[Rule]:
    """List the rules that an instruction may match, in the order to try them; most often none."""
    _, op, operands, origin = instruction
    rules = _index(origin is None, Const in map(type, operands)).get(op)
    if rules is None:
        return []
    heads: list[Head] = [None] if None in rules and operands[-1] == operands[-2] else []
    for operand in operands:
        if isinstance(operand, Const):
            heads.append(operand.value)
        else:
            definition = builder.definitions.get(operand)
            if definition is not None:
                heads.append(definition.op)
    return [
        rule
        for head in heads
        for rule, others in rules.get(head, ())
        if not others or others.issubset(heads)
    ]


def match(
    builder: IndexedBuilder,
    pattern: Pattern,
    op: Op,
    operands: tuple[Operand, ...],
    bound: Bound,
) -> Bound | None:
    """Find what the variables stand for if `op operands` matches the pattern; else None.

    Args:
        builder: knows how the operands were computed.
        pattern: to compare with.
        op: the operation.
        operands: its operands.
        bound: what some of the variables stand for already.
    """
    if pattern.op is not op:
        return None
    matched = _match_all(builder, pattern.operands, operands, bound)
    if matched is None and op.commutative:
        return _match_all(builder, pattern.operands, operands[::-1], bound)
    return matched


def _match_all(
    builder: IndexedBuilder, parts: tuple[Any, ...], operands: tuple[Operand, ...], bound: Bound
) -> Bound | None:
    for part, operand in zip(parts, operands, strict=True):
        if isinstance(part, Variable):
            known = bound.get(part.name)
            if known is None and part.takes(operand):
                bound = {**bound, part.name: operand}
            elif known != operand:
                return None
        elif isinstance(part, Pattern):
            definition = builder.definitions.get(operand) if isinstance(operand, Var) else None
            if definition is None:
                return None
            matched = match(builder, part, definition.op, definition.operands, bound)
            if matched is None:
                return None
            bound = matched
        elif not isinstance(operand, Const) or operand.value != part:
            return None
    return bound
