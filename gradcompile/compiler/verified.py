"""The text that verification reads: without loops, and of one row."""

from collections.abc import Callable
from typing import Any

from gradcompile.compiler.build import Build
from gradcompile.emit.straight import emit
from gradcompile.ops.unwritten import UNWRITTEN
from gradcompile.passes.capture import with_data
from gradcompile.support import files


def verified_source(build: Build) -> str:
    """Write the text without loops.

    A rule of the user's and its function belong together for the constants that they have, and for
    no others: there, captured data are numbers in the text.
    """
    request = build.request
    if not build.strategy.loops:
        return build.source
    operations = request.traced.lowered.instructions.operations
    if not any(op.name in UNWRITTEN for op in operations):
        return build.straight_source
    program = with_data(build.program)
    signature = request.signature.of_one_row()
    return emit(program, signature, request.function_name, request.summary, len(program) + 1)


def verified_function(build: Build) -> Callable[..., Any]:
    """Load the function of that text, as CPython runs it."""
    name = build.request.function_name
    function: Callable[..., Any] = getattr(files.load(verified_source(build), name, False), name)
    return function
