"""Loop nests → readable Python source; what `emit/straight.py` does for straight-line programs.

Each nest stands under the formula that it computes. Arrays are named after the labels of what they
hold, or else after the operation that makes them; indices after the length of their loops, so that
one letter means the same all through the text.
"""

import ast
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from gradcompile.emit.expressions import instantiate, may_be_python_float
from gradcompile.emit.layout import function_text, imports, names_in
from gradcompile.emit.product_calls import START, WIDTH, Calls, is_exact
from gradcompile.emit.straight import emitted_names, number
from gradcompile.ir.nests import (
    BLOCK_ROUNDS,
    BLOCK_ROWS,
    COUNT,
    Apply,
    Array,
    Assign,
    Expression,
    Formula,
    Index,
    Loop,
    Nest,
    Place,
    Rolled,
    RowExtent,
    Step,
    Subscript,
    assignments,
    loops,
    places,
)
from gradcompile.ir.program import Const
from gradcompile.loops.memory import arranged
from gradcompile.ops import table
from gradcompile.ops.op import Op
from gradcompile.support.names import Names, identifier

LETTERS = "ijklmnpqrtuvwxyz"
"""What indices are called."""

WHOLE = 150
"""The most lines of nests in one function."""

PART = 80
"""About as many lines has each function where one is not enough."""

WIDE = 80
"""The widest comment."""

WIDEST = 72
"""The widest sum on one line, inside of its loops; a wider one has a line for each term."""

VECTOR = 16
"""From so many rounds on a loop is worth vector code of its functions."""

KEPT = "kept"
"""The array of the numbers that pass from one function to another."""

BLOCK_OF_ROWS = "block"
"""The array of all that is computed for the rows of a block."""

Written = tuple[Nest, list[str]]
"""A nest and its lines."""


def emit_nests(
    rolled: Rolled,
    function: str,
    summary: str = "",
    array: str = "gradient",
    *,
    mean: bool = False,
) -> str:
    """The source of a module with one function that computes `rolled`.

    Args:
        rolled: what to compute.
        function: the function's name; it takes the flat float64 array `inputs`, for a batch the
            tuple `batches` of matrices with a row of data in each row, and, where there are any,
            the array `data` and the integers `tables`.
        summary: a comment for the first line.
        array: the name of an array that is returned.
        mean: for a batch, divide what is summed up by the number of rows.
    """
    return _Emitter(rolled, function, array, mean).module(summary)


