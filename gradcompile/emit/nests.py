"""Loop nests → readable Python source; what `emit/straight.py` does for straight-line programs.

Each nest stands under the formula that it computes. Names are given first (`nest_names.py`), then
statements are made (`nest_trees.py`) and arranged in functions (`nest_functions.py`).
"""

from collections.abc import Iterable, Iterator, Sequence

from gradcompile.emit.layout import module_text, names_in, opaque_names
from gradcompile.emit.nest_functions import NestCode, nest_functions
from gradcompile.emit.nest_names import name_nests
from gradcompile.ir.nests import Apply, Assign, Expression, Index, Loop, Nest, Rolled, Step
from gradcompile.ops.op import Op

MIN_ROUNDS_FOR_VECTORS = 16
"""From so many rounds on a loop is worth vector code of its functions."""


def emit_nests(rolled: Rolled, function: str, summary: str = "", *, mean: bool = False) -> str:
    """Write the source of a module with one function that computes `rolled`.

    Args:
        rolled: what to compute.
        function: the function's name; it takes the parameters of its signature and, where there
            are any, the array `data` and the integers `tables`.
        summary: what the function does, for its docstring.
        mean: for a batch, divide what is summed up by the number of rows.
    """
    steps = (step for nest in rolled.nests for _, step in _innermost(nest.steps))
    operations = {op for step in steps for op in _operations(step.value)}
    names = name_nests(rolled, function, operations)
    nests = sorted(rolled.nests, key=lambda nest: nest.sweep)
    code = NestCode(function, rolled, tuple(nests), names, mean, summary)
    in_loops = set() if rolled.strict else set(_vector_names(nests))
    return module_text(nest_functions(code), in_loops, opaque_names(operations))


def _vector_names(nests: Iterable[Nest]) -> Iterator[str]:
    """List the functions that are called in loops long enough to become vector code."""
    for nest in nests:
        for index, step in _innermost(nest.steps):
            if index is not None and (index.is_row or index.extent >= MIN_ROUNDS_FOR_VECTORS):
                yield from names_in(op.template for op in _operations(step.value))


def _innermost(
    steps: Sequence[Step], inside: Index | None = None
) -> Iterator[tuple[Index | None, Assign]]:
    """List every assignment with the index of the loop that it is in."""
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
