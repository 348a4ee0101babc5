"""Which rules an instruction matches.

Most instructions match none. Their shape tells so: what is looked up by it is worked out once for
each shape, however many instructions have it.
"""

from functools import cache
from typing import Any

from gradcompile.ir import Const, IndexedBuilder, Instruction, Operand, Var
from gradcompile.ops import Op
from gradcompile.passes.rules import IDENTITIES, STABILITY, Pattern, Rule, Variable

Kind = Op | float | str
"""What an operand is: the operation that defines it, or "input"; a number that some rule speaks
of, or "constant" for any other."""

Shape = tuple[Any, ...]
"""An operation, whether it is in the forward sweep, whether its last operand is also one before it,
and the kind of each operand."""


@cache
def _numbers() -> frozenset[float]:
    """The numbers that rules speak of, as operands of their roots."""
    rules = (*STABILITY, *IDENTITIES)
    return frozenset(x for rule in rules for x in rule.tree.operands if isinstance(x, float))


def shape(builder: IndexedBuilder, instruction: Instruction) -> Shape:
    """The shape of an instruction that is to be appended."""
    _, op, operands, origin = instruction
    found: list[Any] = [op, origin is None, operands[-1] in operands[:-1]]
    for operand in operands:
        if isinstance(operand, Var):
            definition = builder.definitions.get(operand)
            found.append(definition.op if definition else "input")
        else:
            found.append(operand.value if operand.value in _numbers() else "constant")
    return tuple(found)


@cache
def candidates(op: Op, forward: bool, repeats: bool, *kinds: Kind) -> tuple[Rule, ...]:
    """The rules that instructions of this shape may match, in the order to try them."""
    rules = [
        rule
        for rule in ((*STABILITY, *IDENTITIES) if forward else IDENTITIES)
        if rule.tree.op is op and _fits_shape(rule, repeats, kinds)
    ]
    # First those of any operands, then those that speak of the first, then those of the others.
    order = [None, *kinds]
    return tuple(sorted(rules, key=lambda rule: order.index(_first_kind(rule))))


def _first_kind(rule: Rule) -> Kind | None:
    """The kind of the first operand that is no variable."""
    for part in rule.tree.operands:
        if not isinstance(part, Variable):
            return _kind(part)
    return None


def _kind(part: "Pattern | float") -> Kind:
    return part.op if isinstance(part, Pattern) else part


def _fits_shape(rule: Rule, repeats: bool, kinds: tuple[Kind, ...]) -> bool:
    parts = rule.tree.operands
    # By identity: `==` on the parts of a pattern builds a pattern.
    if not repeats and any(part is parts[-1] for part in parts[:-1]):
        return False
    orders = (kinds, kinds[::-1]) if rule.tree.op.commutative else (kinds,)
    return any(all(map(_fits_kind, parts, order)) for order in orders)


def _fits_kind(part: Any, kind: Kind) -> bool:
    if isinstance(part, Variable):
        return part.name != "k" or kind == "constant" or isinstance(kind, float)
    return kind == _kind(part)


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
