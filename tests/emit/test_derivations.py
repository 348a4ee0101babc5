"""The reverse sweep as a derivation: headings, their order, and that none is missing."""

import ast
import random
import re

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.emit.layout import MAX_LINE
from gradcompile.graph.value import topological
from gradcompile.ops.op import CONDITIONS
from gradcompile.ops.table import TABLE
from tests.helpers.programs import random_recipe

FLAT = {"bool", "float64"} | {op.name for op in TABLE.values() if not any(op.partials)}
"""What has no slope by any operand."""


def text_of(function, *at, **options):
    f = gdc.compile(function, name="f", roll=False, **options)
    f.value_and_grad(*at)
    return f.source


def reverse_of(source):
    lines = source.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("    # reverse sweep"))
    return [line.strip() for line in lines[start + 1 : -1]]


def test_adjoints_stand_under_the_statement_in_the_order_of_its_operands():
    def neuron(x1, x2, w1, w2, b):
        n = x1 * w1 + x2 * w2 + b
        return gdc.tanh(n)

    assert reverse_of(text_of(neuron, 2.0, 0.0, -3.0, 1.0, 6.8)) == [
        "n_bar = 1.0 - value * value  # value = tanh(n)",
        "# n = x1 * w1 + x2 * w2 + b",
        "x1_bar = n_bar * w1",
        "w1_bar = n_bar * x1",
        "x2_bar = n_bar * w2",
        "w2_bar = n_bar * x2",
        "b_bar = n_bar",
    ]


def test_a_contribution_that_is_a_bare_forward_value_is_named():
    assert reverse_of(text_of(lambda a, b: (a * b) * (a + b), -2.0, 3.0)) == [
        "# v1 = a * b, v2 = a + b",
        "a_bar = v1 + v2 * b",
        "b_bar = v1 + v2 * a",
    ]


@pytest.mark.parametrize(
    "function",
    [lambda a, b: a * (a + b), lambda a, b: gdc.exp(a) * a + b, lambda a, b: gdc.sin(a) * (a + b)],
)
def test_every_statement_that_reads_a_value_is_named(function):
    require_complete(text_of(function, 0.5, 0.25))


def test_the_seed_is_said_by_the_name_of_the_value():
    def f(x):
        loss = x * x
        return loss

    assert "    # reverse sweep, from loss_bar = 1.0\n" in text_of(f, 2.0)


def test_conditions_that_are_only_tested_stay_conditions():
    def f(x, y):
        is_large = x > y
        return gdc.where(is_large, x * y, y) + gdc.where(is_large, y, x)

    source = text_of(f, 1.0, 2.0)
    assert "    is_large = x > y\n" in source
    assert "float64" not in source


def test_a_condition_that_is_also_a_number_is_one():
    source = text_of(lambda x, y: gdc.where(x > y, x, y) + (x > y) * y, 1.0, 2.0)
    assert "float64(x > y)" in source


def test_random_programs_name_what_each_adjoint_comes_from():
    checked = 0
    for seed in range(200):
        root, inputs = random_recipe(random.Random(seed), steps=10).graph([0.5, 1.25, 2.0])
        used = set(topological(root))
        read = [x for x in inputs if x in used]
        if read and root.op is not None:
            checked += require_complete(gdc.compile(root, inputs=read, roll=False).source)
    assert checked > 300


def require_complete(source):
    """Each adjoint of a named value names every forward statement that reads it and counts."""
    tree = ast.parse(source)
    function = tree.body[-1]
    lines = source.splitlines()
    starts = [k for k, x in enumerate(lines, 1) if x.startswith("    # reverse sweep")]
    if not starts:
        return 0
    (start,) = starts
    assigned = [s for s in function.body if isinstance(s, ast.Assign)]
    forward = {ast.unparse(s.targets[0]): s.value for s in assigned if s.lineno < start}
    returned = function.body[-1].value.elts[0]
    counts = set_of_counting(forward, ast.unparse(returned))
    heading = ""
    checked = 0
    for number in range(start, len(lines)):
        text = lines[number].strip()
        if text.startswith("#"):
            heading = text
            continue
        code, _, comment = text.partition("  # ")
        name = code.partition(" = ")[0]
        if not name.endswith("_bar"):
            heading = heading if not comment else ""
            continue
        primal = name.removesuffix("_bar")
        said = comment or heading
        for statement, value in forward.items():
            if statement in counts and varies_with(value, primal):
                checked += 1
                assert re.search(rf"\b{re.escape(statement)}\b", said), (name, statement, said)
    return checked


def set_of_counting(forward, result):
    """The statements that the result varies with."""
    counts, stack = set(), [result]
    while stack:
        name = stack.pop()
        if name in forward and name not in counts:
            counts.add(name)
            read = {x.id for x in ast.walk(forward[name]) if isinstance(x, ast.Name)}
            stack += [x for x in read if varies_with(forward[name], x)]
    return counts


def varies_with(value, name):
    """Does an expression read a name elsewhere than in a condition or a step function?"""
    stack = [value]
    while stack:
        node = stack.pop()
        match node:
            case ast.Name(found) if found == name:
                return True
            case ast.IfExp(_, body, orelse):
                stack += [body, orelse]
            case ast.Compare():
                pass
            case ast.Call(ast.Name(called)) if called in FLAT:
                pass
            case ast.Call(ast.Name("copysign"), [first, _]):
                stack.append(first)
            case ast.Call(ast.Name("heaviside"), [_, second]):
                stack.append(second)
            case _:
                stack += ast.iter_child_nodes(node)
    return False


def test_lines_end_before_column_90():
    def f(w, x):
        total = 0.0
        for k in range(9):
            total = total + gdc.tanh(w[k] * x[k] + w[k] * gdc.exp(x[k] * w[8 - k]))
        return total

    source = text_of(f, np.ones(9), np.ones(9))
    assert max(map(len, source.splitlines())) <= MAX_LINE


def test_no_condition_operand_has_a_slope():
    # What `contributors` leaves out by the partials that are None, conditions among them.
    for op in TABLE.values():
        for name, partial in zip(op.operand_names, op.partials, strict=True):
            assert name not in CONDITIONS or partial is None
