"""Program → readable Python source, the one text that is printed, debugged, compiled and verified.

Statements are built as syntax trees and printed by `ast.unparse`, so nothing is parenthesised
wrongly. A value that is read once and has no name is written into the statement that reads it,
as long as that line can still be followed; everything else is assigned once, under its label or a
number. Each adjoint statement says which forward statement it differentiates. Long text is cut
into several functions; `emit/straight_functions.py` arranges them.
"""

import ast
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gradcompile.emit.derivations import contributors
from gradcompile.emit.expressions import as_condition, instantiate, may_be_python_float
from gradcompile.emit.layout import emitted_names, module_text, opaque_names
from gradcompile.emit.parts import KEPT, LIMIT
from gradcompile.emit.statements import Statement
from gradcompile.emit.straight_functions import StraightCode, straight_functions
from gradcompile.emit.straight_results import fills, results_of, returned_tree
from gradcompile.emit.trees import element, float_tree
from gradcompile.ir.program import ADJOINT, Const, Instruction, Operand, Program, Var
from gradcompile.ir.signature import Bundle, Signature, adjoint_name
from gradcompile.ir.sweeps import REVERSE_SWEEP, sweeps_of
from gradcompile.ops.op import CONDITIONS
from gradcompile.support.names import Names, identifier

MAX_WIDTH = 72
"""The widest expression, in characters, that one statement is built up to."""

MAX_DEPTH = 5
"""How many operations may nest in one statement."""


