"""Structure: which outputs of a program depend on which inputs, whatever the numbers are.

Both branches of a choice count. A value carries a set of inputs, or of outputs on the way back.
Most sets are those of many values, so each is kept once, under a number, and what several of them
make is looked up. The way is chosen as the mode of a Jacobian is, so that a long sum takes a single
walk.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from gradcompile.autodiff.activity import needed_by, varying
from gradcompile.autodiff.modes import FORWARD, choose_mode
from gradcompile.ir.program import Operand, Program
from gradcompile.support.arrays import IntArray


def structure(program: Program, wrt: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Find the entries of the Jacobian that are not zero whatever the inputs are.

    Args:
        program: tuples among its outputs do not matter.
        wrt: the indices of the inputs that are the columns.

    Returns:
        The row and the column of each entry, sorted by row, then by column.
    """
    sources: list[Operand] = [program.inputs[index] for index in wrt]
    outputs = list(program.flat_outputs)
    if choose_mode(program, wrt).mode == FORWARD:
        return _pairs(_inputs_of(program, sources, outputs))
    columns, rows = _pairs(_outputs_of(program, sources, outputs))
    order = np.lexsort((columns, rows))
    return rows[order], columns[order]


def _inputs_of(
    program: Program, sources: Sequence[Operand], outputs: Sequence[Operand]
) -> list[Sequence[int]]:
    """For each output the numbers of the inputs that it depends on."""
    sets = _Sets()
    set_of = {source: sets.number([column]) for column, source in enumerate(sources)}
    needed = needed_by(program, outputs)
    for instruction in program.instructions:
        if instruction.result in needed:
            found = {set_of[x] for x in varying(instruction) if x in set_of}
            if found:
                set_of[instruction.result] = sets.union(found)
    return [sets.members[set_of[x]] if x in set_of else () for x in outputs]


def _outputs_of(
    program: Program, sources: Sequence[Operand], outputs: Sequence[Operand]
) -> list[Sequence[int]]:
    """For each input the numbers of the outputs that depend on it."""
    sets = _Sets()
    found: dict[Operand, set[int]] = {}
    for row, output in enumerate(outputs):
        found.setdefault(output, set()).add(sets.number([row]))
    for instruction in reversed(program.instructions):
        numbers = found.pop(instruction.result, None)
        if numbers:
            number = sets.union(numbers)
            for operand in varying(instruction):
                found.setdefault(operand, set()).add(number)
    return [sets.members[sets.union(found[x])] if x in found else () for x in sources]


class _Sets:
    """Sets of integers, each kept once.

    Attributes:
        members: of each set, sorted, by its number.
    """

    def __init__(self) -> None:
        self.members: list[tuple[int, ...]] = []
        self._number_of: dict[tuple[int, ...], int] = {}
        self._union_of: dict[frozenset[int], int] = {}

    def number(self, members: Sequence[int]) -> int:
        """Give the number of the set of these members, which are sorted."""
        key = tuple(members)
        number = self._number_of.setdefault(key, len(self.members))
        if number == len(self.members):
            self.members.append(key)
        return number

    def union(self, numbers: set[int]) -> int:
        """Give the number of the union of sets, given by theirs."""
        if len(numbers) == 1:
            return next(iter(numbers))
        key = frozenset(numbers)
        number = self._union_of.get(key)
        if number is None:
            union = sorted(set().union(*(self.members[number] for number in key)))
            number = self._union_of[key] = self.number(union)
        return number


def _pairs(found: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray]:
    """Put the members of sets behind one another, each beside the number of its set."""
    lengths = [len(members) for members in found]
    count = sum(lengths)
    members = np.fromiter(chain.from_iterable(found), np.int64, count)
    return np.repeat(np.arange(len(found)), lengths), members
