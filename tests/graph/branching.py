"""Random functions that branch, as Python text: assignments, `if`, `else`, `return` and loops."""

import random
from collections.abc import Callable
from typing import Any

NAMES = ("x", "y", "z")

Function = Callable[..., Any]


def random_function(source: random.Random) -> Callable[[Callable[[Any], bool]], Function]:
    """Make a function of three numbers; it asks a given function for the truth of conditions."""
    lines = ["def f(x, y, z):"]
    _block(source, lines, depth=1, statements=source.randint(2, 4))
    lines.append(f"    return x * y + {_expression(source)}")
    text = "\n".join(lines)

    def with_truth(truth: Callable[[Any], bool]) -> Function:
        names: dict[str, Any] = {"truth": truth}
        exec(compile(text, "<random function>", "exec"), names)
        names["f"].text = text
        function: Function = names["f"]
        return function

    return with_truth


def _block(source: random.Random, lines: list[str], depth: int, statements: int) -> None:
    space = "    " * depth
    for _ in range(statements):
        kind = source.random()
        if kind < 0.5 or depth > 3:
            lines.append(f"{space}{source.choice(NAMES)} = {_expression(source)}")
        elif kind < 0.85:
            lines.append(f"{space}if {_condition(source)}:")
            _block(source, lines, depth + 1, source.randint(1, 2))
            if source.random() < 0.6:
                lines.append(f"{space}else:")
                _block(source, lines, depth + 1, source.randint(1, 2))
        elif kind < 0.93:
            lines.append(f"{space}if {_condition(source)}:")
            lines.append(f"{space}    return {_expression(source)} + 0.0 * x")
        else:
            lines.append(f"{space}for _ in range({source.randint(1, 3)}):")
            lines.append(f"{space}    if {_condition(source)}:")
            lines.append(f"{space}        break")
            lines.append(f"{space}    {source.choice(NAMES)} = {_expression(source)}")


def _condition(source: random.Random) -> str:
    a, b = source.sample(NAMES, 2)
    test = f"truth({a} {source.choice(['<', '>', '<=', '>='])} {source.choice([b, '0.5'])})"
    kind = source.random()
    if kind < 0.15:
        return f"not {test}"
    if kind < 0.3:
        return f"{test} {source.choice(['and', 'or'])} {_condition(source)}"
    return test


def _expression(source: random.Random) -> str:
    a, b = source.choice(NAMES), source.choice(NAMES)
    number = source.choice(["0.5", "2.0", "-1.25"])
    forms = ["{a} * {b}", "{a} - {n} * {b}", "{a} + {n}", "{a} / ({b} * {b} + 1.0)", "-{a}"]
    return source.choice(forms).format(a=a, b=b, n=number)