def emit(
    program: Program, signature: Signature, function: str, summary: str = "", limit: int = LIMIT
) -> str:
    """Write the source of a module with a function that computes `program`.

    Args:
        program: what to compute; it has an output for each group of results.
        signature: what the function takes and returns.
        function: the function's name.
        summary: what the function does, for its docstring.
        limit: the most statements of one function; the function calls its parts if it has more.
    """
    code = _Emitter(program, signature, function).code(summary)
    own = opaque_names(x.op for x in program.instructions)
    return module_text(straight_functions(code, limit), own=own)


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
    signature: Signature
    function: str
    names: dict[Var, str] = field(default_factory=dict)
    elements: dict[Var, ast.expr] = field(default_factory=dict)
    sources: dict[str, ast.expr] = field(default_factory=dict)
    pending: dict[Var, _Expression] = field(default_factory=dict)
    home: dict[Var, Var] = field(default_factory=dict)
    assigned: set[Var] = field(default_factory=set)
    statements: list[Statement] = field(default_factory=list)
    plain: set[str] = field(default_factory=set)
    conditions: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.namer = _namer(self.program, self.signature)
        self.namer.fresh(self.function)
        self.reads = _count_reads(self.program)
        self.results = results_of(self.program, self.signature)
        # What several statements of the reverse sweep hand on deserves a name in the forward one.
        self.shared = {
            result.primal for result, *_ in self.program.instructions if self.reads[result] > 1
        }
        self.sweep_of = sweeps_of((x.result, x.origin) for x in self.program.instructions)
        self.outputs = {x for x in self.program.flat_outputs if isinstance(x, Var)}
        self.returned_as = _single_results(self.program, self.signature)
        self.tested = _tested(self.program, self.outputs)
        self.reader = _single_readers(self.program)
        self.contributors = contributors(self.program, bool(self.signature.value))
        for group in self.signature.parameters:
            for var, name, tree, is_loaded in _inputs_of(group, self.program, self.namer):
                self.names[var] = name
                if is_loaded:
                    self.sources[name] = tree
                elif group.shape is not None:
                    self.elements[var] = tree

    def code(self, summary: str) -> StraightCode:
        for instruction in self.program.instructions:
            self._instruction(instruction)
        trees = {operand: self._operand(operand).tree for operand in self.program.flat_outputs}
        return StraightCode(
            self.function,
            tuple(group.name for group in self.signature.parameters),
            self.sources,
            self.statements,
            list(fills(self.results, trees)),
            {result.group.name: result.group.shape or () for result in self.results.filled},
            {result.group.name for result in self.results.filled if result.starts_with_zeros},
            returned_tree(self.signature, self.results, trees),
            self.namer.fresh,
            _seed(self.program, self.signature, self.names),
            summary,
        )

    # --- statements ----------------------------------------------------------------------------

    def _instruction(self, instruction: Instruction) -> None:
        expression = self._expression(instruction)
        result = instruction.result
        if self._may_inline(instruction):
            self.pending[result] = expression
        else:
            self._assign(result, expression)

    def _expression(self, instruction: Instruction) -> _Expression:
        result, op, operands, origin = instruction
        while True:
            parts = [self._operand(operand) for operand in operands]
            width = len(op.expression) + sum(part.width for part in parts)
            depth = max(part.depth + (not _joins(op.name, part.tree)) for part in parts)
            inlined = [
                (part.width, x)
                for part, x in zip(parts, operands, strict=True)
                if isinstance(x, Var) and x in self.pending
            ]
            if not inlined or (width <= MAX_WIDTH and depth <= MAX_DEPTH):
                break
            # The line it was to go into is full.
            full = max(inlined, key=lambda pair: pair[0])[1]
            self._assign(full, self.pending.pop(full))
        trees = dict(zip(op.operand_names, (part.tree for part in parts), strict=True))
        tree = instantiate(op.template, trees, self.plain, self.conditions)
        origins = (() if origin is None else (origin,)) + tuple(o for p in parts for o in p.origins)
        if op.name in ("add", "sub") and self.sweep_of[result].title == REVERSE_SWEEP:
            origins += tuple(x.primal for x in operands if isinstance(x, Var) and x.primal)
        reads = tuple(x for _, x in inlined) + tuple(v for p in parts for v in p.reads)
        return _Expression(tree, width, depth, origins, reads)

    def _operand(self, operand: Operand) -> _Expression:
        if isinstance(operand, Const):
            tree = float_tree(operand.value)
            return _Expression(tree, len(ast.unparse(tree)))
        if operand in self.pending:
            return self.pending[operand]
        name = self.names[operand]
        return _Expression(self.elements.get(operand, ast.Name(name)), len(name))

    def _may_inline(self, instruction: Instruction) -> bool:
        result = instruction.result
        if result.full_name or self.reads[result] != 1 or result in self.outputs:
            return False
        bound, reader = self.program.bound.get(result), self.reader.get(result)
        if bound and (reader is None or self.program.bound.get(reader) != bound):
            return False  # but `total = total + x` may go on
        primal = result.primal
        return result not in self.shared if primal is None else primal not in self.names

    def _assign(self, var: Var, expression: _Expression) -> None:
        for inner in expression.reads:
            self.home[inner] = var
        sweep = self.sweep_of[var]
        differentiated = self._differentiated(var, expression.origins)
        entry = self.results.entries.get(var)
        name = ""
        if entry is not None and var.primal in self.elements:
            # The adjoint of an element of an array is an element, and has no name beside that.
            self.names[var], self.elements[var] = ast.unparse(entry), entry
        else:
            name = self._name(var)
        self.assigned.add(var)
        tree = as_condition(expression.tree) if var in self.tested else expression.tree
        if tree is not expression.tree:
            self.conditions.add(name)
        if may_be_python_float(tree, self.plain):
            self.plain.add(name)
        entries = (entry,) if entry is not None else ()
        primal = self.names.get(var.primal, "") if var.primal is not None else ""
        self.statements.append(Statement(name, tree, sweep, differentiated, entries, primal))

    def _name(self, var: Var) -> str:
        label = var.full_name or (var.primal is None and self.program.bound.get(var)) or ""
        if var.primal in self.names:
            is_element = var.primal in self.elements
            label = _derivative_label(
                self.names[var.primal], var.suffix, is_element, self.namer.taken
            )
        if not label:
            label = self.returned_as.get(var, "")
        self.names[var] = self.namer.fresh(label)
        return self.names[var]

    def _differentiated(self, var: Var, origins: Iterable[Var]) -> tuple[str, ...]:
        """Name the forward statements that a derivative's statement differentiates."""
        if var.primal in self.names and var.suffix == ADJOINT:
            origins = self.contributors.get(var.primal, origins)
        homes = dict.fromkeys(self.home.get(origin, origin) for origin in origins)
        earlier = (x for x in homes if x in self.assigned and self.sweep_of[x] < self.sweep_of[var])
        # An element of an array that is returned has no name.
        return tuple(name for name in map(self.names.__getitem__, earlier) if name.isidentifier())


