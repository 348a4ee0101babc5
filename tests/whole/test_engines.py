"""Random programs: the graph, the interpreter, emitted Python and machine code agree.

`engines.py` says what is compared and which differences have an explanation.
"""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.graph.value import topological
from gradcompile.ir.interpret import interpret
from gradcompile.ops import table
from gradcompile.ops.table import TABLE
from tests.helpers import engines
from tests.helpers.engines import (
    Difference,
    Subject,
    Tally,
    compare,
    flat,
    fuzz,
    report,
    same,
    shrunk,
)
from tests.helpers.flat import python_of
from tests.helpers.programs import INPUTS, Recipe, Step, random_points, random_recipe
from tests.helpers.slow import slow_but

SEED = 0
PROGRAMS = 1000
CHUNKS = [range(k, k + 100) for k in range(0, PROGRAMS, 100)]
COMPILED = range(8)
"""Programs that go to numba in the fast tests, at 100 ms each."""

ROUNDED, EXPLAINED, ZEROS = 0.6, 0.03, 0.1
"""The most differences by rounding, and by anything else that explains them, for each program."""


def agree(numbers, use_machine):
    tally = fuzz(SEED, numbers, use_machine=use_machine)
    size = len(numbers)
    assert not tally.differences, report(tally)
    # Nothing was skipped, and many of the gradients could be compared with exact ones.
    assert tally.compared["gradient"] == 4 * size
    assert tally.compared["machine code"] == (4 * size if use_machine else 0)
    assert tally.compared["exact"] > size
    # What explains a difference also explains a wrong rule away, should it do so often.
    rounded = tally.explained["rounding"]
    assert rounded <= ROUNDED * size
    # Passes may change the sign of a zero; how often depends on the rows that are drawn.
    zeros = tally.explained["sign of zero"]
    assert zeros <= ZEROS * size, tally
    assert tally.explained.total() - rounded - zeros <= EXPLAINED * size, tally


@pytest.mark.parametrize("numbers", slow_but([range(40)], [range(40), CHUNKS[0]]), ids=str)
def test_random_programs_agree_in_every_other_engine(numbers):
    agree(numbers, use_machine=False)


@pytest.mark.parametrize(
    "numbers",
    [COMPILED, *(pytest.param(numbers, marks=pytest.mark.slow) for numbers in CHUNKS)],
    ids=str,
)
def test_random_programs_agree_in_machine_code(numbers):
    agree(numbers, use_machine=True)


def test_random_programs_cover_the_table_and_the_hard_cases():
    used, kinds = Counter(), Counter()
    for number in range(PROGRAMS):
        rng = random.Random(f"{SEED} {number}")
        recipe = random_recipe(rng)
        points = random_points(rng)
        used.update({step.op for step in recipe.steps})
        operands = [x for step in recipe.steps for x in step.operands]
        readers = Counter(x for x in operands if type(x) is int)
        kinds["constant"] += any(type(x) is float for x in operands)
        kinds["shared"] += any(n > 1 for x, n in readers.items() if x >= INPUTS)
        kinds["fan-out"] += max(readers.values(), default=0) > 3
        kinds["repeated operand"] += any(
            len(set(map(str, step.operands))) < len(step.operands) for step in recipe.steps
        )
        kinds["label"] += any(step.label for step in recipe.steps)
        kinds["nan"] += any(x != x for at in points for x in at)
        kinds["tie"] += any(at[0] == at[-1] for at in points)
    assert set(used) == set(TABLE)
    assert min(used.values()) >= 10
    assert min(kinds.values()) >= 50, kinds


@pytest.mark.parametrize("number", slow_but(range(4), range(8)))
def test_random_programs_through_the_public_functions(number):
    rng = random.Random(f"public {number}")
    recipe = random_recipe(rng, 4)
    points = [at for at in random_points(rng) if not any(x != x for x in at)]
    root, inputs = recipe.graph(points[0])
    used = [k for k, x in enumerate(inputs) if any(x is value for value in topological(root))]
    function = gdc.compile(root, inputs=[inputs[k] for k in used], cache=False)
    subject = Subject(recipe)
    for point in points:
        value, *gradient = flat(interpret(subject.gradient, point))
        expected = [value, *(gradient[k] for k in used)]
        at = [point[k] for k in used]
        value, gradient = function.value_and_grad(*at)
        assert same([value, *gradient], expected)
        assert same([function(*at)], flat(interpret(subject.optimised, point)))
        assert same(list(function.grad(*at)), expected[1:])
        with np.errstate(all="ignore"):
            value, gradient = python_of(function.value_and_grad)(at)
        assert same([value, *gradient], expected)


