"""Origins: which forward groups the groups of the reverse sweep differentiate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gradcompile.ir.program import Var
from gradcompile.roll.forms import Forms
from gradcompile.roll.groups import Group
from gradcompile.support.arrays import IntArray


def with_origins(forms: Forms, groups: Sequence[Group], group_of: IntArray) -> list[Group]:
    """Give each group its number, and those of the forward groups that it differentiates.

    Args:
        forms: the stored values.
        groups: in order.
        group_of: for each stored value, by its number, the number of its group.
    """
    part_of = _parts(forms)
    found: list[set[int]] = [set() for _ in groups]
    for result, _, _, origin in forms.program.instructions:
        if origin is not None and origin in part_of and result in part_of:
            found[group_of[part_of[result]]].add(int(group_of[part_of[origin]]))
    return [
        replace(group, number=number, differentiates=tuple(sorted(numbers)))
        for number, (group, numbers) in enumerate(zip(groups, found, strict=True))
    ]


def _parts(forms: Forms) -> Mapping[Var, int]:
    """The number of the stored value that each value is, or is a part of."""
    part_of = dict(forms.number_of)
    reverse = {result for result, _, _, origin in forms.program.instructions if origin is not None}
    for result, _, operands, origin in reversed(forms.program.instructions):
        whole = part_of.get(result)
        if whole is None:
            continue
        for operand in operands:
            if isinstance(operand, Var) and (operand in reverse) == (origin is not None):
                part_of.setdefault(operand, whole)
    return part_of