def _namer(program: Program, signature: Signature) -> Names:
    """Make what gives out names that mean nothing else in the text."""
    taken = emitted_names(x.op for x in program.instructions) | {KEPT}
    namer = Names(taken, _identifiers(program, signature))
    results = [group for group in signature.results if group.shape is not None]
    namer.taken |= {group.name for group in (*signature.parameters, *results)}
    return namer


def _derivative_label(name: str, suffix: str, is_element: bool, taken: Container[str]) -> str:
    """Call the derivative of `x[1]` as that of `x_1` would be, unless there is such a name."""
    if is_element and (joined := identifier(name)) not in taken:
        return adjoint_name(joined, suffix)
    return adjoint_name(name, suffix)


def _single_results(program: Program, signature: Signature) -> dict[Operand, str]:
    """Find what the numbers that are returned are called: each by the first result that it is."""
    pairs = zip(signature.results, program.outputs, strict=True)
    found: dict[Operand, str] = {}
    for group, output in pairs:
        if not isinstance(output, tuple):
            found.setdefault(output, group.name)
    return found


def _seed(program: Program, signature: Signature, names: Mapping[Var, str]) -> str:
    """What the reverse sweep begins with: the adjoint of the value; "" for several values."""
    if len(signature.value) > 1:
        return ""
    output = program.outputs[0] if signature.value else None
    value = names.get(output, "value") if isinstance(output, Var) else "value"
    seed = f"{value}{ADJOINT}"
    return seed if seed in (group.name for group in signature.parameters) else f"{seed} = 1.0"


def _identifiers(program: Program, signature: Signature) -> frozenset[str]:
    """List what values would be called by the user's names alone."""
    labels = {label for group in signature.parameters for label in group.labels}
    labels.update(program.bound.values(), (x.result.name for x in program.instructions))
    return frozenset(map(identifier, labels))


def _inputs_of(
    group: Bundle, program: Program, namer: Names
) -> Iterator[tuple[Var, str, ast.expr, bool]]:
    """Each input of a parameter: its name, its expression, and whether it is read into its name."""
    for number, var in enumerate(program.inputs[group.start : group.stop]):
        if group.shape is None:
            yield var, group.name, ast.Name(group.name), False
            continue
        tree = element(group.name, *group.element(number))
        label = group.labels[number] if group.labels else ""
        yield var, namer.fresh(label, "x") if label else ast.unparse(tree), tree, bool(label)


def _count_reads(program: Program) -> Counter[Operand]:
    """Count how often the text would read each value if every other were inlined."""
    reads: Counter[Operand] = Counter()
    for _, op, operands, _ in program.instructions:
        for operand, repeated in zip(operands, op.repeats, strict=True):
            reads[operand] += 1 + repeated
    return reads


def _tested(program: Program, outputs: Container[Var]) -> set[Var]:
    """Find the values that are conditions and nothing else."""
    tested: set[Operand] = set()
    read: set[Operand] = set()
    for _, op, operands, _ in program.instructions:
        for operand, name in zip(operands, op.operand_names, strict=True):
            (tested if name in CONDITIONS else read).add(operand)
    return {x for x in tested - read if isinstance(x, Var) and x not in outputs}


def _single_readers(program: Program) -> dict[Operand, Var]:
    """Find for values that are read the last operation that reads them."""
    return {operand: x.result for x in program.instructions for operand in x.operands}


def _joins(op: str, tree: ast.expr) -> bool:
    """Does an operand continue a sum or a product, so that it reads no deeper?"""
    if not isinstance(tree, ast.BinOp):
        return False
    sums, products = (ast.Add, ast.Sub), (ast.Mult, ast.Div)
    return isinstance(tree.op, sums if op in ("add", "sub") else products if op == "mul" else ())