@dataclass
class _Emitter:
    """The text of one module.

    Attributes:
        names: of arrays.
        letters: of indices.
        plain: the variables that hold numbers, which need no parentheses or conversion.
        primals: for arrays of adjoints, what they are the adjoints of.
        kept: for numbers that pass from one function to another, their places in `kept`.
        shared: the arrays that do.
    """

    rolled: Rolled
    function: str
    array: str
    mean: bool
    names: dict[Array, str] = field(default_factory=dict)
    letters: dict[Index, str] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    primals: dict[Array, Array | None] = field(default_factory=dict)
    kept: dict[Array, int] = field(default_factory=dict)
    shared: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = {"inputs", "data", "tables", KEPT}
        if self.rolled.rows:
            own |= {"rows", "n", WIDTH, START, "batches", "count", BLOCK_OF_ROWS}
        self.namer = Names(emitted_names() | own)
        self.namer.fresh(self.function)
        self.calls = Calls(self.names, self._subscript)
        self.nests = sorted(self.rolled.nests, key=lambda nest: nest.reverse)
        self.results = [x for x in self.rolled.outputs if isinstance(x, Array)]
        for result in self.results:
            self.names[result] = self.namer.fresh(result.label or self.array)
        self.used = [x for x in dict.fromkeys(_arrays(self.rolled.nests)) if x is not COUNT]
        self._name_arrays()
        self._name_indices()

    def module(self, summary: str) -> str:
        parts = _cut([(nest, list(self._nest(nest))) for nest in self.nests])
        functions = self._split(parts) if len(parts) > 1 else [self._whole(parts[0])]
        text = "\n\n\n".join(functions)
        head = f"# {summary}\n" if summary else ""
        in_loops = set() if self.rolled.strict else set(_vector_names(self.nests))
        return f"{head}{imports(names_in([ast.parse(text)]), in_loops)}{text}\n"

    def _whole(self, part: Sequence[Written]) -> str:
        arrays = self._arrays_of(part)
        return self._main(self._allocations(arrays), arrays, list(_sweeps(part)))

    def _main(self, allocations: Sequence[str], arrays: Sequence[Array], lines: list[str]) -> str:
        """The function itself: what it allocates, what it reads and writes, what it computes."""
        allocations = [*map(self._allocation, self.results), *allocations]
        if self.rolled.rows:
            body = list(self._blocks(allocations, arrays, lines))
        else:
            body = [*allocations, *self._views(arrays), *lines]
        outputs = ", ".join(map(self._output, self.rolled.outputs))
        return function_text(self.function, self._arguments(), [*body, f"return {outputs}"])

    def _blocks(
        self, allocations: Sequence[str], arrays: Sequence[Array], lines: list[str]
    ) -> Iterator[str]:
        """The loop over the blocks of a batch."""
        yield "count = batches[0].shape[0]"
        totals = [x.array for x in self.rolled.outputs if isinstance(x, Place)]
        yield from (f"{self.names[array]} = 0.0" for array in totals if array not in self.kept)
        yield from allocations
        yield from self._views([array for array in arrays if array.space != "rows"])
        yield f"for {START} in range(0, count, {int(BLOCK_ROWS)}):"
        own = self._views([array for array in arrays if array.space == "rows"])
        yield f"    n = min({int(BLOCK_ROWS)}, count - {START})"
        yield f"    rows = columns(batches, {START}, n)"
        yield from (f"    {line}" for line in self._with_width([*own, *lines]))
        if self.mean:
            scale = "/= count" if self.rolled.strict else "*= 1.0 / count"
            yield from (f"{self.names[array]} {scale}" for array in self.results)

    def _with_width(self, body: list[str]) -> list[str]:
        needed = bool(self.rolled.rows) and uses(WIDTH, body)
        return [f"{WIDTH} = rows.shape[1]", *body] if needed else body

    def _arguments(self) -> list[str]:
        """The names of what the function takes."""
        rolled = self.rolled
        names = ["inputs", "batches", "data", "tables"]
        there = [True, rolled.rows, rolled.data, len(rolled.tables)]
        return [name for name, given in zip(names, there, strict=True) if given]

    def _arrays_of(self, part: Sequence[Written]) -> list[Array]:
        """What a part reads and writes, in the order in which it is first used."""
        used = set(_arrays([nest for nest, _ in part]))
        return [array for array in self.used if array in used]

    # --- parts ---------------------------------------------------------------------------------

    def _split(self, parts: Sequence[Sequence[Written]]) -> list[str]:
        """A function for each part, and one that calls them.

        What passes from one to another is allocated there: arrays, and `kept` for single numbers.
        """
        users = Counter(a for part in parts for a in set(_arrays([nest for nest, _ in part])))
        returned = {x.array for x in self.rolled.outputs if isinstance(x, Place)}
        passed = [a for a in self.used if not a.space and (users[a] > 1 or a in returned)]
        self.kept = {array: k for k, array in enumerate(a for a in passed if not a.shape)}
        self.shared = [array for array in passed if array.shape]
        own = ["rows", "n", START] if self.rolled.rows else []
        names = [*(x for x in self._arguments() if x != "batches"), *own, KEPT,
                 *(self.names[a] for a in (*self.results, *self.shared))]  # fmt: skip
        functions, calls = [], []
        for place, part in enumerate(parts, 1):
            rewritten = [(nest, list(self._nest(nest))) for nest, _ in part]
            arrays = self._arrays_of(rewritten)
            body = [*self._allocations(arrays), *self._views(arrays), *_sweeps(rewritten)]
            body = self._with_width(body)
            arguments = [name for name in names if uses(name, body)]
            name = self.namer.fresh(f"{self.function}_{place}")
            functions.append(function_text(name, arguments, body))
            calls.append(f"{name}({', '.join(arguments)})")
        allocations = self._made(self.shared)
        if self.kept:
            made = "zeros" if self.rolled.rows else "empty"
            allocations.append(f"{KEPT} = {made}({len(self.kept)})")
        return [*functions, self._main(allocations, [], calls)]

    # --- names ---------------------------------------------------------------------------------

    def _name_arrays(self) -> None:
        # The whole of an argument is named before its parts, and those in their order.
        inputs = [array for array in self.used if array.space in ("inputs", "rows")]
        inputs.sort(key=lambda array: (len(array.shape) != 1, -array.size))
        whole = {array.label: array for array in reversed(inputs) if len(array.shape) == 1}
        inputs.sort(key=lambda array: (array not in whole.values(), array.start))
        self.primals = {
            array: self._differentiated(array, inputs)
            if array.space.startswith("output")
            else array.primal
            for array in self.used
        }
        ranked = [*inputs, *self.used]
        labels = {array: self._label(array) for array in ranked if array not in self.names}
        count, reserved = Counter(labels.values()), emitted_names()
        for array, label in labels.items():
            primal = self.primals.get(array)
            if primal in self.names:
                self.names[array] = self.namer.fresh(f"{self.names[primal]}_bar")
            elif array.space in ("inputs", "rows", "data", "tables") and self._is_flat(array):
                self.names[array] = array.space
            elif array is whole.get(array.label) or (count[label] == 1 and label not in reserved):
                self.names[array] = self.namer.fresh(label)
            else:
                self.names[array] = self.namer.numbered(label)

    def _differentiated(self, array: Array, inputs: Sequence[Array]) -> Array | None:
        """The part of the inputs that a part of the gradient belongs to, if there is one."""
        size = prod(extent for extent in array.shape if not isinstance(extent, RowExtent))
        slots = self.rolled.slots.get(array.space, ())[array.start : array.start + size]
        for primal in inputs:
            start = primal.start + (self.rolled.inputs if primal.space == "rows" else 0)
            if primal.shape == array.shape and slots == (*range(start, start + size),):
                return primal
        return None

    def _label(self, array: Array) -> str:
        primal = self.primals.get(array, array.primal)
        if primal is not None:
            return f"{self._label(primal)}_bar"
        flat = {"": "v", "inputs": "inputs", "rows": "row", "data": "data", "tables": "table"}
        return identifier(array.label) or flat.get(array.space, self.array)

    def _is_flat(self, array: Array) -> bool:
        whole = {"inputs": self.rolled.inputs, "rows": self.rolled.rows}
        return not array.label and array.shape[:1] == (whole.get(array.space),)

    def _name_indices(self) -> None:
        free = [letter for letter in LETTERS if letter not in self.namer.taken]
        extents = Counter[int]()
        for nest in self.rolled.nests:
            extents.update(i.extent for i in _indices(nest.steps) if i.start is None)
        ranked = sorted(extents, key=lambda extent: (-extents[extent] * extent, extent))
        usual = dict(zip(ranked, free, strict=False))
        spare = [*(x for x in free if x not in usual.values()), *(f"{x}2" for x in free)]
        for nest in self.rolled.nests:
            for index, others in _nested(nest.steps).items():
                taken = {self.letters[other] for other in others if other in self.letters}
                letter = spare[0] if index.start else usual.get(index.extent, spare[0])
                if letter in taken:
                    letter = next(x for x in spare if x not in taken)
                self.letters[index] = letter

    # --- declarations --------------------------------------------------------------------------

    def _views(self, arrays: Sequence[Array]) -> list[str]:
        lines = []
        for array in arrays:
            name = self.names[array]
            base = self._base(array)
            if base and name != base:
                lines.append(f"{name} = {self._part(array, base)}")
        return lines

    def _base(self, array: Array) -> str:
        """The name of the flat array that a view is a part of; "" for an array of its own."""
        if array.space.startswith("output"):
            whole = next(x for x in self.results if x.space == array.space)
            return self.names[whole] if array is not whole else ""
        return array.space

    def _part(self, array: Array, base: str) -> str:
        shape = array.shape[:-1] if array.has_rows else array.shape
        if not shape:
            return f"{base}[{array.start}]"
        part = f"{base}[{array.start}:{array.start + prod(shape)}]"
        if len(shape) == 1:
            return part
        extents = [*map(str, shape), *(["-1"] if array.has_rows else [])]
        return f"{part}.reshape(({', '.join(extents)}))"

    def _allocations(self, arrays: Sequence[Array]) -> list[str]:
        """What makes the arrays of a function's own: in a batch, all that have rows are one."""
        own = [a for a in arrays if not a.space and a.shape and a not in self.shared]
        return self._made(own)

    def _made(self, arrays: Sequence[Array]) -> list[str]:
        own = [self._allocation(array) for array in arrays if not array.has_rows]
        starts, size = arranged([array for array in arrays if array.has_rows], self.nests)
        parts = [(array, replace(array, start=start)) for array, start in starts.items()]
        made = [f"{BLOCK_OF_ROWS} = scratch({size}, {int(BLOCK_ROWS)})"] if parts else []
        made += [f"{self.names[array]} = {self._part(x, BLOCK_OF_ROWS)}" for array, x in parts]
        return [*made, *own]

    def _allocation(self, array: Array) -> str:
        rows = "count" if array in self.results else str(int(BLOCK_ROWS))
        extents = [rows if isinstance(extent, RowExtent) else str(extent) for extent in array.shape]
        shape = extents[0] if len(extents) == 1 else f"({', '.join(extents)})"
        is_total = self.rolled.rows and array in self.results and not array.has_rows
        return f"{self.names[array]} = {'zeros' if is_total else 'empty'}({shape})"

    # --- nests ---------------------------------------------------------------------------------

    def _nest(self, nest: Nest) -> Iterator[str]:
        for formula in nest.formulas:
            yield from self._comment(formula)
        yield from self._steps(nest.steps)

    def _comment(self, formula: Formula) -> list[str]:
        if all(not sums for sums, _ in formula.terms) and not list(formula.place.indices()):
            return []
        parts = []
        for sums, value in formula.terms:
            text = ast.unparse(self._expression(value))
            over = ", ".join(self.letters[index] for index in sums)
            parts.append(f"sum_{over}({text})" if sums else text)
        total = " + ".join(parts).replace(" + -", " - ")
        text = f"{ast.unparse(self._place(formula.place))} = {total}"
        return textwrap.wrap(
            text, WIDE, initial_indent="# ", subsequent_indent="#     ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip

    def _steps(self, steps: Sequence[Step]) -> Iterator[str]:
        done = 0
        while done < len(steps):
            step = steps[done]
            call, count = self.calls.of(steps[done : done + 2])
            if call:
                yield call
                done += count
                continue
            done += 1
            if isinstance(step, Loop):
                yield f"for {self.letters[step.index]} in {self._rounds(step)}:"
                yield from (f"    {line}" for line in self._steps(step.body))
            else:
                yield from self._assignment(step)

    def _rounds(self, loop: Loop) -> str:
        index, extent = loop.index, loop.index.extent
        if index.start is not None:
            (subscript,) = index.start.subscripts
            end = Place(index.start.array, (replace(subscript, offset=subscript.offset + 1),))
            return (
                f"range({ast.unparse(self._place(index.start))}, {ast.unparse(self._place(end))})"
            )
        if index.block is not None:
            start = f"{BLOCK_ROUNDS} * {self.letters[index.block]}"
            return f"range({start}, min({start} + {BLOCK_ROUNDS}, {extent}))"
        if index.is_row:
            return f"range({WIDTH})" if _keeps_all(loop) else "range(n)"
        if index.step > 1:
            return f"range(0, {extent}, {index.step})"
        return f"range({extent - 1}, -1, -1)" if index.falls else f"range({extent})"

    def _assignment(self, step: Assign) -> Iterator[str]:
        value, operator = step.value, "+=" if step.adds else "="
        if step.adds and isinstance(value, Apply) and value.op is table.neg:
            value, operator = value.operands[0], "-="
        tree = self._expression(value)
        place = self._place(step.place)
        if isinstance(place, ast.Name) and not step.adds and may_be_python_float(tree, self.plain):
            self.plain.add(place.id)
        elif isinstance(place, ast.Name):
            self.plain.discard(place.id)
        start = f"{ast.unparse(place)} {operator} "
        line = start + ast.unparse(tree)
        terms = list(_terms(tree))
        if len(line) <= WIDEST or len(terms) == 1:
            yield line
        else:
            yield f"{start}("
            yield from (f"    {term}" for term in terms)
            yield ")"

    def _expression(self, expression: Expression) -> ast.expr:
        if isinstance(expression, Const):
            return number(expression.value)
        if isinstance(expression, Place):
            return self._place(expression)
        op, operands = expression.op, expression.operands
        trees = map(self._expression, operands)
        return instantiate(op.template, dict(zip(op.operand_names, trees, strict=True)), self.plain)

    def _place(self, place: Place) -> ast.expr:
        if place.array is COUNT:
            return ast.Name("n")
        if place.array in self.kept:
            return ast.Subscript(ast.Name(KEPT), ast.Constant(self.kept[place.array]))
        name = ast.Name(self.names[place.array])
        if not place.subscripts:
            return name
        subscripts = [self._subscript(subscript) for subscript in place.subscripts]
        if place.array.has_rows and place.array.space.startswith("output"):
            subscripts[-1] = ast.BinOp(ast.Name(START), ast.Add(), subscripts[-1])
        inner = subscripts[0] if len(subscripts) == 1 else ast.Tuple(subscripts)
        return ast.Subscript(name, inner)

    def _subscript(self, subscript: Subscript) -> ast.expr:
        """`table[i] + 3 * j + 5`."""
        total = None if subscript.table is None else self._place(subscript.table)
        for index, stride in subscript.terms:
            part: ast.expr = ast.Name(self.letters[index])
            if abs(stride) != 1:
                part = ast.BinOp(ast.Constant(abs(stride)), ast.Mult(), part)
            if total is None:
                total = part if stride > 0 else ast.UnaryOp(ast.USub(), part)
            else:
                total = ast.BinOp(total, ast.Add() if stride > 0 else ast.Sub(), part)
        offset = subscript.offset
        if total is None:
            return ast.Constant(offset)
        if offset:
            sign = ast.Add() if offset > 0 else ast.Sub()
            return ast.BinOp(total, sign, ast.Constant(abs(offset)))
        return total

    def _output(self, output: Place | Const | Array) -> str:
        if isinstance(output, Array):
            return self.names[output]
        number = ast.unparse(self._expression(output))
        return f"{number} / count" if self.mean else number


def _arrays(nests: Iterable[Nest]) -> Iterator[Array]:
    """Every array that nests write or read, each time they do."""
    for nest in nests:
        starts = [index.start for index in _indices(nest.steps) if index.start is not None]
        yield from (place.array for place in starts)
        for step in assignments(nest.steps):
            for place in (step.place, *places(step.value)):
                yield place.array
                for subscript in place.subscripts:
                    if subscript.table is not None:
                        yield subscript.table.array


def _cut(written: Sequence[Written]) -> list[list[Written]]:
    """The nests in parts of bounded length: numba's time for a function grows faster than that."""
    if sum(len(lines) for _, lines in written) <= WHOLE:
        return [list(written)]
    parts: list[list[Written]] = [[]]
    length = 0
    for nest, lines in written:
        if parts[-1] and length + len(lines) > PART:
            parts.append([])
            length = 0
        parts[-1].append((nest, lines))
        length += len(lines)
    return parts


def _sweeps(part: Iterable[Written]) -> Iterator[str]:
    """The lines of nests, with a title where a sweep begins."""
    sweep = None
    for nest, lines in part:
        if nest.reverse is not sweep:
            sweep = nest.reverse
            yield "# reverse sweep" if sweep else "# forward sweep"
        yield from lines


def _terms(tree: ast.expr) -> Iterator[str]:
    """The terms of a sum, each with its sign and with the parentheses that it needs there."""
    neighbour = ast.Name("x")
    later = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add | ast.Sub):
        later.append(ast.unparse(ast.BinOp(neighbour, tree.op, tree.right)).removeprefix("x "))
        tree = tree.left
    yield ast.unparse(ast.BinOp(tree, ast.Add(), neighbour)).removesuffix(" + x")
    yield from reversed(later)


