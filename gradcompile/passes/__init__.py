"""The passes: pure functions Program → Program, and the order they run in.

capture.py   constants that are data become inputs
fold.py      constant folding
rules.py     the rules of simplify, as data
match.py     tells which rules an instruction matches
simplify.py  applies the rules wherever they match
cse.py       common subexpressions
dce.py       dead code
erase.py     what only differentiation has to know, taken away before emission
rewrite.py   what the rewriting passes share
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from gradcompile.ir.program import Program
from gradcompile.passes.cse import cse
from gradcompile.passes.dce import dce
from gradcompile.passes.erase import erase
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

Timed = Callable[[str], AbstractContextManager[None]]


def _untimed(_: str) -> AbstractContextManager[None]:
    return nullcontext()


def run_passes(program: Program, check: Check | None = None, timed: Timed = _untimed) -> Program:
    """Run every pass of the pipeline on `program`.

    Args:
        program: is left as it is.
        check: sees the result of each pass.
        timed: given the name of a pass, a context to run it in.
    """
    left: dict[Pass, Program] = {}
    for transform, _ in PIPELINE:
        if left.get(transform) is not program:  # a pass has nothing to do in what it left
            with timed(transform.__name__):
                program = transform(program)
            left[transform] = program
        if check is not None:
            check(program)
    return replace(program, settled=len(program))


__all__ = ["PIPELINE", "Pass", "cse", "dce", "erase", "fold", "run_passes", "simplify"]
