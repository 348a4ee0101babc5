"""Programs to sympy expressions: their operations, applied to symbols."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.function import CompiledFunction
from gradcompile.compiler.kernel import Kernel
from gradcompile.compiler.methods import unbound
from gradcompile.compiler.sparse import SparseKernel
from gradcompile.graph.nested import NUMBER, Structure, flatten, unflatten
from gradcompile.graph.trace import Traced, trace_graph
from gradcompile.graph.value import Value
from gradcompile.ir.program import Const, Operand, Program, Var
from gradcompile.ops.op import Op
from gradcompile.symbolic.words import (
    WRITTEN,
    Expression,
    asking,
    evaluated,
    explicit,
    number,
    table_of,
)
from gradcompile.verify.symbols import symbol

MAX_EVALUATED = 100
"""Of more operations sympy is not asked to simplify each: it looks through all below it."""


def write(target: Any, symbols: tuple[Any, ...]) -> Any:
    """Write a compiled function, a kernel, a Value or a program; see `gradcompile.to_sympy`."""
    with asking("to_sympy"):
        if isinstance(target, CompiledFunction):
            function, args = unbound(target, symbols)
            traced, inputs = _called(function.arguments, args)
            return _expressions(traced.program, traced.result, inputs)
        if isinstance(target, SparseKernel):
            raise TypeError(f"to_sympy: {target!r} gives matrices of scipy; write its .values")
        if isinstance(target, Kernel):
            traced, inputs = _called(target.arguments, symbols)
            return _expressions(*target.derived(traced), inputs)
        if isinstance(target, Value):
            traced = trace_graph(target, None, target.label or "f")
            return _expressions(traced.program, traced.result, symbols)
        if isinstance(target, Program):
            return _expressions(target, _structure(target), symbols)
    kind = type(target).__name__
    raise TypeError(
        "to_sympy: expected a compiled function, a kernel, a Value or a Program, "
        f"got {kind} {target!r:.60}"
    )


def _called(arguments: Arguments, symbols: tuple[Any, ...]) -> tuple[Traced, list[Any]]:
    """Find the program for arguments of expressions, and what stands for its inputs, if given."""
    if arguments.options.batched:
        raise TypeError(f"to_sympy: {arguments.name} is batched; write the function of one row")
    if not symbols:
        return arguments.latest(), []
    args = tuple(map(explicit, symbols))
    traced = arguments.read(tuple(map(_as_numbers, args)), {}).traced
    assert traced is not None
    bound = arguments.parameters.bind(args, {}).arguments
    leaves = chain.from_iterable([flatten(bound[name], _is_leaf)[0] for name in traced.arguments])
    return traced, [x if isinstance(x, Expression) else number(x) for x in leaves]


def _is_leaf(node: Any) -> bool:
    return isinstance(node, Expression)


def _as_numbers(argument: Any) -> Any:
    """The argument with numbers in the place of expressions; what holds none stays as it is."""
    try:
        leaves, structure = flatten(argument, _is_leaf)
    except TypeError:
        return argument
    return unflatten(structure, [1.0] * len(leaves)) if any(map(_is_leaf, leaves)) else argument


def _structure(program: Program) -> Structure:
    """The structure of what a program returns: a number, or a list for each array."""
    parts = [
        Structure(list, (), (NUMBER,) * len(output)) if isinstance(output, tuple) else NUMBER
        for output in program.outputs
    ]
    return parts[0] if len(parts) == 1 else Structure(tuple, (), tuple(parts))


def _expressions(program: Program, result: Structure, inputs: Iterable[Any]) -> Any:
    """Write what a program computes of its inputs; they are real symbols if none are given."""
    given = list(inputs) or [symbol(var.name) for var in program.inputs[: program.given]]
    if len(given) != program.given:
        raise ValueError(
            f"to_sympy: {program.name} has {program.given} inputs, got {len(given)} symbols"
        )
    known: dict[Var, Any] = dict(
        zip(program.inputs, chain(given, map(number, program.data)), strict=True)
    )

    def read(operand: Operand) -> Any:
        return number(operand.value) if isinstance(operand, Const) else known[operand]

    with evaluated(len(program) <= MAX_EVALUATED):
        for made, op, operands, _ in program.instructions:
            known[made] = _applied(op, list(map(read, operands)))
    return unflatten(result, list(map(read, program.flat_outputs)), table_of)


def _applied(op: Op, operands: Sequence[Any]) -> Any:
    try:
        # A condition is a number where it is not tested.
        return WRITTEN["float64"](WRITTEN[op.name](*operands))
    except (ArithmeticError, TypeError, ValueError) as error:
        given = ", ".join(f"{x!s:.40}" for x in operands)
        raise ValueError(f"to_sympy: sympy refuses {op.name}({given}): {error}") from None
