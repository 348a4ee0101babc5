"""Branches on traced values: every way is traced, and the results are joined where they differ."""

import math
import random
import statistics
from collections import namedtuple
from numbers import Real

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcompile as gdc
from gradcompile import TraceError, Value
from gradcompile.ops import table
from tests.graph.branching import random_function
from tests.helpers.slow import slow_but


def operations(function):
    """The names of the operations of the traced program, before any pass."""
    return [instruction.op.name for instruction in function.arguments.newest.program.instructions]


def slopes(function, at, step=1e-6):
    """Central differences of the plain function."""
    found = []
    for k in range(len(at)):
        ends = [
            [x + (sign * step if i == k else 0.0) for i, x in enumerate(at)] for sign in (1, -1)
        ]
        found.append((function(*ends[0]) - function(*ends[1])) / (2 * step))
    return found


# --- the ways ------------------------------------------------------------------------------------


def by_if(x, y):
    if x > y:
        return x * y
    return y - x * x


def by_else(x, y):
    if x > y:
        z = 2.0 * x
    elif x > 0.0:
        z = x * y
    else:
        z = -y
    return z * z + x


def by_expression(x, y):
    return x * y if x > y else y / (1.0 + x * x)


def by_and(x, y):
    return x * y if x > 0.0 and y > 0.0 else x - y


def by_or(x, y):
    return x * y if x > 0.0 or y > 1.0 else x - y


def by_not(x, y):
    return x * y if not x > y else x - y


def by_chain(x, y):
    return x * y if 0.0 < x < y else x - y


def by_truth(x, y):
    return y / x if x else y


def by_value(x, y):
    return (x and y) + (x or y)


def by_max(x, y):
    return max(x, y, 0.5) - min(x * x, y)


def by_sorted(x, y):
    first, second, third, last = sorted([x, y, x * y, 0.25])
    return first + 2.0 * second - third * last


def by_any(x, y):
    return x * y if any(v > 1.0 for v in (x, y)) else x - y


def by_all(x, y):
    return x * y if all(v > 0.0 for v in (x, y)) else x - y


def by_median(x, y):
    return statistics.median([x, y, 0.5]) * x


def by_while(x, y):
    count = 0
    while x > 1.0 and count < 6:
        x = x / 2.0
        count += 1
    return x * y


def by_early_break(x, y):
    total = y
    for k in range(5):
        if total * total > 4.0:
            break
        total = total + x / (k + 1)
    return total


def by_list(x, y):
    found = []
    for item in (x, y, x - y):
        if item > 0.0:
            found.append(item * item)
    return sum(found) + x


def by_index(x, y):
    return [x, y].index(y) * x + y


def by_two(x, y):
    a = x if x > 0.0 else -2.0 * x
    b = y * a if y > a else y - a
    return a * b


def by_default(x, y):
    z = 1.0
    if x > y:
        z = 3.0
    return z * x * y


FUNCTIONS = [
    by_if, by_else, by_expression, by_and, by_or, by_not, by_chain, by_truth, by_value, by_max,
    by_sorted, by_any, by_all, by_median, by_while, by_early_break, by_list, by_index, by_two,
    by_default,
]  # fmt: skip
POINTS = [(0.3, 0.7), (0.7, 0.3), (-0.4, 0.9), (-0.9, -0.4), (3.1, 1.7), (9.3, 12.2), (1.2, -2.1)]


@pytest.mark.parametrize(
    "function", slow_but([by_else, by_and, by_truth, by_two], FUNCTIONS), ids=lambda f: f.__name__
)
def test_both_ways_are_verified(function):
    assert gdc.compile(function).verify().ok


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_branch_goes_the_way_that_python_goes(function):
    compiled = gdc.compile(function)
    kernel = compiled.value_and_grad
    for at in POINTS:
        value, gradient = kernel.python(*at)
        assert value == pytest.approx(function(*at), rel=1e-15)
        assert gradient == pytest.approx(slopes(function, at), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("function", [by_else, by_max, by_while])
def test_machine_code_goes_the_same_ways(function):
    compiled = gdc.compile(function)
    for at in POINTS:
        value, gradient = compiled.value_and_grad(*at)
        assert value == pytest.approx(function(*at), rel=1e-15)
        assert gradient == pytest.approx(slopes(function, at), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("reduce", ["sum", None])
def test_in_a_batch_each_row_goes_its_own_way(reduce):
    rows = np.array(POINTS)
    compiled = gdc.compile(lambda p, x: p * by_else(x[0], x[1]), batched="x", reduce=reduce)
    expected = np.array([by_else(*at) for at in POINTS])
    value, gradient = compiled.value_and_grad(2.0, rows)
    total = np.sum if reduce else np.array
    assert value == pytest.approx(total(2.0 * expected))
    assert gradient.p == pytest.approx(total(expected))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**9))
