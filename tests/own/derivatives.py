"""Derivatives of any order, by reverse mode over and over."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gradcompile.autodiff.reverse import reverse
from gradcompile.ir.interpret import interpret
from gradcompile.passes import erase, run_passes
from tests.helpers.lowering import program_of


def derivatives(function: Callable[..., Any], at: float, orders: int) -> list[float]:
    """The first derivatives of a function of one number, as many as asked for."""
    program = run_passes(program_of(function, "x"))
    found: list[Any] = []
    for _ in range(orders):
        program = run_passes(reverse(program, [0], keep_value=False))
        program = replace(program, outputs=tuple(program.flat_outputs))
        found += interpret(erase(program), [at])
    return found
