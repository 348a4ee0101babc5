"""Ways to make the text of a kernel: straight-line, or as loops.

Small programs stay straight-line. In a larger one the constants that are data become inputs, and
then its structure decides all that follows: what is emitted for it is kept under a digest of the
structure, so that a graph of the same structure over other data is not compiled again.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from gradcompile.compiler import code as structure
from gradcompile.compiler.code import EmittedCode
from gradcompile.compiler.request import Request
from gradcompile.emit.nests import emit_nests
from gradcompile.emit.straight import emit
from gradcompile.ir.packed import PackedProgram
from gradcompile.ir.program import Program
from gradcompile.passes.capture import capture
from gradcompile.roll import is_regular, roll
from gradcompile.support.collector import collector_paused
from gradcompile.support.timing import Stages
from gradcompile.verify.loops import unlike

MAX_STRAIGHT = 400
"""A program of at most so many instructions before differentiation stays straight-line."""


class Strategy(Protocol):
    """A way to make the text of a kernel."""

    @property
    def loops(self) -> bool:
        """Is the text made of loops?"""

    @property
    def matrices(self) -> int:
        """How many matrices of rows the emitted function takes."""

    @property
    def lowered(self) -> PackedProgram:
        """The program that all is made of; its data are what the text takes as constants."""

    @property
    def key(self) -> str | None:
        """The key under which the text is kept; None if it is not."""

    def emit(self, program: Program, stages: Stages) -> EmittedCode:
        """Make the text of the program after all passes, and what it needs beside the inputs."""

    def differing(self, program: Program, straight: str, code: EmittedCode) -> set[int]:
        """Find the flat results, by index, that it computes otherwise than the straight text."""


@dataclass(frozen=True)
class Straight:
    """Straight-line text."""

    request: Request
    loops: ClassVar[bool] = False
    matrices: ClassVar[int] = 0
    key: ClassVar[None] = None

    @property
    def lowered(self) -> PackedProgram:
        """The program as it was traced."""
        return self.request.traced.lowered

    def emit(self, program: Program, stages: Stages) -> EmittedCode:
        """Make the text of the program after all passes, statement by statement."""
        request = self.request
        with stages("emit"):
            text = emit(program, request.function_name, request.summary, request.array)
        return EmittedCode(text, rules=program.notes)

    def differing(self, program: Program, straight: str, code: EmittedCode) -> set[int]:
        """Find nothing: it is the straight text."""
        return set()


@dataclass(frozen=True)
class Loops:
    """Text made of the loops that tracing unrolled."""

    request: Request
    lowered: PackedProgram
    key: str | None
    loops: ClassVar[bool] = True
    matrices: ClassVar[int] = 0

    def emit(self, program: Program, stages: Stages) -> EmittedCode:
        """Make the text of the program after all passes, nest by nest."""
        request, mode = self.request, self.request.mode
        slots = {int(mode.keeps_value): request.slots} if mode.differentiates else {}
        with stages("roll"):
            rolled = roll(program, request.options.strict, list(request.labels()), slots)
        with stages("emit"):
            text = emit_nests(rolled, request.function_name, request.summary, request.array)
        return EmittedCode(text, rolled.order, rolled.tables, rolled.summary, program.notes)

    def differing(self, program: Program, straight: str, code: EmittedCode) -> set[int]:
        """Find the flat results, by index, that the loops compute otherwise than that text."""
        return unlike(program, self.request.function_name, straight, code.source, code.arguments)


@collector_paused()
def choose(request: Request, stages: Stages) -> Straight | Loops:
    """Choose how the text of a kernel without rows is made, as `compile(roll=...)` says."""
    wanted, lowered = request.options.roll, request.traced.lowered
    if wanted == "auto" and len(lowered) <= MAX_STRAIGHT:
        wanted = False
    if not wanted:
        return Straight(request)
    with stages("capture"):
        captured, kinds = capture(lowered)
    key = structure_key(request, captured, 0, stages)
    loops = Loops(request, captured, key)
    if wanted != "auto" or (key and structure.load(key, request.function_name)):
        return loops
    with stages("roll"):
        return loops if is_regular(captured.program, kinds) else Straight(request)


def structure_key(
    request: Request, captured: PackedProgram, matrices: int, stages: Stages
) -> str | None:
    """Make the digest of the structure that the text is kept under; None if it is not kept."""
    if not request.options.cache:
        return None
    with stages("key"):
        given = (captured.given, matrices)
        settings = (
            request.mode.name, request.slots, request.summary, request.options.strict, given
        )  # fmt: skip
        return structure.key(captured, repr(settings))
