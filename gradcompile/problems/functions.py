"""The functions of a problem, compiled; each has some of the arguments that are fixed."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcompile.api import compile
from gradcompile.compiler.function import CompiledFunction
from gradcompile.graph.nested import Structure

Function = Callable[..., Any]


def taken(function: CompiledFunction, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the fixed arguments that a function has."""
    parameters = function.arguments.signature.parameters
    return {name: x for name, x in fixed.items() if name in parameters}


def compiled_by_vector(
    role: str, function: Any, fixed: Mapping[str, Any], options: Mapping[str, Any]
) -> CompiledFunction:
    """Compile one of the functions by its vector."""
    if not callable(function):
        given = type(function).__name__
        raise TypeError(f"nlp: {role}: expected a function of a vector, got {given}")
    if isinstance(function, CompiledFunction) and function.options.batched:
        raise ValueError(f"nlp: {role}: {function.name} is batched; write the sum over the rows")
    first, *others = inspect.signature(function).parameters.values() or (None,)
    if first is None:
        raise TypeError(f"nlp: {role}: expected a function of a vector, got one of nothing")
    single = [p for p in others if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if missing := [p.name for p in single if p.default is p.empty and p.name not in fixed]:
        raise TypeError(f"nlp: {role}: expected its other arguments {missing} in fixed=")
    is_unnamed = getattr(function, "__name__", "<lambda>") == "<lambda>"
    name = role if is_unnamed else None
    compiled: CompiledFunction = compile(function, wrt=first.name, name=name, **options)
    return compiled


def result_of(
    function: CompiledFunction, args: tuple[Any, ...], fixed: dict[str, Any]
) -> Structure:
    """The structure of what a function returns, which is traced for it."""
    traced = function.arguments.read(args, fixed).traced
    assert traced is not None
    return traced.result


def require_taken(
    functions: Sequence[CompiledFunction], fixed: Mapping[str, Any], reserved: Sequence[str]
) -> None:
    """Raise an error if something is fixed that is no argument, or whose name is taken."""
    parameters = [list(function.arguments.signature.parameters) for function in functions]
    taken = {*reserved, *(first for first, *_ in parameters)}
    others = [name for _, *names in parameters for name in names]
    for name in fixed:
        if name in taken:
            raise ValueError(f"nlp: fixed: {name!r} is an argument of the Lagrangian already")
        if name not in others:
            raise ValueError(f"nlp: fixed: {name!r} is no argument of objective or constraints")