def test_random_branches(seed):
    function = random_function(random.Random(seed))
    try:
        kernel = gdc.compile(function(bool)).value_and_grad
        text = kernel.python
    except TraceError as error:
        if "ways" in str(error):
            return
        raise
    random_point = random.Random(seed + 1)
    for _ in range(5):
        at = [random_point.uniform(-2.0, 2.0) for _ in range(3)]
        inputs = list(map(Value, at))
        taken = function(lambda condition: bool(condition.data))(*inputs)
        taken.backward()
        value, gradient = text(*at)
        assert value == pytest.approx(taken.data, rel=1e-12, abs=1e-12)
        assert gradient == pytest.approx([x.grad for x in inputs], rel=1e-9, abs=1e-12)


# --- what the text says --------------------------------------------------------------------------


def source_of(function, *at):
    compiled = gdc.compile(function)
    if at:
        compiled.value.python  # noqa: B018
    return compiled.value.source


def test_a_choice_has_the_name_of_the_variable():
    def f(x):
        y = 2.0 * x
        if x <= 0.0:
            y = -x
        return gdc.exp(y) + y

    assert "    y = -x if x <= 0.0 else 2.0 * x\n" in source_of(f)


def test_what_was_asked_has_no_name_of_what_was_answered():
    def f(x, y):
        largest = max(x, y)
        return largest * largest

    assert "y if y > x else x\n" in source_of(f)


def test_a_condition_with_a_name_keeps_it():
    def f(x, y):
        far = abs(x) > y
        z = x * x if far else y
        w = y * y if far else x
        return z * z + w * w

    assert "far = abs(x) > y\n" in source_of(f)


# --- what is computed once -----------------------------------------------------------------------


def test_a_branch_at_the_start_does_not_double_the_rest():
    def f(x, y):
        z = 2.0 * x if x > y else x / 3.0
        for _ in range(20):
            z = gdc.sin(z) + z * y
        return z

    function = gdc.compile(f)
    function.value.python  # noqa: B018
    found = operations(function)
    assert found.count("where") == 1
    assert found.count("sin") == 20


def test_two_branches_one_after_the_other_are_two_choices():
    function = gdc.compile(by_two)
    function.value.python  # noqa: B018
    assert operations(function).count("where") == 2


def test_an_array_is_joined_where_it_differs():
    def f(x, w):
        h = np.tanh(w * x)
        if x[0] > 0.0:
            h[1] = h[0]
        return np.sum(np.exp(h))

    function = gdc.compile(f)
    value, gradient = function.value_and_grad(np.array([0.5, -0.5]), np.array([1.0, 2.0]))
    assert value == pytest.approx(2.0 * math.exp(math.tanh(0.5)))
    assert list(gradient.x) == pytest.approx(
        [2 * math.exp(math.tanh(0.5)) / math.cosh(0.5) ** 2, 0]
    )
    assert operations(function).count("where") == 1


def test_a_condition_that_is_asked_again_is_no_other_branch():
    def f(x):
        total = x
        for k in range(50):
            total = total + (x * k if x > 0.0 else 1.0)
        return total

    assert gdc.compile(f, branches=2)(2.0) == f(2.0)


def test_the_other_way_spoils_nothing():
    def f(x):
        return gdc.sqrt(x) if x > 0.0 else 0.0 * x

    def sinc(x):
        return gdc.sin(x) / x if x != 0.0 else 1.0 - x * x / 6.0

    assert gdc.compile(f).value_and_grad(-1.0) == (0.0, (0.0,))
    assert gdc.compile(f).value_and_grad(0.0) == (0.0, (0.0,))
    assert gdc.compile(sinc).value_and_grad(0.0) == (1.0, (0.0,))


