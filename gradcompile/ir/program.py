"""The linear IR: straight-line programs in static single assignment form.

    program      ::=  inputs: var*   instruction*   return output*
    instruction  ::=  var = op operand+
    operand      ::=  var | const
    output       ::=  operand | [operand*]
    var          ::=  a value, assigned once: a primal, or the adjoint of one
    const        ::=  a float64

Every operand is a constant, an input or the result of an earlier instruction; `verify_program`
checks that. An instruction of the reverse sweep carries its `origin`: the primal whose statement
it differentiates (a pass may have replaced that statement since). `print(program)` shows one
instruction a line:

    inputs  x, w
    %1      = mul x, w
    y       = tanh %1
    return y
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import copysign, isnan
from operator import itemgetter
from typing import Any, NamedTuple

from gradcompile.ops.op import Op
from gradcompile.ops.operators import Operators


class Var:
    """A value of a program. Two Vars are the same only if they are the same object.

    Attributes:
        name: the user's name for it, or "".
        primal: for an adjoint, the value it is the adjoint of.
        line: where the user's code computes it ("file, line 3: `code`"), if that was recorded.
    """

    __slots__ = ("line", "name", "primal")

    def __init__(self, name: str = "", primal: "Var | None" = None, line: str = "") -> None:
        self.name = name
        self.primal = primal
        self.line = line

    @property
    def full_name(self) -> str:
        """The name to show: the user's, with `_bar` for an adjoint; "" where there is none."""
        if self.primal is None:
            return self.name
        base = self.primal.full_name
        return f"{base}_bar" if base else ""

    @property
    def depth(self) -> int:
        """0 for a primal, 1 for its adjoint, 2 for the adjoint of that."""
        return 0 if self.primal is None else 1 + self.primal.depth

    def __repr__(self) -> str:
        return self.full_name or f"%{id(self) & 0xFFFF:x}"


class Const:
    """A number in a program. Equal when the bits are, so 0.0 and -0.0 differ and nan equals nan."""

    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Const):
            return False
        a, b = self.value, other.value
        if a == b:
            return a != 0.0 or copysign(1.0, a) == copysign(1.0, b)
        return isnan(a) and isnan(b)

    def __hash__(self) -> int:
        return 0 if isnan(self.value) else hash(self.value)

    def __repr__(self) -> str:
        return repr(self.value)


Operand = Var | Const
Output = Operand | tuple[Operand, ...]


class Instruction(NamedTuple):
    """`result = op operands`; `origin` is the primal it differentiates, None if it is a primal."""

    result: Var
    op: Op
    operands: tuple[Operand, ...]
    origin: Var | None = None


@dataclass(frozen=True)
class Program:
    """A straight-line program: its inputs, its instructions in order, what it returns.

    Attributes:
        name: of the function it was traced from.
        inputs: the values it is given.
        instructions: in order.
        outputs: what it returns: each a value, or a tuple of values that becomes a flat array.
        notes: what the passes did, for `explain()`.
        data: the values of the last inputs, which are constants of the graph; see
            `passes/capture.py`.
        settled: how many of the first instructions went through the passes before.
        rows: how many of the inputs before those belong to a row of data.
        bound: the variable of the user's code that a value was bound to, where there is one. Not a
            name by which the user asked for it to be shown, as `Var.name` is.
    """

    name: str
    inputs: tuple[Var, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[Output, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)
    data: tuple[float, ...] = ()
    settled: int = field(default=0, compare=False)
    rows: int = 0
    bound: Mapping[Var, str] = field(default_factory=dict, compare=False)

    @property
    def given(self) -> int:
        """How many inputs there are before those of a row and the data."""
        return len(self.inputs) - self.rows - len(self.data)

    @property
    def flat_outputs(self) -> Iterator[Operand]:
        """Every operand that is returned."""
        for output in self.outputs:
            yield from output if isinstance(output, tuple) else (output,)

    def __len__(self) -> int:
        return len(self.instructions)

    def __str__(self) -> str:
        return print_program(self)


class ProgramError(ValueError):
    """A program that breaks the grammar: a defect of a pass, never of a user's input."""


def verify_program(program: Program) -> Program:
    """Check the grammar of the IR and return the program.

    Raises:
        ProgramError: a value is read before it is assigned, assigned twice, or an operation has
            the wrong number of operands.
    """
    assigned: set[Var] = set()
    for var in program.inputs:
        _assign(var, assigned, "an input")
    for index, (result, op, operands, _) in enumerate(program.instructions):
        where = f"instruction {index} ({op.name})"
        if len(operands) != op.arity:
            raise ProgramError(f"{where} has {len(operands)} operands, {op.name} takes {op.arity}")
        for operand in operands:
            _read(operand, assigned, where)
        _assign(result, assigned, where)
    for operand in program.flat_outputs:
        _read(operand, assigned, "the return")
    return program


def _assign(var: Var, assigned: set[Var], where: str) -> None:
    if var in assigned:
        raise ProgramError(f"{where}: {var!r} is assigned twice")
    assigned.add(var)


def _read(operand: Operand, assigned: set[Var], where: str) -> None:
    if isinstance(operand, Const):
        if type(operand.value) is not float:
            raise ProgramError(f"{where}: constant {operand.value!r} is no float")
    elif operand not in assigned:
        raise ProgramError(f"{where}: {operand!r} is read before it is assigned")


def print_program(program: Program) -> str:
    """The program as text, one instruction a line."""
    names: dict[Var, str] = {}
    taken: set[str] = set()

    def name(operand: Operand) -> str:
        if isinstance(operand, Const):
            return repr(operand.value)
        if operand not in names:
            text = operand.full_name or f"%{len(names) + 1}"
            if text in taken:
                text = f"{text}.{len(names) + 1}"
            taken.add(text)
            names[operand] = text
        return names[operand]

    def line(instruction: Instruction) -> tuple[str, str]:
        right = f"{instruction.op.name} {', '.join(map(name, instruction.operands))}"
        return name(instruction.result), right

    inputs = ", ".join(map(name, program.inputs))
    lines = [line(instruction) for instruction in program.instructions]
    width = max((len(left) for left, _ in lines), default=0)
    width = max(min(width, 24), len("inputs"))
    outputs = ", ".join(
        f"[{', '.join(map(name, output))}]" if isinstance(output, tuple) else name(output)
        for output in program.outputs
    )
    body = [f"{left:{width}} = {right}" for left, right in lines]
    return "\n".join([f"{'inputs':{width}}   {inputs}", *body, f"return {outputs}"])


class Builder:
    """Collects instructions; `apply` appends one and gives its result.

    Attributes:
        instructions: in order.
        origin: what the instructions to come differentiate.
    """

    def __init__(self, instructions: "list[Instruction] | None" = None) -> None:
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
        """`operand` as the table's lambdas take it."""
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
        reads = tuple(
            x.operand if isinstance(x, Ref) else Const(op.number(x, name))
            for x, name in zip(operands, op.operand_names, strict=True)
        )
        return Ref(self.builder, self.builder.apply(op, reads))


def operand_of(x: Ref | float) -> Operand:
    """The operand that a `Ref` or a number stands for."""
    return x.operand if isinstance(x, Ref) else Const(float(x))
