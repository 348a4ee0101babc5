"""Hazards: slopes that may be inf or nan although the inputs of a program are finite.

A contribution that a gate blocks is zero, and zero times a finite slope is zero: nothing has to be
done. Zero times inf is nan, so behind a gate a slope that may be infinite needs a guard. Whether it
may is found by trying an operation on `NUMBERS`, once for all its uses: 1 / x and log(x) are
infinite at 0, exp(x) overflows, a logarithm of a negative number is nan. Sums and products of
finite numbers count as finite, although they may overflow.
"""

import math
from functools import cache, lru_cache
from itertools import product

from gradcompile.autodiff.partials import record
from gradcompile.ir.program import Const, Instruction, Operand, Program
from gradcompile.ops.op import CONDITIONS, Op

NUMBERS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 750.0, -750.0, 1e100, -1e100)
"""Finite numbers among which every operation that may give inf or nan does: poles, ends of domains,
what exp overflows for; but no product of two or three of them overflows."""

NOT_FINITE = frozenset({Const(math.inf), Const(-math.inf), Const(math.nan)})


class Hazards:
    """What may be inf or nan in a program whose inputs are finite.

    Where the program of derivatives is to be differentiated again, the derivatives of slopes count
    too: a value whose own slope may be infinite makes slopes that read it vary infinitely.

    Attributes:
        active: the values that are differentiated.
        wild: the values that may be, and the constants that are.
        behind: those active values on whose way back to the inputs a slope may be.
    """

    def __init__(self, program: Program, active: set[Operand], again: bool = False) -> None:
        self.active = active
        self.wild: set[Operand] = set(NOT_FINITE)
        self.behind: set[Operand] = set()
        wild, behind = self.wild, self.behind
        for instruction in program.instructions:
            result, op, operands, _ = instruction
            is_wild = not (wild.isdisjoint(operands) and _is_tame(op, None, operands))
            is_wild = is_wild or (again and not _has_tame_slopes(op))
            if is_wild:
                wild.add(result)
            if result in active and (
                not behind.isdisjoint(operands)
                or ((is_wild or not _has_tame_slopes(op)) and self._has_risk(instruction))
            ):
                behind.add(result)

    def ahead(self, program: Program) -> set[Operand]:
        """Find the values on whose way on to the outputs a slope may be inf or nan."""
        found: set[Operand] = set()
        for instruction in reversed(program.instructions):
            result, op, operands, _ = instruction
            if result in found:
                found.update(operands)
            elif not _has_tame_slopes(op) or not self.wild.isdisjoint((result, *operands)):
                risky = (k for k in range(op.arity) if self.is_risky(instruction, k))
                found.update(operands[k] for k in risky)
        return found

    def _has_risk(self, instruction: Instruction) -> bool:
        return any(
            self.is_risky(instruction, index)
            for index, operand in enumerate(instruction.operands)
            if operand in self.active
        )

    def is_risky(self, instruction: Instruction, index: int) -> bool:
        """Tell whether the slope of an instruction by one of its operands may be inf or nan."""
        result, op, operands, _ = instruction
        values = (result, *operands)
        reads = [values[place] for place in _reads_of_slope(op, index)]
        if not reads:
            return False
        return not self.wild.isdisjoint(reads) or not _is_tame(op, index, operands)


def _is_tame(op: Op, index: int | None, operands: tuple[Operand, ...]) -> bool:
    """Tell whether finite operands make a finite result, or a finite slope by operand `index`."""
    if _is_always_tame(op, index):
        return True
    constants = tuple(x.value if isinstance(x, Const) else None for x in operands)
    return any(x is not None for x in constants) and _tried(op, index, constants)


@cache
def _is_always_tame(op: Op, index: int | None) -> bool:
    return _tried(op, index, (None,) * op.arity)


@cache
def _has_tame_slopes(op: Op) -> bool:
    return all(
        _is_always_tame(op, index) for index in range(op.arity) if _reads_of_slope(op, index)
    )


@lru_cache(4096)
def _tried(op: Op, index: int | None, constants: tuple[float | None, ...]) -> bool:
    if op.is_opaque:
        return False  # it may take any time for such numbers
    for operands in product(*(NUMBERS if x is None else (x,) for x in constants)):
        result = op.evaluate(*operands)
        if not math.isfinite(result if index is None else op.slope(index, result, operands)):
            return False
    return True


def is_finite_number(instruction: Instruction, index: int) -> bool:
    """Tell whether the slope by operand `index` is a finite number, or a choice of such.

    So it is finite even where nothing else is: half of x / 2, and 1 or 0 by a gate.
    """
    _, op, operands, _ = instruction
    values = (None, *operands)
    if not all(isinstance(values[place], Const) for place in _reads_of_slope(op, index)):
        return False
    return _tried(op, index, tuple(x.value if isinstance(x, Const) else None for x in operands))


@cache
def _reads_of_slope(op: Op, index: int) -> tuple[int, ...]:
    """List what the slope by operand `index` is computed from: 0 for the result, n for operand n.

    What decides a choice only is left out: the slope of a gate is 0 or 1, whatever it compares.
    """
    partial = op.partials[index]
    if partial is None:
        return ()
    given = op.arity + 1
    slope = record(lambda *values: (partial(*values),), given)
    first_step = given + len(slope.constants)
    reads: set[int] = set()
    waiting = list(slope.outputs)
    while waiting:
        place = waiting.pop()
        if place >= first_step:
            step, places = slope.steps[place - first_step]
            named = zip(step.operand_names, places, strict=True)
            waiting += [x for name, x in named if name not in CONDITIONS]
        elif place < given:
            reads.add(place)
    return tuple(sorted(reads))
