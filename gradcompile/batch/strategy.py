"""How the text of a batched kernel is made: as loops over the rows."""

from dataclasses import dataclass
from typing import ClassVar

from gradcompile.compiler.code import EmittedCode
from gradcompile.compiler.request import Request
from gradcompile.compiler.strategies import structure_key
from gradcompile.emit.nests import emit_nests
from gradcompile.ir.packed import PackedProgram
from gradcompile.ir.program import Program
from gradcompile.passes.capture import capture
from gradcompile.roll import roll
from gradcompile.support.collector import collector_paused
from gradcompile.support.timing import Stages
from gradcompile.verify.loops import unlike_by_rows


@dataclass(frozen=True)
class Rows:
    """Text made of loops over rows."""

    request: Request
    lowered: PackedProgram
    key: str | None
    loops: ClassVar[bool] = True

    def emit(self, program: Program, stages: Stages) -> EmittedCode:
        """The text of the program of one row after all passes, in loops over any number of them."""
        request, labels = self.request, list(self.request.labels())
        with stages("roll"):
            rolled = roll(program, request.signature, request.options.strict, labels)
        mean = request.options.reduce == "mean"
        with stages("emit"):
            text = emit_nests(rolled, request.function_name, request.summary, mean=mean)
        return EmittedCode(text, rolled.order, rolled.tables, rolled.summary, program.notes)

    def differing(self, program: Program, straight: str, code: EmittedCode) -> set[int]:
        """The flat results, by index, that the loops compute otherwise than the text of one row."""
        request = self.request
        mean = request.options.reduce == "mean"
        return unlike_by_rows(
            program, request.signature, request.function_name, straight,
            code.source, code.arguments, mean=mean,
        )  # fmt: skip


@collector_paused()
def loops_over_rows(request: Request, stages: Stages) -> Rows:
    """The strategy of a batched kernel: there is but this."""
    with stages("capture"):
        captured, _ = capture(request.traced.lowered)
    return Rows(request, captured, structure_key(request, captured, stages))
