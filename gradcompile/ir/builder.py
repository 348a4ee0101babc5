"""Builds programs: instructions are appended one by one, or by the lambdas of the op table."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from gradcompile.ir.program import Const, Instruction, Operand, Var
from gradcompile.ops.op import Op
from gradcompile.ops.operators import Operators


class Builder:
    """Collects instructions; `apply` appends one and gives its result.

    Attributes:
        instructions: in order.
        origin: what the instructions to come differentiate.
    """

    def __init__(self, instructions: list[Instruction] | None = None) -> None:
        self.instructions: list[Instruction] = [] if instructions is None else instructions
        self.origin: Var | None = None

    def apply(self, op: Op, operands: tuple[Operand, ...], result: Var | None = None) -> Var:
        """Append `op operands`, assigned to `result` or to a value made for it."""
        result = result or Var()
        return self.keep(Instruction(result, op, operands, self.origin))

    def keep(self, instruction: Instruction) -> Var:
        """Append an instruction as it is, and give its result."""
        self.instructions.append(instruction)
        return instruction.result

    def keep_all(self, instructions: Sequence[Instruction]) -> None:
        """Append instructions as they are."""
        self.instructions += instructions

    def rename_last(self, result: Var) -> None:
        """Let the last instruction assign `result` instead."""
        last = self.instructions.pop()
        self.origin = last.origin
        self.apply(last.op, last.operands, result)

    def ref(self, operand: Operand) -> "Ref":
        """Make of `operand` what the table's lambdas take."""
        return Ref(self, operand)


class IndexedBuilder(Builder):
    """A builder that can tell how a value was computed.

    Attributes:
        definitions: the instruction that assigns each value.
    """

    def __init__(self) -> None:
        super().__init__()
        self.definitions: dict[Var, Instruction] = {}

    def keep(self, instruction: Instruction) -> Var:
        """Append an instruction as it is, and give its result."""
        self.instructions.append(instruction)
        self.definitions[instruction.result] = instruction
        return instruction.result

    def keep_all(self, instructions: Sequence[Instruction]) -> None:
        """Append instructions as they are."""
        self.instructions += instructions
        self.definitions.update(zip(map(itemgetter(0), instructions), instructions, strict=True))

    def rename_last(self, result: Var) -> None:
        """Let the last instruction assign `result` instead."""
        del self.definitions[self.instructions[-1].result]
        super().rename_last(result)


class Ref(Operators):
    """An operand on which the table's lambdas compute: each operation appends an instruction.

    A constant is one too: were it a plain number, a lambda would divide by zero, or round.
    """

    __slots__ = ("builder", "operand")

    def __init__(self, builder: Builder, operand: Operand) -> None:
        self.builder = builder
        self.operand = operand

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> "Ref":
        reads = tuple(x.operand if isinstance(x, Ref) else Const(op.as_float(x)) for x in operands)
        return Ref(self.builder, self.builder.apply(op, reads))


def operand_of(x: Ref | float) -> Operand:
    """Give the operand that a `Ref` or a number stands for."""
    return x.operand if isinstance(x, Ref) else Const(float(x))