def _vector_names(nests: Iterable[Nest]) -> Iterator[str]:
    """The functions that are called in loops long enough to become vector code."""
    for nest in nests:
        for index, step in _innermost(nest.steps, None):
            if index is not None and (index.is_row or index.extent >= VECTOR):
                yield from names_in(op.template for op in _operations(step.value))


def _innermost(
    steps: Sequence[Step], inside: Index | None
) -> Iterator[tuple[Index | None, Assign]]:
    """Every assignment with the index of the loop that it is in."""
    for step in steps:
        if isinstance(step, Loop):
            yield from _innermost(step.body, step.index)
        else:
            yield inside, step


def _operations(expression: Expression) -> Iterator[Op]:
    stack = [expression]
    while stack:
        item = stack.pop()
        if isinstance(item, Apply):
            yield item.op
            stack.extend(item.operands)


def uses(name: str, lines: Iterable[str]) -> bool:
    """Is a name in lines of code, comments apart?"""
    return any(re.search(rf"\b{name}\b", line.split("#")[0]) for line in lines)


def _keeps_all(loop: Loop) -> bool:
    """Does each round of a loop over rows set what is kept for its row, and nothing else?"""
    steps = [(step, step.place.array) for step in assignments(loop.body)]
    keeps = all(array.has_rows or not (array.shape or step.adds) for step, array in steps)
    return keeps and not any(is_exact(x) for x in _arrays([Nest([loop], [], False)]))


def _indices(steps: Sequence[Step]) -> Iterator[Index]:
    return (loop.index for loop in loops(steps))


def _nested(steps: Sequence[Step]) -> dict[Index, set[Index]]:
    """For each index, in order, those of the loops around its loops and inside them."""
    found: dict[Index, set[Index]] = {}

    def visit(steps: Sequence[Step], around: tuple[Index, ...]) -> None:
        for step in steps:
            if isinstance(step, Loop):
                found.setdefault(step.index, set()).update(around)
                for other in around:
                    found[other].add(step.index)
                visit(step.body, (*around, step.index))

    visit(steps, ())
    return found
