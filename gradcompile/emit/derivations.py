"""The reverse sweep as a derivation: adjoints under the forward statement that they come from.

    # n = x1 * w1 + b
    x1_bar = n_bar * w1
    w1_bar = n_bar * x1
    b_bar = n_bar

What an adjoint is the sum of follows from who reads the value: every forward statement that does,
and that the result depends on, contributes to it. The statements under one heading stand in the
order of its operands.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from gradcompile.emit.layout import Comment, Item, Line
from gradcompile.emit.statements import Statement
from gradcompile.emit.wrapping import MAX_COMMENT, expression_text
from gradcompile.ir.program import Program, Var

MAX_QUOTED = 3
"""So many forward statements are quoted in a heading; of more, the names are told."""


def contributors(program: Program, has_value: bool) -> Mapping[Var, Sequence[Var]]:
    """For each value of the forward sweep, the results of the operations that contribute to it.

    Args:
        program: of both sweeps.
        has_value: is its first output the value? Then what that does not depend on is left out.
    """
    forward = [x for x in program.instructions if x.origin is None]
    first = program.outputs[0] if has_value else None
    reached = {first} if isinstance(first, Var) else {x.result for x in forward}
    found: defaultdict[Var, list[Var]] = defaultdict(list)
    for result, op, operands, _ in reversed(forward):
        if result not in reached:
            continue
        for operand, partial in zip(operands, op.partials, strict=True):
            if isinstance(operand, Var) and partial is not None:
                reached.add(operand)
                if not found[operand] or found[operand][-1] is not result:
                    found[operand].append(result)
    return {value: list(reversed(results)) for value, results in found.items()}


def gathered(statements: Sequence[Statement]) -> list[Statement]:
    """Bring together what comes from the same forward statements, as far as what is read allows.

    Args:
        statements: of the reverse sweep, in an order in which they can be computed.
    """
    alike: defaultdict[tuple[str, ...], list[Statement]] = defaultdict(list)
    for statement in statements:
        alike[statement.differentiates].append(statement)
    waiting = {name for statement in statements for name in _assigned(statement)}
    done: set[Statement] = set()
    order: list[Statement] = []
    for first in statements:
        if first in done:
            continue
        for statement in alike[first.differentiates]:
            if statement is first or not (statement in done or _reads(statement) & waiting):
                done.add(statement)
                order.append(statement)
                waiting.difference_update(_assigned(statement))
        alike[first.differentiates] = [s for s in alike[first.differentiates] if s not in done]
    return order


def _assigned(statement: Statement) -> Iterator[str]:
    if statement.name:
        yield statement.name
    yield from map(expression_text, statement.entries)


def _reads(statement: Statement) -> set[str]:
    return set(_operands(statement.value))


def derivation(statements: Sequence[Statement], lines: Mapping[Statement, Line]) -> Iterator[Item]:
    """Put the statements of a reverse sweep under headings.

    Args:
        statements: in an order in which they can be computed.
        lines: what each is in the text.
    """
    for _, run in groupby(statements, key=lambda statement: statement.differentiates):
        together = list(run)
        heading = _heading(lines[together[0]].differentiates)
        if not heading or (len(together) == 1 and lines[together[0]].has_room_for_comment):
            yield from (lines[statement] for statement in together)
            continue
        yield Comment(heading)
        for statement in _in_operand_order(together, lines[together[0]].differentiates):
            yield lines[statement].without_comment()


def _heading(forward: Sequence[Line]) -> str:
    """Quote forward statements, or name them where they are too many."""
    quoted = ", ".join(line.quoted for line in forward)
    if len(forward) <= MAX_QUOTED and len(quoted) <= MAX_COMMENT:
        return quoted
    return ", ".join(line.name for line in forward)


def _in_operand_order(statements: list[Statement], forward: Sequence[Line]) -> list[Statement]:
    """The statements in the order in which the forward ones name what they are adjoints of."""
    assigned = {name for s in statements for name in _assigned(s)}
    if any(assigned & _reads(s) for s in statements):
        return statements  # one reads another
    order = dict.fromkeys(name for line in forward for name in _operands(line.tree.value))
    rank = {name: k for k, name in enumerate(order)}
    return sorted(statements, key=lambda s: rank.get(s.primal, len(rank)))


def _operands(tree: ast.expr | None) -> Iterator[str]:
    """The values that an expression names, from left to right."""
    stack: list[ast.AST] = [] if tree is None else [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name | ast.Subscript):
            yield expression_text(node)
        elif isinstance(node, ast.Call):
            stack.extend(reversed(node.args))
        else:
            stack.extend(reversed(list(ast.iter_child_nodes(node))))
