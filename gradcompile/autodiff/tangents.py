"""Tangents: how the values of a program vary along one direction or several, from inputs on.

What a gate does not pass does not count. Its tangent is zero behind the gate, but zero times a
slope that is inf would be nan. So a tangent may carry a guard: the condition without which it is
zero. Slopes that may be inf or nan are multiplied under it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gradcompile.autodiff.activity import varying_indices
from gradcompile.autodiff.guards import both, one_of
from gradcompile.autodiff.hazards import Hazards
from gradcompile.autodiff.pushforwards import condition_of, pushforward
from gradcompile.ir.builder import Builder
from gradcompile.ir.program import Instruction, Operand, Program, Var
from gradcompile.ops.op import Op


class Tangent(NamedTuple):
    """How a value varies, and the condition without which it does not; None is always."""

    value: Operand
    guard: Operand | None = None


class Tangents:
    """Appends tangents to a program.

    Attributes:
        program: what is differentiated.
        builder: of the program and what is appended to it.
        of: the tangents of values that vary, by the number of the direction.
    """

    def __init__(self, program: Program, suffixes: Sequence[str]) -> None:
        self.program = program
        self.suffixes = suffixes
        self.builder = _SharingBuilder(list(program.instructions))
        self.of: dict[Operand, dict[int, Tangent]] = {}
        has_gates = any(op.selects for _, op, _, _ in program.instructions)
        self.hazards = Hazards(program, set()) if has_gates else None
        self.ahead = self.hazards.ahead(program) if self.hazards else set()

    def differentiate(self, instruction: Instruction) -> None:
        """Append the tangents of the result of one instruction."""
        result, op, operands, _ = instruction
        parts = [
            (index, self.of[operands[index]])
            for index in varying_indices(op)
            if operands[index] in self.of
        ]
        if not parts:
            return
        self.builder.begin(result)
        found: dict[int, Tangent] = {}
        for direction in sorted(set().union(*(tangents for _, tangents in parts))):
            given = {index: of[direction] for index, of in parts if direction in of}
            found[direction] = self._push(instruction, given, self.suffixes[direction])
        self.of[result] = found

    def _push(self, instruction: Instruction, given: dict[int, Tangent], suffix: str) -> Tangent:
        """Append the tangent of a result, from those of its operands by their indices."""
        result, op, operands, _ = instruction
        guarded = self._guarded(instruction, given)
        reads = [tangent.value for tangent in given.values()]
        reads += [guard for k in guarded if (guard := given[k].guard) is not None]
        count = len(self.builder.instructions)
        recording = pushforward(op, tuple(given), guarded)
        (value,) = recording.append(self.builder, (result, *operands, *reads))
        is_new = len(self.builder.instructions) > count
        if is_new and isinstance(value, Var) and value.primal is None:
            value.primal, value.suffix = result, suffix
        return Tangent(value, self._guard(instruction, given) if result in self.ahead else None)

    def _guarded(self, instruction: Instruction, given: dict[int, Tangent]) -> tuple[int, ...]:
        """Choose the operands whose tangents are multiplied under their guards."""
        if self.hazards is None:
            return ()
        guarded = [index for index, tangent in given.items() if tangent.guard is not None]
        return tuple([index for index in guarded if self.hazards.is_risky(instruction, index)])

    def _guard(self, instruction: Instruction, given: dict[int, Tangent]) -> Operand | None:
        """Append the condition under which one of the operands counts, and its tangent does."""
        result, op, operands, _ = instruction
        guards: list[Operand | None] = []
        for index, (_, guard) in given.items():
            recording = condition_of(op, index)
            if recording is None:
                guards.append(guard)
            else:
                (condition,) = recording.append(self.builder, (result, *operands))
                guards.append(both(self.builder, guard, condition))
        return one_of(self.builder, guards)


class _SharingBuilder(Builder):
    """A builder that computes what several derivatives of one value share once."""

    def begin(self, origin: Var) -> None:
        """Let what comes be derivatives of `origin`."""
        self.origin = origin
        self.known: dict[tuple[Op, tuple[Operand, ...]], Var] = {}

    def apply(self, op: Op, operands: tuple[Operand, ...], result: Var | None = None) -> Var:
        """Append `op operands`, or give the value that was computed like this."""
        key = (op, operands)
        known = self.known.get(key)
        if known is None:
            known = self.known[key] = super().apply(op, operands, result)
        return known