# --- what engines once disagreed about, and what IEEE-754 says --------------------------------


def check(recipe, *points):
    tally = Tally()
    compare(recipe, points, tally)
    assert not tally.differences, report(tally)


def steps(*rows):
    return Recipe(tuple(Step(op, tuple(operands)) for op, *operands in rows))


@pytest.mark.parametrize("op", ["div", "reciprocal", "log", "sqrt", "rsqrt", "cbrt", "acosh"])
def test_slopes_at_poles_do_not_raise(op):
    row = TABLE[op]
    check(steps((op, *range(row.arity))), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (-0.0, -0.0, 0.0))


def test_power_of_a_negative_number():
    check(steps(("pow", 0, 1)), (-1.0, 0.5, 0.0), (-8.0, 1 / 3, 0.0), (0.0, 0.5, 0.0))


def test_huge_numbers_warn_nowhere():
    check(steps(("hypot", 0, 1)), (1.7e308, 1.7e308, 0.0))
    check(steps(("sinh", 0)), (1e3, 0.0, 0.0))


def test_named_copies_of_a_repeated_expression():
    # The second of two equal values may carry a name that takes over the first.
    recipe = Recipe(
        (
            Step("sub", (0, 1.0)),
            Step("reciprocal", (3,)),
            Step("neg", (4,)),
            Step("where", (-1.0, 1.0, 3)),
            Step("sub", (6, 5)),
        )
    )
    check(recipe, (0.5, 0.0, 0.0))


def test_rules_that_avoid_an_overflow_are_nearer_to_the_exact_result():
    # exp overflows, and its exact value has more digits than would fit into memory written out.
    check(steps(("leaky_relu", 0, 2), ("exp", 3), ("log", 4)), (1e16, 1.0, -1.0))
    check(steps(("exp", 2), ("log1p", 3), ("sub", 2.0, 4)), (1.0, 1.0, 1e154))
    check(steps(("exp", 2), ("log", 3), ("erf", 3), ("add", 4, 5)), (1.0, 1.0, 1e16))


def test_logic_of_logic_is_one_or_zero():
    for outer in ("logical_or", "logical_and"):
        check(steps(("logical_and", 1, 0), (outer, 3, 1)), (2.0, 3.0, 0.0), (2.0, 0.0, 0.0))
        check(steps(("logical_or", 1, 0), (outer, 3, 1)), (2.0, 3.0, 0.0), (0.0, 3.0, 0.0))


def test_nan_and_inf_survive_a_choice_of_factors():
    # 0 * nan is nan, wherever the zero comes from.
    recipe = steps(("where", 1, 0.0, 2), ("mul", 0, 3))
    check(recipe, (float("nan"), 1.0, 1.0), (float("inf"), 1.0, 1.0), (float("inf"), 0.0, 0.0))


SINC = steps(("sin", 0), ("div", 3, 0), ("where", 0, 4, 1.0))
LOG_OR_ZERO = steps(("greater", 0, 0.0), ("log", 0), ("where", 3, 4, 0.0))


@pytest.mark.parametrize(
    ("recipe", "at"),
    [
        pytest.param(SINC, 0.0, id="sinc"),
        pytest.param(LOG_OR_ZERO, 0.0, id="log or zero"),
        pytest.param(LOG_OR_ZERO, -1.0, id="log or zero of a negative number"),
        pytest.param(steps(("relu", 0), ("log", 3)), -1.0, id="log of relu"),
        pytest.param(steps(("maximum", 0, 0.0), ("sqrt", 3)), -1.0, id="root of maximum"),
        pytest.param(steps(("minimum", 0, 0.0), ("reciprocal", 3)), 1.0, id="1 / minimum"),
        pytest.param(steps(("clip", 0, 0.0, 1.0), ("log", 3)), -1.0, id="log of clip"),
    ],
)
def test_gates_stop_infinite_slopes_in_every_engine(recipe, at):
    point = (at, 0.0, 0.0)
    subject = Subject(recipe)
    assert engines.eager(recipe, point)[1][0] == 0.0
    assert flat(interpret(subject.raw_gradient, point))[1] == 0.0
    assert flat(interpret(subject.gradient, point))[1] == 0.0
    assert engines.python(subject.gradient)(point)[1] == 0.0


