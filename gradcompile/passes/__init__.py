"""The passes: pure functions Program → Program, and the order they run in."""

from collections.abc import Callable

from gradcompile.ir import Program
from gradcompile.passes.cse import cse
from gradcompile.passes.dce import dce
from gradcompile.passes.fold import fold
from gradcompile.passes.simplify import simplify

Pass = Callable[[Program], Program]

PIPELINE: tuple[tuple[Pass, str], ...] = (
    (fold, "numbers first, so that the rules of simplify see plain constants"),
    (simplify, "before cse: equal things look equal only in their simplest form"),
    (cse, "after simplify, which brings together what the two sweeps both compute"),
    (simplify, "again: some rules need equal operands to be one value"),
    (dce, "last: what the others replaced is no longer read"),
)
"""The passes in their order, each with the reason for its place."""

Check = Callable[[Program], Program]


def run_passes(program: Program, check: Check | None = None) -> Program:
    """`program` after every pass of the pipeline; `check` sees the result of each."""
    for transform, _ in PIPELINE:
        program = transform(program)
        if check is not None:
            check(program)
    return program


__all__ = ["PIPELINE", "Pass", "cse", "dce", "fold", "run_passes", "simplify"]
