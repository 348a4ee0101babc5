"""sympy expressions to what is compiled: their operations, applied to traced values."""

import keyword
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gradcompile.graph import bindings
from gradcompile.graph.lower import lower
from gradcompile.graph.nested import NUMBER, Structure, flatten
from gradcompile.graph.trace import Traced
from gradcompile.graph.value import Constant, TracedValue, Value
from gradcompile.support.collector import collector_paused
from gradcompile.support.names import Names, common_label
from gradcompile.support.timing import Stages
from gradcompile.symbolic.words import Expression, Meaning, asking, explicit, is_atom, meaning


@collector_paused()
def read(expression: Any, symbols: Any, name: str) -> Traced:
    """Read expressions as a graph that computes them.

    Args:
        expression: one, or matrices, arrays, lists, tuples and dicts of them.
        symbols: the arguments: a sequence or a mapping of names to symbols, or to nested ones.
        name: of the program.

    Raises:
        ValueError: a symbol is missing or given twice, or a function has no row.
        TypeError: there is something else than expressions, or than symbols.
    """
    stages = Stages()
    with asking("from_sympy"), stages("trace"):
        atoms, labels, structures = _arguments(symbols)
        found, result = _leaves(expression, "the expression")
        inputs = [TracedValue(None, (), label) for label in labels]
        given = dict(zip(atoms, inputs, strict=True))
        # Called as a function is that is traced: no name is looked for in what calls this.
        values = bindings.call(_values, (found, given), {})
    outputs = [x if isinstance(x, Value) else Constant(x) for x in values]
    with stages("lower"):
        lowered = lower(outputs, inputs, labels, name)
    return Traced(lowered, structures, result, stages.seconds)


def _arguments(symbols: Any) -> tuple[list[Any], list[str], dict[str, Structure]]:
    """List the symbols and their names, and the structure of each argument."""
    names = Names(frozenset(keyword.kwlist))
    atoms: list[Any] = []
    labels: list[str] = []
    structures: dict[str, Structure] = {}
    for wanted, tree in _named(symbols):
        leaves, structure = _leaves(tree, "symbols")
        for leaf in leaves:
            _require_symbol(leaf, atoms)
            atoms.append(leaf)
        called = list(map(str, leaves))
        argument = names.fresh(wanted or common_label(called), "x")
        structures[argument] = structure
        labels += [argument] if structure == NUMBER else called
    return atoms, labels, structures


def _named(symbols: Any) -> Iterator[tuple[str, Any]]:
    """Go through the arguments, each with the name that it was given, if it was."""
    if isinstance(symbols, Mapping):
        yield from ((str(name), tree) for name, tree in symbols.items())
    elif isinstance(symbols, list | tuple):
        yield from (("", tree) for tree in symbols)
    else:
        yield "", symbols


def _require_symbol(leaf: Any, before: Sequence[Any]) -> None:
    if not is_atom(leaf):
        kind = type(leaf).__name__
        raise TypeError(f"from_sympy: symbols: expected symbols, got {kind} {leaf!s:.60}")
    if leaf in before:
        raise ValueError(f"from_sympy: symbols: {leaf} is given twice")


def _leaves(tree: Any, what: str) -> tuple[list[Any], Structure]:
    """List the expressions and the numbers in a nested structure."""
    try:
        return flatten(explicit(tree), is_leaf=lambda x: isinstance(x, Expression))
    except TypeError as error:
        said = str(error).replace("expected numbers", "expected sympy expressions", 1)
        raise TypeError(f"from_sympy: {what}: {said}") from None


def _values(expressions: Sequence[Any], given: Mapping[Any, Value]) -> list[Any]:
    """Compute expressions, each part once; iterative, at any depth.

    What is met is kept, so that no other expression gets its id.
    """
    known: dict[int, Any] = {}
    kept: list[Any] = []
    results: list[Any] = []
    for expression in expressions:
        stack: list[tuple[Any, Meaning | None]] = [(expression, None)]
        while stack:
            node, meant = stack.pop()
            if id(node) in known:
                continue
            if meant is not None:
                function, parts = meant
                known[id(node)] = function(*[known[id(part)] for part in parts])
            elif isinstance(node, Expression) and node not in given:
                meant = meaning(node)
                if meant is None:
                    raise _unknown(node)
                kept.append(meant)
                stack.append((node, meant))
                stack.extend((part, None) for part in reversed(meant[1]))
            else:
                known[id(node)] = given[node] if isinstance(node, Expression) else node
        results.append(known[id(expression)])
    return results


def _unknown(node: Any) -> ValueError:
    if is_atom(node):
        return ValueError(
            f"from_sympy: the expression contains {node}, which is not among the symbols"
        )
    if not node.args:
        return ValueError(f"from_sympy: the expression contains {node}, which is no real number")
    return ValueError(
        f"from_sympy: {type(node).__name__} has no row in the op table, so {node!s:.60} cannot "
        "be compiled; write it with functions that have one, or name it among the symbols"
    )
