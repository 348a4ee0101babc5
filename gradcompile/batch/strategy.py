"""A way to make the text of a batched kernel: as loops over the rows."""

from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar

from gradcompile.batch.results import RowResults
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

    results: RowResults
    lowered: PackedProgram
    key: str | None
    loops: ClassVar[bool] = True

    @property
    def request(self) -> Request:
        """What is built."""
        return self.results.request

    @property
    def matrices(self) -> int:
        """How many matrices of rows the emitted function takes."""
        return len(self.results.widths)

    def emit(self, program: Program, stages: Stages) -> EmittedCode:
        """Make the text of the program of one row after all passes, in loops over the rows."""
        request, results = self.request, self.results
        first = int(request.mode.keeps_value)
        slots = {first + k: group for k, group in enumerate(results.groups)}
        outputs = list(program.outputs)
        if request.mode.differentiates:
            (gradient,) = outputs[first:]
            assert isinstance(gradient, tuple)
            supply = iter(gradient)
            outputs[first:] = [tuple(islice(supply, len(group))) for group in results.groups]
        program = replace(program, outputs=tuple(outputs))
        labels, strict = list(request.labels()), request.options.strict
        with stages("roll"):
            rolled = roll(program, strict, labels, slots, results.totals)
        mean = request.options.reduce == "mean"
        with stages("emit"):
            text = emit_nests(
                rolled, request.function_name, request.summary, request.array, mean=mean
            )
        return EmittedCode(text, rolled.order, rolled.tables, rolled.summary, program.notes)

    def differing(self, program: Program, straight: str, code: EmittedCode) -> set[int]:
        """Find the flat results, by index, that the loops compute otherwise than a row's text."""
        return unlike_by_rows(
            program,
            self.request.function_name,
            straight,
            code.source,
            code.arguments,
            widths=self.results.widths,
            sizes=self.results.sizes,
            mean=self.request.options.reduce == "mean",
        )


@collector_paused()
def loops_over_rows(results: RowResults, stages: Stages) -> Rows:
    """Choose how the text of a batched kernel is made: there is but this way."""
    request = results.request
    with stages("capture"):
        captured, _ = capture(request.traced.lowered)
    return Rows(results, captured, structure_key(request, captured, len(results.widths), stages))
