"""Loop nests → statements: formulas above them, loops, assignments, and calls of products."""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from gradcompile.emit.expressions import may_be_python_float
from gradcompile.emit.layout import Comment, For, Item, Line
from gradcompile.emit.nest_names import BLOCK_SIZE, WIDTH, NestNames, arrays_in
from gradcompile.emit.nest_places import expression_tree, place_tree
from gradcompile.emit.product_calls import is_exact, product_call
from gradcompile.emit.trees import call, float_tree, integer, one_or_tuple
from gradcompile.emit.wrapping import MAX_COMMENT
from gradcompile.ir.nests import (
    BLOCK_ROUNDS,
    Apply,
    Assign,
    Expression,
    Formula,
    Loop,
    Nest,
    Place,
    Step,
    Subscript,
    assignments,
)
from gradcompile.ir.program import Const
from gradcompile.ir.sweeps import FORWARD_SWEEP
from gradcompile.ops import table

DIFFERENTIATES = "differentiates"
"""What a heading in the reverse sweep begins with; without it, it would read as a formula."""


def nest_items(nests: Iterable[Nest], names: NestNames) -> list[tuple[Item, ...]]:
    """Write nests, each under the formulas that it computes.

    Args:
        nests: in the order in which they are computed.
        names: of arrays and indices.
    """
    nests = list(nests)
    plain: set[str] = set()
    written = [tuple(_nest(nest, names, plain)) for nest in nests]
    statements = {
        formula.number: _formula(formula, names, plain).text
        for nest in nests
        if nest.sweep == FORWARD_SWEEP
        for formula in nest.formulas
    }
    headings = [_heading(nest, statements) for nest in nests]
    return [
        (Comment(heading), *items) if heading and heading != before else items
        for heading, before, items in zip(headings, ["", *headings], written, strict=False)
    ]


def _heading(nest: Nest, statements: Mapping[int, str]) -> str:
    """The forward statements that a nest differentiates; several long ones by their names."""
    numbers = {number for formula in nest.formulas for number in formula.differentiates}
    said = [statements[number] for number in sorted(numbers) if number in statements]
    text = ", ".join(said)
    if len(said) > 1 and len(text) > MAX_COMMENT - len(f"# {DIFFERENTIATES} "):
        text = ", ".join(statement.partition(" = ")[0] for statement in said)
    return f"{DIFFERENTIATES} {text}" if text else ""


def _nest(nest: Nest, names: NestNames, plain: set[str]) -> Iterator[Item]:
    formulas = [
        _formula(formula, names, plain)
        for formula in nest.formulas
        if any(sums for sums, _ in formula.terms) or list(formula.place.indices())
    ]
    items = list(_steps(nest.steps, names, plain))
    said = set(_said(items))
    yield from (formula for formula in formulas if formula.text not in said)
    yield from items


def _said(items: Iterable[Item]) -> Iterator[str]:
    """What lines say, which no formula above them need say again."""
    for item in items:
        if isinstance(item, For):
            yield from _said(item.body)
        elif isinstance(item, Line) and isinstance(item.tree, ast.Assign):
            yield f"{ast.unparse(item.tree.targets[0])} = {item.value}"


def _formula(formula: Formula, names: NestNames, plain: set[str]) -> Comment:
    terms = []
    for sums, value in formula.terms:
        text = ast.unparse(expression_tree(value, names, plain))
        over = ", ".join(names.letters[index] for index in sums)
        terms.append(f"sum_{over}({text})" if sums else text)
    total = " + ".join(terms).replace(" + -", " - ")
    return Comment(f"{ast.unparse(place_tree(formula.place, names))} = {total}")


def _steps(steps: Sequence[Step], names: NestNames, plain: set[str]) -> Iterator[Item]:
    done = 0
    while done < len(steps):
        step = steps[done]
        product, count = product_call(steps[done : done + 2], names)
        if product is not None:
            yield Line(ast.Expr(product))
            done += count
            continue
        done += 1
        if isinstance(step, Loop) and (zeroed := _zeroed(step, names)) is not None:
            yield zeroed
        elif isinstance(step, Loop):
            body = tuple(_steps(step.body, names, plain))
            yield For(names.letters[step.index], _rounds(step, names), body)
        else:
            yield _assignment(step, names, plain)


def _zeroed(loop: Loop, names: NestNames) -> Line | None:
    """Write loops that set a whole array to a number as one line; None for other loops."""
    indices = []
    step: Step = loop
    while isinstance(step, Loop) and len(step.body) == 1:
        indices.append(step.index)
        (step,) = step.body
    if not isinstance(step, Assign) or step.adds or not isinstance(step.value, Const):
        return None
    place = step.place
    plain = {index for index in indices if not (index.is_row or index.block or index.start)}
    if len(plain) != len(place.array.shape) or len(plain) != len(indices):
        return None
    for subscript, extent in zip(place.subscripts, place.array.shape, strict=True):
        whole = next((x for x in plain if subscript == Subscript(0, ((x, 1),))), None)
        if whole is None or whole.extent != extent or whole.step > 1:
            return None
        plain.discard(whole)
    part = one_or_tuple([ast.Slice()] * len(place.array.shape))
    tree = ast.Subscript(ast.Name(names.arrays[place.array]), part)
    return Line(ast.Assign([tree], float_tree(step.value.value)))


def _rounds(loop: Loop, names: NestNames) -> ast.expr:
    index, extent = loop.index, loop.index.extent
    if index.start is not None:
        (subscript,) = index.start.subscripts
        end = Place(index.start.array, (replace(subscript, offset=subscript.offset + 1),))
        return call("range", place_tree(index.start, names), place_tree(end, names))
    if index.block is not None:
        letter = ast.Name(names.letters[index.block])
        start = ast.BinOp(integer(BLOCK_ROUNDS), ast.Mult(), letter)
        after = ast.BinOp(start, ast.Add(), integer(BLOCK_ROUNDS))
        return call("range", start, call("min", after, integer(extent)))
    if index.is_row:
        return call("range", ast.Name(names.own[WIDTH if _keeps_all(loop) else BLOCK_SIZE]))
    if index.step > 1:
        return call("range", integer(0), integer(extent), integer(index.step))
    if index.falls:
        return call("range", integer(extent - 1), integer(-1), integer(-1))
    return call("range", integer(extent))


def _keeps_all(loop: Loop) -> bool:
    """Does each round of a loop over rows set what is kept for its row, and nothing else?"""
    steps = [(step, step.place.array) for step in assignments(loop.body)]
    keeps = all(array.has_rows or not (array.shape or step.adds) for step, array in steps)
    return keeps and not any(is_exact(x) for x in arrays_in([Nest([loop], [], FORWARD_SWEEP)]))


def _assignment(step: Assign, names: NestNames, plain: set[str]) -> Line:
    """Write an assignment, and note in `plain` whether it makes a plain Python float."""
    value, operator = _unsigned(step)
    tree = expression_tree(value, names, plain)
    place = place_tree(step.place, names)
    if isinstance(place, ast.Name):
        is_plain = not step.adds and may_be_python_float(tree, plain)
        (plain.add if is_plain else plain.discard)(place.id)
    if not step.adds:
        return Line(ast.Assign([place], tree), may_break=True)
    assert isinstance(place, ast.Name | ast.Subscript)
    return Line(ast.AugAssign(place, operator, tree), may_break=True)


def _unsigned(step: Assign) -> tuple[Expression, ast.operator]:
    """Split what is added into an expression and how it is added."""
    value = step.value
    if step.adds and isinstance(value, Apply) and value.op is table.neg:
        return value.operands[0], ast.Sub()
    return value, ast.Add()
