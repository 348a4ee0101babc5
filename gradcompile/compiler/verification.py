"""Verification of a kernel: what each number that it returns claims to be, checked in its text.

The text of a derivative is compared with the text of the value, and that of second derivatives
with the text of the gradient, which is itself compared with that of the value. Where a kernel is
made of loops, these texts are those without, and the loops are compared with them.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gradcompile.compiler.build import Build
from gradcompile.compiler.options import GRAD, VALUE, VALUE_AND_GRAD, weighted
from gradcompile.compiler.programs import derive
from gradcompile.compiler.request import Request
from gradcompile.compiler.verified import verified_function, verified_source
from gradcompile.emit.straight import emit
from gradcompile.ir.program import Program
from gradcompile.ir.signature import Bundle, Signature
from gradcompile.passes.capture import with_data
from gradcompile.support import files
from gradcompile.support.timing import Stages
from gradcompile.verify import kinds
from gradcompile.verify.adjoints import verify_source
from gradcompile.verify.claims import Entry
from gradcompile.verify.entries import chained, verify_entries, verify_zeros
from gradcompile.verify.given import calls_opaque, verify_numbers
from gradcompile.verify.report import Report

BASE = "base"
"""What the function is called whose derivatives a kernel returns."""

UNLIKE = "the loops compute something else than the text without loops, which was verified"


def verified(build: Build) -> Report:
    """Check every derivative that a kernel returns.

    Raises:
        ExpressionError: a text is not of the form that emission writes.
        ValueError: the kernel returns the value alone.
    """
    kind = build.request.kind
    if kind == VALUE:
        # A report without entries would look as if all were proved.
        name = build.request.traced.lowered.name
        raise ValueError(
            f"{name}.value.verify(): the value is no derivative; "
            f"verify {name}.value_and_grad, {name}.jacobian or another derivative"
        )
    is_gradient = kind == VALUE_AND_GRAD
    report = _of_gradient(build) if is_gradient else _of_entries(build)
    if not build.strategy.loops:
        return report
    # The value comes before the derivatives.
    before = 1 if is_gradient else _kept(build.request)
    return report.refute({max(k - before, -1) for k in build.differing()}, UNLIKE)


def _of_gradient(build: Build) -> Report:
    """Check the gradient of one number, adjoint by adjoint."""
    if calls_opaque(build.program):
        value = _program(build, replace(build.request, kind=VALUE))
        entries = _Names(build.request, _signature(build)).gradient()
        return _by_numbers(build, value, entries, 1)
    sources, names = build.request.signature.sources(), build.request.signature.names()
    slots = build.request.slots
    by, called = [sources[slot] for slot in slots], [names[slot] for slot in slots]
    return verify_source(verified_source(build), by, called, progress)


def _of_entries(build: Build) -> Report:
    """Check whatever else is returned, entry by entry."""
    request = build.request
    names = _Names(request, _signature(build))
    first = names.gradient() if request.kind.has_gradient or request.kind.is_second else []
    value = _program(build, replace(request, kind=VALUE, nonzeros=None))
    if not request.kind.is_second:
        entries = first or names.entries()
        report = _compared(build, value, entries, _kept(request))
        return _with_kept(build, value, names, _with_zeros(build, value, names, report))
    kind = weighted(GRAD) if request.kind.of_outputs else GRAD
    gradient = _program(build, replace(request, kind=kind, nonzeros=None))
    entries = names.entries()
    second = _compared(build, gradient, entries, _kept(request))
    if calls_opaque(value):
        function = _function(_text(build, gradient))
        known = verify_numbers(value, function, _base_signature(build, gradient), first)
    else:
        known = verify_entries(_text(build, gradient), _text(build, value), first, 0, progress)
    report = chained(second, entries, dict(enumerate(known.derivatives)))
    return _with_kept(build, value, names, _with_zeros(build, gradient, names, report))


def _with_kept(build: Build, value: Program, names: "_Names", report: Report) -> Report:
    """The report, and what is refuted of the value and the gradient that are returned before."""
    kind = build.request.kind
    if calls_opaque(value) or not kind.differentiates:
        return report
    kept = kinds.of_values(names.outputs) if kind.keeps_value else []
    kept += names.gradient() if kind.has_gradient and kind.is_second else []
    rest = sum(group.size for group in build.request.signature.results) - len(kept)
    source = verified_source(build)
    checked = verify_entries(source, _text(build, value), kept, 0, progress, rest)
    return _with_refuted(report, checked)


def _with_refuted(report: Report, other: Report) -> Report:
    wrong = [x for x in other.derivatives if x.verdict == "refuted"]
    return Report([*report.derivatives, *wrong], report.statements)


def _compared(build: Build, base: Program, entries: Sequence[Entry], start: int) -> Report:
    """Compare what a kernel returns with derivatives of what another program computes."""
    if calls_opaque(base):
        return _by_numbers(build, base, entries, start)
    source = verified_source(build)
    return verify_entries(source, _text(build, base), entries, start, progress)


def _by_numbers(build: Build, base: Program, entries: Sequence[Entry], start: int) -> Report:
    function = verified_function(build)
    return verify_numbers(base, function, build.request.signature.of_one_row(), entries, start)


def _kept(request: Request) -> int:
    """How many numbers are returned before those that are checked."""
    signature, kind = request.signature, request.kind
    before = (*signature.value, *(signature.gradient or ())) if kind.derivative else signature.value
    return sum(group.size for group in before)


def _program(build: Build, request: Request) -> Program:
    """The program of another kernel of the same function."""
    return derive(request, build.strategy.lowered, Stages())


def _signature(build: Build) -> Signature:
    """The signature of the text that is verified."""
    has_data = len(build.program.data) > 0 and "data" in verified_source(build)
    return build.request.signature.of_one_row(len(build.program.data) if has_data else 0)


def _base_signature(build: Build, program: Program) -> Signature:
    """The signature of the text of another program, whose results are numbers side by side."""
    count = len(list(program.flat_outputs))
    groups = tuple(Bundle(f"result{k}", None, k) for k in range(count))
    return replace(_signature(build), value=groups, gradient=None, derivative=None)


def _text(build: Build, program: Program) -> str:
    """The text of another program, with the parameters of the text that is verified."""
    signature = _base_signature(build, program)
    if len(signature.parameters) == len(build.request.signature.parameters):
        program = with_data(program)
    program = replace(program, outputs=tuple(program.flat_outputs))
    return emit(program, signature, BASE, "", len(program) + 1)


def _function(text: str) -> Callable[..., Any]:
    """The function of the text of another program, as CPython runs it."""
    function: Callable[..., Any] = getattr(files.load(text, BASE, False), BASE)
    return function


def _places(request: Request) -> Iterator[tuple[int, int]]:
    rows, columns = request.places
    return zip(rows.tolist(), columns.tolist(), strict=True)


def _with_zeros(build: Build, base: Program, names: "_Names", report: Report) -> Report:
    """The report, and what is refuted of the entries that a sparse kernel says are zero."""
    if build.request.nonzeros is None or calls_opaque(base):
        return report
    outputs = names.called if build.request.kind.is_second else names.outputs
    places = set(_places(build.request))
    if build.request.kind.entries != "full":  # what the other triangle has
        places |= {(column, row) for row, column in places}
    zeros = verify_zeros(_text(build, base), outputs, names.inputs, places, progress)
    return _with_refuted(report, zeros)


class _Names:
    """What the numbers that a kernel takes and returns are called."""

    def __init__(self, request: Request, signature: Signature) -> None:
        self.request = request
        sources, names = signature.sources(), signature.names()
        self.inputs = [sources[slot] for slot in request.slots]
        self.called = [names[slot] for slot in request.slots]
        self.direction = [sources[slot] for slot in request.direction_slots]
        count = request.traced.result.size
        self.outputs = ["value"] if count == 1 else [f"values[{k}]" for k in range(count)]

    def gradient(self) -> list[Entry]:
        """What the gradient claims to be: of one number, or of a weighted sum."""
        if self.request.kind.of_outputs:
            return kinds.of_vjp(self.inputs, self.direction)
        return self._renamed(kinds.of_jacobian(["value"], self.inputs), "d/d{}")

    def entries(self) -> list[Entry]:
        """What the other derivative claims to be."""
        request, inputs = self.request, self.inputs
        match request.kind.derivative:
            case "tangent":
                return kinds.of_jvp(self.outputs, inputs, self.direction)
            case "product":
                return kinds.of_hvp(inputs, self.direction)
            case "diagonal":
                return kinds.of_hessian_diagonal(inputs)
            case "jacobian":
                return kinds.of_jacobian(self.outputs, inputs, _places(request))
            case _:
                return kinds.of_hessian(inputs, _places(request))

    def _renamed(self, entries: Sequence[Entry], form: str) -> list[Entry]:
        pairs = zip(entries, self.called, strict=True)
        return [replace(entry, name=form.format(name)) for entry, name in pairs]


def progress(values: Iterable[str]) -> Iterable[str]:
    """Show a bar while something is verified, where the output is a terminal or a notebook."""
    from tqdm import tqdm  # loads on first use

    # With None there is no bar where the output is no terminal; but a notebook can show one.
    options = {} if "ipykernel" in sys.modules else {"disable": None}
    bar: Iterable[str] = tqdm(list(values), "verify", delay=1, leave=False, **options)
    return bar