def test_the_domain_of_the_other_way_is_not_looked_at():
    @gdc.compile(check_domain=True)
    def f(x):
        return gdc.log(x) if x > 0.0 else x

    assert f.grad(-1.0) == (1.0,)
    with pytest.raises(FloatingPointError):
        gdc.compile(lambda x: gdc.log(x) if x >= 0.0 else x, check_domain=True)(0.0)


# --- results -------------------------------------------------------------------------------------


def test_a_way_may_return_a_number():
    function = gdc.compile(lambda x, k: x - k if x > k else 0.0)
    assert function.value_and_grad(3.0, 1.0) == (2.0, (1.0, -1.0))
    assert function.value_and_grad(1.0, 3.0) == (0.0, (0.0, 0.0))


def test_a_step_is_a_function():
    function = gdc.compile(lambda x: 1.0 if x > 0.0 else 0.0)
    assert function.value_and_grad(2.0) == (1.0, (0.0,))


def test_structures_are_joined_leaf_by_leaf():
    Pair = namedtuple("Pair", "first rest")

    def f(x):
        if x > 0.0:
            return Pair(x, {"a": [x * x, 1.0]})
        return Pair(-x, {"a": [0.0, x]})

    assert gdc.compile(f)(2.0) == (2.0, {"a": [4.0, 1.0]})
    assert gdc.compile(f)(-2.0) == (2.0, {"a": [0.0, -2.0]})


def test_constants_among_the_results():
    @gdc.compile
    def rotation(a):
        return np.array(
            [[gdc.cos(a), -gdc.sin(a), 0.0], [gdc.sin(a), gdc.cos(a), 0.0], [0, 0, 1.0]]
        )

    c, s = math.cos(0.5), math.sin(0.5)
    assert rotation(0.5) == pytest.approx(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]))


def test_a_function_may_change_what_it_was_given():
    def f(x):
        x.append(x[0] * 2.0)
        return x.pop() if x[1] > 0.0 else x.pop(0)

    assert gdc.compile(f)([3.0, 1.0]) == 6.0
    assert gdc.compile(f)([3.0, -1.0]) == 3.0


# --- what is refused -----------------------------------------------------------------------------


def error_of(function, *args, **options):
    with pytest.raises(TraceError) as caught:
        gdc.compile(function, **options)(*args)
    return str(caught.value)


def endless(x):
    while x > 1.0:
        x = x / 2.0
    return x


def many(x):
    return sum(v if v > 0.0 else -v for v in x)


@pytest.mark.parametrize(("function", "at"), [(endless, 9.0), (many, np.ones(6))])
def test_too_many_ways_name_the_line(function, at):
    message = error_of(function, at)
    line = function.__code__.co_firstlineno + 1
    assert f"{__file__}, line {line}" in message
    assert "32 ways" in message
    assert "times" in message
    assert "branches=" in message


def test_more_ways_if_they_are_asked_for():
    x = np.array([1.0, -2.0, 3.0, -4.0, 5.0, -6.0])
    assert "8 ways" in error_of(many, x, branches=8)
    function = gdc.compile(many, branches=64)
    assert function(x) == 21.0
    assert operations(function).count("where") == 6


@pytest.mark.parametrize("branches", [0, -1, 2.0, True, None, "many"])
def test_branches_is_a_count(branches):
    with pytest.raises(ValueError, match="branches"):
        gdc.compile(many, branches=branches)


def other_structure(x):
    if x > 0.0:
        return x
    return x, x


def test_another_structure_names_both_lines():
    message = error_of(other_structure, 1.0)
    first = other_structure.__code__.co_firstlineno
    assert f"line {first + 2}: `return x`" in message
    assert f"line {first + 3}: `return x, x`" in message
    assert "a tuple of length 2" in message


def refuses(x):
    if x <= 0.0:
        raise ValueError("x is to be positive")
    return gdc.log(x)


def asserts(x, y):
    assert x > 0.0, "x is to be positive"
    if y == 0.0:
        raise ZeroDivisionError
    return gdc.log(x) / y, 1.0


