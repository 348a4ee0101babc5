"""How the text of a kernel is made: straight-line, or as loops.

Small programs stay straight-line. In a larger one the constants that are data become inputs, and
then its structure decides all that follows: what is emitted for it is kept under a digest of the
structure, so that a graph of the same structure over other data is not compiled again.
"""

import ast
from dataclasses import dataclass
from typing import ClassVar, Protocol

from gradcompile.compiler import code as structure
from gradcompile.compiler.code import EmittedCode
from gradcompile.compiler.programs import derive
from gradcompile.compiler.request import Request
from gradcompile.emit.nest_arrays import MAX_SCRATCH
from gradcompile.emit.nests import emit_nests
from gradcompile.emit.straight import emit
from gradcompile.ir.nests import Loop, Rolled, assignments, temporaries
from gradcompile.ir.nests import loops as loops_in
from gradcompile.ir.packed import PackedProgram
from gradcompile.ir.program import Program
from gradcompile.passes.capture import capture
from gradcompile.roll import is_regular, roll
from gradcompile.support.collector import collector_paused
from gradcompile.support.timing import Stages
from gradcompile.verify.loops import unlike

MIN_ROLLED = 16
"""A program of fewer instructions is not looked through for loops."""

MAX_STRAIGHT = 400
"""A program of at most so many instructions before differentiation stays straight-line."""


class Strategy(Protocol):
    """How the text of a kernel is made."""

    @property
    def loops(self) -> bool:
        """Is the text made of loops?"""

    @property
    def lowered(self) -> PackedProgram:
        """The program that all is made of; its data are what the text takes as constants."""

    @property
    def key(self) -> str | None:
        """The key under which the text is kept; None if it is not."""

    def emit(self, program: Program, stages: Stages) -> EmittedCode:
        """The text of the program after all passes, and what it needs beside the inputs."""

    def differing(self, program: Program, straight: str, code: EmittedCode) -> set[int]:
        """The flat results, by index, that it computes otherwise than the straight text."""


@dataclass(frozen=True)
class Straight:
    """Straight-line text."""

    request: Request
    loops: ClassVar[bool] = False
    key: ClassVar[None] = None

    @property
    def lowered(self) -> PackedProgram:
        """The program as it was traced."""
        return self.request.traced.lowered

    def emit(self, program: Program, stages: Stages) -> EmittedCode:
        """The text of the program after all passes, statement by statement."""
        request = self.request
        with stages("emit"):
            text = emit(program, request.signature, request.function_name, request.summary)
        return EmittedCode(text, rules=program.notes)

    def differing(self, program: Program, straight: str, code: EmittedCode) -> set[int]:
        """Nothing: it is the straight text."""
        return set()


@dataclass(frozen=True)
class Loops:
    """Text made of the loops that tracing unrolled."""

    request: Request
    lowered: PackedProgram
    key: str | None
    loops: ClassVar[bool] = True

    def rolled(self, program: Program) -> Rolled:
        """The program after all passes, as loop nests."""
        request = self.request
        return roll(program, request.signature, request.options.strict, list(request.labels()))

    def emit(self, program: Program, stages: Stages) -> EmittedCode:
        """The text of the program after all passes, nest by nest."""
        request = self.request
        with stages("roll"):
            rolled = self.rolled(program)
        with stages("emit"):
            text = emit_nests(rolled, request.function_name, request.summary)
        return EmittedCode(text, rolled.order, rolled.tables, rolled.summary, program.notes)

    def differing(self, program: Program, straight: str, code: EmittedCode) -> set[int]:
        """The flat results, by index, that the loops compute otherwise than the straight text."""
        return unlike(
            program, self.request.signature, self.request.function_name, straight,
            code.source, code.arguments,
        )  # fmt: skip


@collector_paused()
def choose(request: Request, stages: Stages) -> Straight | Loops:
    """How to make the text of a kernel without rows, as `compile(roll=...)` says."""
    wanted, lowered = request.options.roll, request.traced.lowered
    small = wanted == "auto" and len(lowered) <= MAX_STRAIGHT
    if not wanted or (small and len(lowered) < MIN_ROLLED):
        return Straight(request)
    with stages("capture"):
        captured, kinds = capture(lowered)
    key = structure_key(request, captured, stages)
    loops = Loops(request, captured, key)
    if small:
        return _shorter(Straight(request), loops, stages)
    if wanted != "auto" or (key and structure.load(key, request.function_name)):
        return loops
    with stages("roll"):
        return loops if is_regular(captured.program, kinds) else Straight(request)


def _shorter(straight: Straight, loops: Loops, stages: Stages) -> Straight | Loops:
    """Loops for a small program, if half as many statements say the same, as fast."""
    request = loops.request
    program = derive(request, loops.lowered, stages)
    with stages("roll"):
        rolled = loops.rolled(program)
    if len(rolled.tables) or sum(array.size for array in temporaries(rolled)) > MAX_SCRATCH:
        return straight
    with stages("emit"):
        text = emit(program, request.signature.of_one_row(len(program.data)), "f")
    steps = [step for nest in rolled.nests for step in nest.steps]
    # Loops that have nothing else between them are read as one, over all of their indices.
    count = sum(
        len(loop.body) > 1 or not isinstance(loop.body[0], Loop) for loop in loops_in(steps)
    )
    fewer = 2 * (count + len(list(assignments(steps)))) <= _computing(text)
    return loops if count and fewer else straight


def _computing(source: str) -> int:
    """Count the statements of straight text that do not only make an array."""
    return sum(map(_computes, ast.walk(ast.parse(source))))


def _computes(node: ast.AST) -> bool:
    match node:
        case ast.Assign(value=ast.Call(ast.Name("empty" | "zeros"))):
            return False
    return isinstance(node, ast.Assign)


def structure_key(request: Request, captured: PackedProgram, stages: Stages) -> str | None:
    """Make the digest of the structure that the text is kept under; None if it is not kept."""
    if not request.options.cache:
        return None
    with stages("key"):
        settings = (
            request.kind.name, request.slots, request.summary, request.options.strict,
            request.options.reduce, request.options.mode, captured.given, request.signature,
            None if request.nonzeros is None else [x.tobytes() for x in request.nonzeros],
        )  # fmt: skip
        return structure.key(captured, repr(settings))
