"""Program → readable Python source, the one text that is printed, debugged, compiled and verified.

Statements are built as syntax trees and printed by `ast.unparse`, so nothing is parenthesised
wrongly. A value that is read once and has no name is written into the statement that reads it,
as long as that line can still be followed; everything else is assigned once, under its label or a
number. Each adjoint statement says which forward statement it differentiates. Long text is cut
into several functions; `emit/straight_functions.py` arranges them.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeGuard

from gradcompile.emit.expressions import instantiate, may_be_python_float
from gradcompile.emit.layout import INPUTS, emitted_names, module_text
from gradcompile.emit.parts import KEPT, LIMIT
from gradcompile.emit.straight_functions import (
    Statement,
    StraightCode,
    straight_functions,
)
from gradcompile.emit.trees import call, element, float_tree, integer
from gradcompile.ir.program import Const, Instruction, Operand, Output, Program, Var
from gradcompile.support.names import Names

MAX_WIDTH = 72
"""The widest expression, in characters, that one statement is built up to."""

MAX_DEPTH = 5
"""How many operations may nest in one statement."""

MAX_LISTED = 16
"""The longest array that is returned as a list of names; a longer one is filled as it is made."""


def emit(
    program: Program,
    function: str,
    summary: str = "",
    array: str = "gradient",
    limit: int = LIMIT,
) -> str:
    """Write the source of a module with a function that computes `program`.

    Args:
        program: what to compute.
        function: the function's name; it takes one flat float64 array, `inputs`, and returns the
            program's outputs: floats, and flat arrays for tuples.
        summary: a comment for the first line.
        array: the name of an array that is too long to be returned as a list of names.
        limit: the most statements of one function; the function calls its parts if it has more.
    """
    code = _Emitter(program, function, array).code()
    return module_text(straight_functions(code, limit), summary)


@dataclass
class _Expression:
    """A syntax tree with what is needed to decide whether it may grow."""

    tree: ast.expr
    width: int
    depth: int = 0
    origins: tuple[Var, ...] = ()
    reads: tuple[Var, ...] = ()


@dataclass
class _Emitter:
    program: Program
    function: str
    array: str
    names: dict[Var, str] = field(default_factory=dict)
    pending: dict[Var, _Expression] = field(default_factory=dict)
    home: dict[Var, Var] = field(default_factory=dict)
    forward: set[Var] = field(default_factory=set)
    statements: list[Statement] = field(default_factory=list)
    plain: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.namer = Names(emitted_names() | {INPUTS, KEPT, self.array})
        self.namer.fresh(self.function)
        self.reads = _count_reads(self.program)
        self.slots = _slots(self.program)
        # What several statements of the reverse sweep hand on deserves a name in the forward one.
        self.shared = {
            result.primal for result, *_ in self.program.instructions if self.reads[result] > 1
        }
        self.outputs = {x for x in self.program.flat_outputs if isinstance(x, Var)}
        for var in self.program.inputs:
            self.names[var] = self.namer.fresh(var.name, "x")

    def code(self) -> StraightCode:
        for instruction in self.program.instructions:
            self._instruction(instruction)
        inputs = [self.names[var] for var in self.program.inputs]
        fills, results = self._results()
        sizes = dict((self.array, len(x)) for x in self.program.outputs if _is_long(x))  # noqa: C402
        fresh = self.namer.fresh
        return StraightCode(self.function, inputs, self.statements, fills, sizes, results, fresh)

    # --- statements ----------------------------------------------------------------------------

    def _instruction(self, instruction: Instruction) -> None:
        expression = self._expression(instruction)
        result = instruction.result
        if self._may_inline(instruction):
            self.pending[result] = expression
        else:
            self._assign(result, expression, instruction.origin is not None)

    def _expression(self, instruction: Instruction) -> _Expression:
        _, op, operands, origin = instruction
        while True:
            parts = [self._operand(operand) for operand in operands]
            width = len(op.expression) + sum(part.width for part in parts)
            depth = max(part.depth + (not _joins(op.name, part.tree)) for part in parts)
            inlined = [
                (p.width, x) for p, x in zip(parts, operands, strict=True) if x in self.pending
            ]
            if not inlined or (width <= MAX_WIDTH and depth <= MAX_DEPTH):
                break
            self._settle(max(inlined, key=lambda pair: pair[0])[1])
        trees = dict(zip(op.operand_names, (part.tree for part in parts), strict=True))
        tree = instantiate(op.template, trees, self.plain)
        origins = (() if origin is None else (origin,)) + tuple(o for p in parts for o in p.origins)
        if op.name in ("add", "sub"):
            origins += tuple(x.primal for x in operands if isinstance(x, Var) and x.primal)
        inner = tuple(x for x in operands if x in self.pending and isinstance(x, Var))
        reads = inner + tuple(v for p in parts for v in p.reads)
        return _Expression(tree, width, depth, origins, reads)

    def _operand(self, operand: Operand) -> _Expression:
        if isinstance(operand, Const):
            tree = float_tree(operand.value)
            return _Expression(tree, len(ast.unparse(tree)))
        if operand in self.pending:
            return self.pending[operand]
        name = self.names[operand]
        return _Expression(ast.Name(name), len(name))

    def _settle(self, operand: Operand) -> None:
        """Give a pending value a statement of its own: the line it was to go into is full."""
        assert isinstance(operand, Var)
        expression = self.pending.pop(operand)
        self._assign(operand, expression, bool(expression.origins))

    def _may_inline(self, instruction: Instruction) -> bool:
        result = instruction.result
        if result.full_name or self.reads[result] != 1 or result in self.outputs:
            return False
        if result.primal is not None:
            return result.primal not in self.names
        return result not in self.shared

    def _assign(self, var: Var, expression: _Expression, reverse: bool) -> None:
        name = self._name(var)
        for inner in expression.reads:
            self.home[inner] = var
        if not reverse:
            self.forward.add(var)
        if may_be_python_float(expression.tree, self.plain):
            self.plain.add(name)
        differentiated = self._differentiated(expression.origins) if reverse else ()
        entries = (element(self.array, self.slots[var]),) if var in self.slots else ()
        statement = Statement(name, expression.tree, reverse, differentiated, entries)
        self.statements.append(statement)

    def _name(self, var: Var) -> str:
        label = var.full_name
        if var.primal in self.names:
            label = f"{self.names[var.primal].rstrip('_')}_bar"
        if not label and var in self.outputs and var.primal is None:
            label = "value"
        self.names[var] = self.namer.fresh(label)
        return self.names[var]

    def _differentiated(self, origins: Iterable[Var]) -> tuple[str, ...]:
        """Name the forward statements that an adjoint statement differentiates."""
        homes = dict.fromkeys(self.home.get(origin, origin) for origin in origins)
        return tuple(self.names[home] for home in homes if home in self.forward)

    # --- what is returned ------------------------------------------------------------------------

    def _results(self) -> tuple[list[Statement], list[ast.expr]]:
        """Find what fills the rest of a long array, and the expressions that are returned."""
        fills: list[Statement] = []
        results: list[ast.expr] = []
        for output in self.program.outputs:
            if not isinstance(output, tuple):
                results.append(self._operand(output).tree)
            elif _is_long(output):
                fills.extend(self._fills(output))
                results.append(ast.Name(self.array))
            else:
                items = ast.List([self._operand(operand).tree for operand in output])
                results.append(call("array", items) if output else call("empty", integer(0)))
        return fills, results

    def _fills(self, output: tuple[Operand, ...]) -> Iterator[Statement]:
        for index, operand in enumerate(output):
            if self.slots.get(operand) != index:
                tree = self._operand(operand).tree
                yield Statement("", tree, entries=(element(self.array, index),))


def _is_long(output: Output) -> TypeGuard[tuple[Operand, ...]]:
    """Is the output an array that is filled as its entries are made?"""
    return isinstance(output, tuple) and len(output) > MAX_LISTED


def _count_reads(program: Program) -> Counter[Operand]:
    """Count how often the text would read each value if every other were inlined."""
    reads: Counter[Operand] = Counter()
    for _, op, operands, _ in program.instructions:
        for operand, repeated in zip(operands, op.repeats, strict=True):
            reads[operand] += 1 + repeated
    return reads


def _slots(program: Program) -> dict[Operand, int]:
    """Find the first entry of a long array that each value goes into, if there is one."""
    slots: dict[Operand, int] = {}
    assigned = {instruction.result for instruction in program.instructions}
    for output in program.outputs:
        if _is_long(output):
            for index, operand in enumerate(output):
                if operand in assigned:
                    slots.setdefault(operand, index)
    return slots


def _joins(op: str, tree: ast.expr) -> bool:
    """Does an operand continue a sum or a product, so that it reads no deeper?"""
    if not isinstance(tree, ast.BinOp):
        return False
    sums, products = (ast.Add, ast.Sub), (ast.Mult, ast.Div)
    return isinstance(tree.op, sums if op in ("add", "sub") else products if op == "mul" else ())