def test_a_way_that_raises_makes_nan():
    log = gdc.compile(refuses)
    assert log.value_and_grad(2.0) == (math.log(2.0), (0.5,))
    value, gradient = log.value_and_grad(-1.0)
    assert math.isnan(value)
    assert math.isnan(gradient.x)
    several = gdc.compile(asserts)
    assert several(math.e, 2.0) == (0.5, 1.0)
    assert all(map(math.isnan, [*several(-1.0, 2.0), *several(1.0, 0.0)]))


def test_another_error_on_a_way_names_the_line():
    def f(x):
        return x if x > 0.0 else x[0]

    message = error_of(f, 1.0)
    assert f"line {f.__code__.co_firstlineno + 1}" in message
    assert "where this is false" in message
    assert "TypeError" in message


def test_an_error_on_every_way_is_the_error():
    def f(x):
        return x[0] if x > 0.0 else x[1]

    with pytest.raises(TypeError):
        gdc.compile(f)(1.0)


def test_nothing_is_returned_on_one_way():
    def f(x):
        if x > 0.0:
            return x
        return None

    message = error_of(f, 1.0)
    line = f.__code__.co_firstlineno + 1
    assert f"line {line}: `if x > 0.0:`: where this is false, f returned nothing" in message


def test_a_function_has_to_do_the_same_each_time():
    numbers = iter(range(100))

    def f(x):
        return x if x > next(numbers) else -x

    assert "the same each time" in error_of(f, 1.0)


def test_a_function_has_to_branch_as_often_each_time():
    known = {}

    def f(x):
        if "y" not in known:
            known["y"] = 2.0 * x if x > 0.0 else -x
        return known["y"]

    assert "the same each time" in error_of(f, 1.0)


def without_else(x, y):
    if x < y:
        result = 2.0 * x
    elif y <= x:
        result = -y
    return result


def without_return(x, y):
    if x < y:
        return {"a": x, "b": 1.0}
    if x > y:
        return {"b": y, "a": x}
    if x == y:
        return {"a": y, "b": x}


def test_only_nan_goes_a_way_on_which_comparisons_contradict():
    function = gdc.compile(without_else)
    assert function.value_and_grad(1.0, 2.0) == (2.0, (2.0, 0.0))
    assert function.value_and_grad(3.0, 2.0) == (-2.0, (0.0, -1.0))
    assert math.isnan(function(math.nan, 2.0))
    several = gdc.compile(without_return)
    assert several(1.0, 2.0) == {"a": 1.0, "b": 1.0}
    assert several(3.0, 2.0) == {"a": 3.0, "b": 2.0}
    assert several(2.0, 2.0) == {"a": 2.0, "b": 2.0}
    assert math.isnan(several(math.nan, 2.0)["a"])


def test_a_value_that_is_not_itself_is_nan():
    function = gdc.compile(lambda x: 0.0 if x != x else x * x)
    assert function.value_and_grad(3.0) == (9.0, (6.0,))
    assert function.value_and_grad(math.nan) == (0.0, (0.0,))


def test_a_traced_value_has_no_truth_after_its_trace():
    kept = []

    def f(x):
        kept.append(x > 0.0)
        return x

    gdc.compile(f)(1.0)
    with pytest.raises(TraceError, match="ended"):
        bool(kept[0])


def test_a_trace_without_branches_runs_once():
    runs = []

    def f(x):
        runs.append(x)
        return x * x

    gdc.compile(f)(1.0)
    assert len(runs) == 1


def test_numbers_that_are_known_branch_as_ever():
    function = gdc.compile(lambda x: x if table.greater(2.0, 1.0) else -x)
    assert function(3.0) == 3.0
    assert operations(function) == []


def test_a_traced_value_is_a_number_for_who_asks():
    function = gdc.compile(lambda x: 2.0 * x if isinstance(x, Real) and np.isscalar(x) else x)
    assert function(3.0) == 6.0


def test_what_comparisons_have_decided_is_no_branch():
    def spread(x):
        return max(x) - min(x)

    x = [1.0, 3.0, -2.0, 0.5]
    assert gdc.compile(spread).value_and_grad(x) == (5.0, ([0.0, 1.0, -1.0, 0.0],))
    chain = gdc.compile(lambda a, b, c: a if a < b < c and a < c and not c <= a else b, branches=3)
    assert chain(1.0, 2.0, 3.0) == 1.0
    assert chain(1.0, 2.0, 1.5) == 2.0
