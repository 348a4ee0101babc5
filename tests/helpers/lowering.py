"""Programs of functions of Values, as lowering leaves them."""

from collections.abc import Callable
from typing import Any

from gradcompile import Value
from gradcompile.graph.lower import lower
from gradcompile.ir.packed import PackedProgram
from gradcompile.ir.program import Program


def program_of(function: Callable[..., Any], *names: str) -> Program:
    """The program of a function of so many Values, called `f`."""
    inputs = [Value(1.0, name) for name in names]
    return lower([function(*inputs)], inputs, list(names), "f").program


def packed_program_of(function: Callable[..., Any], count: int = 2) -> PackedProgram:
    """The packed program of a function of so many Values, x0, x1 and so on."""
    inputs = [Value(1.0) for _ in range(count)]
    return lower([function(*inputs)], inputs, [f"x{k}" for k in range(count)], "f")
