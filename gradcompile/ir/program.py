"""The linear IR: straight-line programs in static single assignment form.

    program      ::=  program name   inputs var*   rows var*   data (var = const)*
                      instruction*   return output*
    instruction  ::=  var = op operand+   ; d var
    operand      ::=  var | const
    output       ::=  operand | [operand*]
    var          ::=  a value, assigned once: a primal, or a derivative of one
    const        ::=  a float64

Every operand is a constant, an input or the result of an earlier instruction; `verify_program`
checks that. `print(program)` shows one instruction a line, and `ir/parse.py` reads that back:

    program   neuron
    inputs    x, w
    %3      = mul x, w
    y       = tanh %3
    %5      = square y  ; d y
    %3_bar  = sub 1.0, %5  ; d y
    w_bar   = mul %3_bar, x  ; d %3
    return y, [w_bar]

Values that have no name are numbered. `v_bar` is the adjoint of `v`, `v_dot` its tangent, and
`v_by_x` its derivative by `x`; where two values have one name, or one of the user's would read as
something else, it gets a number (`v.7`) or quotes. An instruction that computes derivatives carries
its `origin`, printed as `; d v`: the primal whose statement it differentiates (a pass may have
replaced that statement since). Inputs that belong to a row of data, and those whose values are
known, have lines of their own if there are any.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import copysign, isnan
from typing import NamedTuple

from gradcompile.ops.op import Op
from gradcompile.support.names import identifier

ADJOINT = "_bar"
"""What the name of an adjoint ends with."""

TANGENT = "_dot"
"""What the name of a tangent ends with."""

BY = "_by_"
"""What stands between a value and an input, in the name of the derivative by that input."""

SUFFIX = rf"(?:{ADJOINT}|{TANGENT}|{BY}\w+)"
"""What the name of a derivative ends with."""


def by(name: str) -> str:
    """Give the suffix of a derivative by what has a name; "" if no suffix can be made of that.

    >>> by("w[0]"), by("x"), by("")
    ('_by_w_0', '_by_x', '')
    """
    text = identifier(name)
    return f"{BY}{text}" if text and not re.search(f"{ADJOINT}|{TANGENT}|{BY}", f"_{text}") else ""


class Var:
    """A value of a program. Two Vars are the same only if they are the same object.

    Attributes:
        name: the user's name for it, or "".
        primal: for a derivative, the value it is the derivative of.
        suffix: for a derivative, what its name has behind that of the primal.
        line: where the user's code computes it ("file, line 3: `code`"), if that was recorded.
    """

    __slots__ = ("line", "name", "primal", "suffix")

    def __init__(
        self, name: str = "", primal: "Var | None" = None, line: str = "", suffix: str = ADJOINT
    ) -> None:
        self.name = name
        self.primal = primal
        self.line = line
        self.suffix = suffix

    @property
    def full_name(self) -> str:
        """The name to show: the user's, with the suffix for a derivative; "" if there is none."""
        if self.primal is None:
            return self.name
        base = self.primal.full_name
        return f"{base}{self.suffix}" if base else ""

    @property
    def depth(self) -> int:
        """0 for a primal, 1 for its derivative, 2 for the derivative of that."""
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
        """Count the inputs before those of a row and the data."""
        return len(self.inputs) - self.rows - len(self.data)

    @property
    def flat_outputs(self) -> Iterator[Operand]:
        """Go through every operand that is returned."""
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
    """Write the program as text, one instruction a line; `parse_program` reads it back."""
    names: dict[Var, str] = {}
    taken: set[str] = set()

    def name(operand: Operand) -> str:
        if isinstance(operand, Const):
            return repr(operand.value)
        if operand not in names:
            base = quoted(operand.name) if operand.name else ""
            if operand.primal is not None:
                base = f"{name(operand.primal)}{operand.suffix}"
            text = base or f"%{len(names) + 1}"
            if text in taken:
                text = f"{text}.{len(names) + 1}"
            taken.add(text)
            names[operand] = text
        return names[operand]

    def line(instruction: Instruction) -> tuple[str, str]:
        result, op, operands, origin = instruction
        right = f"{op.name} {', '.join(map(name, operands))}"
        left = name(result)
        return left, right if origin is None else f"{right}  ; d {name(origin)}"

    inputs = list(map(name, program.inputs))
    rows, data = inputs[program.given :][: program.rows], inputs[len(inputs) - len(program.data) :]
    lines = [line(instruction) for instruction in program.instructions]
    width = max((len(left) for left, _ in lines), default=0)
    width = max(min(width, MAX_COLUMN), len("program"))
    heads = [("program", quoted(program.name)), ("inputs", ", ".join(inputs[: program.given]))]
    if rows:
        heads.append(("rows", ", ".join(rows)))
    if data:
        values = zip(data, program.data, strict=True)
        heads.append(("data", ", ".join(f"{var} = {value!r}" for var, value in values)))
    outputs = ", ".join(
        f"[{', '.join(map(name, output))}]" if isinstance(output, tuple) else name(output)
        for output in program.outputs
    )
    head = [f"{word:{width}}   {what}".rstrip() for word, what in heads]
    body = [f"{left:{width}} = {right}" for left, right in lines]
    return "\n".join([*head, *body, f"return {outputs}"])


MAX_COLUMN = 24
"""Where the signs of equality stand at the most; they are aligned where names are shorter."""

PLAIN_NAME = r"[^\W\d]\w*(?:\[\w+\]|\.[^\W\d]\w*)*"
"""A name that is printed as it is, like `w`, `w[0]` or `layer.w`."""


def quoted(name: str) -> str:
    """Put a user's name in quotes where it would read as something else."""
    is_plain = re.fullmatch(PLAIN_NAME, name) and not re.search(f"{SUFFIX}$", name)
    return name if is_plain and name not in ("inf", "nan") else json.dumps(name)