# --- the comparison itself -------------------------------------------------------------------


def differences(recipe, at=(0.3, 0.4, 0.5)):
    tally = Tally()
    compare(recipe, [at], tally)
    return tally.differences


def long_recipe():
    rows = [("mul", 0, 1), ("add", 3, 2), ("tanh", 4), ("exp", 5), ("mul", 6, 4), ("sub", 7, 5)]
    return steps(*rows)


@pytest.fixture
def change(monkeypatch):
    """Changes a row of the table for one test."""

    def change(op, **fields):
        for name, value in fields.items():
            old = getattr(op, name)
            object.__setattr__(op, name, value)
            undone.append((op, name, old))

    undone = []
    yield change
    for op, name, old in reversed(undone):
        object.__setattr__(op, name, old)


def test_a_wrong_partial_is_found_and_shrunk_to_its_operation(change):
    assert differences(long_recipe()) == []
    change(table.tanh, partials=(lambda y, x: 1.0 - y,))
    found = [d for d in differences(long_recipe()) if d.kind == "exact"]
    small = shrunk(found[0])
    assert [step.op for step in small.recipe.steps] == ["tanh"]
    assert "def f(x0, x1, x2):\n    s0 = gdc.tanh(x0)\n    return s0" in str(small)


def test_an_engine_that_computes_something_else_is_found(monkeypatch):
    real = engines.emit
    monkeypatch.setattr(engines, "emit", lambda *a: real(*a).replace("tanh", "atan"))
    assert {"emitted", "emitted gradient"} <= {d.kind for d in differences(long_recipe())}


def test_an_engine_that_raises_is_found(monkeypatch):
    real = engines.emit
    monkeypatch.setattr(engines, "emit", lambda *a: real(*a).replace("tanh(", "1 // 0 * ("))
    assert any("ZeroDivisionError" in d.kind for d in differences(long_recipe()))


def test_a_rule_that_changes_values_is_found(monkeypatch):
    def drop_small_terms(program):
        instructions = [
            i._replace(op=table.sub) if i.op is table.add else i for i in program.instructions
        ]
        return replace(program, instructions=tuple(instructions))

    real = engines.run_passes
    monkeypatch.setattr(
        engines, "run_passes", lambda p, check=None: drop_small_terms(real(p, check))
    )
    assert {"optimised", "gradient", "exact"} <= {d.kind for d in differences(long_recipe())}


def test_a_difference_of_one_ulp_in_machine_code_is_found(monkeypatch):
    subject = Subject(steps(("exp", 0)))
    other = Subject(steps(("mul", 0, 1.0)))
    tally = Tally()
    monkeypatch.setattr(other, "optimised", subject.optimised)
    other.equal("machine code", (0.3, 0.0, 0.0), [1.0], [1.0 + 2**-52], tally)
    assert [d.kind for d in tally.differences] == ["machine code"]


def test_ill_conditioned_programs_are_no_false_alarm():
    # 1e16 + x - 1e16 has no digit in common in two orders of summation.
    check(steps(("add", 0, 1e16), ("sub", 3, 1e16), ("sin", 4)), (1 / 3, 0.0, 0.0))
    check(steps(("exp", 0), ("exp", 3), ("sin", 4)), (3.5, 0.0, 0.0))


def test_shrinking_keeps_what_fails():
    def fails(recipe, at):
        return any(step.op == "exp" for step in recipe.steps) and at[1] > 0.3

    recipe, at = engines.shrink(long_recipe(), (0.3, 0.4, 0.5), fails)
    assert [step.op for step in recipe.steps] == ["exp"]
    assert at == (0.0, 1.0, 0.0)


def test_a_recipe_prints_as_the_function_it_is():
    recipe = Recipe((Step("mul", (0, 2.0), "n"), Step("where", (3, float("inf"), 1))))
    text = str(Difference("eager", recipe, (1.0, 2.0, 3.0), "why"))
    names = {"gdc": gdc}
    exec(text[text.index("def f") :], names)
    values = [Value(x) for x in (1.0, 2.0, 3.0)]
    root, _ = recipe.graph((1.0, 2.0, 3.0))
    assert names["f"](*values).data == root.data
