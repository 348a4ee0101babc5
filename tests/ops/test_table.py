"""Every row of the op table against its oracles, and in every engine.

The tests loop over the table and need nothing for a new row but its meaning in `oracles.py`;
a row without one fails.
"""

import ast
import itertools
import math
import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, ieee
from gradcompile.autodiff.reverse import reverse
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Const, Instruction, Program, Var
from gradcompile.ops import table
from gradcompile.ops.op import Op
from gradcompile.ops.table import TABLE, UFUNCS
from gradcompile.passes.rules import IDENTITIES, STABILITY
from tests.helpers import oracles
from tests.helpers.engines import flat, machine, python, same
from tests.helpers.programs import SPECIAL, deadline

ROWS = [pytest.param(op, id=op.name) for op in TABLE.values()]
KINKED = [pytest.param(op, id=op.name) for op in TABLE.values() if op.kinks]

FEW_SPECIAL = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -2.5, 5e-324, 1e300)


def special_points(op):
    """Every combination of special operands; of fewer ones where there are three operands."""
    return list(itertools.product(SPECIAL if op.arity < 3 else FEW_SPECIAL, repeat=op.arity))


def single(op, operands=None):
    """The program of one operation."""
    inputs = tuple(Var(name) for name in op.operand_names)
    result = Var()
    return Program("f", inputs, (Instruction(result, op, operands or inputs),), (result,))


def gradient(op):
    return reverse(single(op), range(op.arity), keep_value=False)


# --- the calculus ----------------------------------------------------------------------------


@pytest.mark.parametrize("op", ROWS)
def test_result_is_what_the_operation_means(op):
    assert oracles.wrong_values(op) == []


@pytest.mark.parametrize("op", ROWS)
def test_partials_equal_mpmaths_derivatives(op):
    assert oracles.wrong_partials(op) == []


@pytest.mark.parametrize("op", ROWS)
def test_sympy_proves_the_partials(op):
    assert oracles.unproved_partials(op) == []


@pytest.mark.parametrize("op", ROWS)
def test_second_derivatives_by_reverse_mode_twice(op):
    assert oracles.wrong_second_derivatives(op) == []


@pytest.mark.parametrize("op", ROWS)
def test_eager_gradient_equals_the_partials(op):
    program = gradient(op)
    for point in oracles.samples(op, 5):
        values = [Value(x) for x in point]
        op(*values).backward()
        found = [x.grad for x in values]
        assert found == flat(interpret(program, point))


BUILTINS = {"abs", "bool", "max"}
"""The functions of Python itself that an expression may call."""


@pytest.mark.parametrize("op", ROWS)
def test_an_expression_calls_only_what_emitted_code_has(op):
    names = {node.id for node in ast.walk(op.template) if isinstance(node, ast.Name)}
    assert names - {*op.operand_names} <= {*ieee.FUNCTIONS, "float64", *BUILTINS}
    assert not BUILTINS & {*ieee.FUNCTIONS, *op.operand_names}


def test_the_oracles_themselves_are_not_stale():
    assert {name for name, _ in oracles.COUNTS} <= set(TABLE)
    assert set(TABLE) >= oracles.BY_DEFINITION
    for name in oracles.BY_DEFINITION:
        assert set(TABLE[name].partials) == {None}


# --- the oracles can fail: wrong rows --------------------------------------------------------


def report_on(op):
    return {
        "values": oracles.wrong_values(op),
        "partials": oracles.wrong_partials(op),
        "sympy": oracles.unproved_partials(op),
        "second": oracles.wrong_second_derivatives(op),
    }


def test_a_row_with_a_wrong_partial_is_found(monkeypatch):
    wrong = replace(table.tanh, partials=(lambda y, x: 1.0 + y * y,))
    for rule in (*STABILITY, *IDENTITIES):
        assert rule.tree  # rules keep the rows that they have found when they were first read
    monkeypatch.setitem(TABLE, "tanh", wrong)
    found = report_on(wrong)
    assert found["values"] == []
    assert all(found[kind] for kind in ("partials", "sympy", "second"))


def test_a_row_with_one_of_two_partials_wrong_is_found():
    wrong = replace(table.div, partials=(table.div.partials[0], lambda y, a, b: y / b))
    assert any("by b" in text for text in oracles.wrong_partials(wrong))
    assert not any("by a" in text for text in oracles.wrong_partials(wrong))
    assert any("by b" in text for text in oracles.unproved_partials(wrong))


def test_a_missing_partial_is_found():
    wrong = replace(table.mul, partials=(table.mul.partials[0], None))
    assert oracles.wrong_partials(wrong)
    assert oracles.unproved_partials(wrong)


def test_a_partial_wrong_on_one_side_of_a_kink_is_found():
    wrong = replace(table.abs_, partials=(lambda y, x: 1.0,))
    assert oracles.wrong_partials(wrong)
    assert oracles.unproved_partials(wrong)


def test_a_wrong_expression_is_found():
    assert oracles.wrong_values(replace(table.sigmoid, expression="1.0 / (1.0 + exp(x))"))


def test_a_row_without_an_oracle_is_wrong(monkeypatch):
    row = Op("cosecant", "x", "1.0 / sin(x)", (lambda y, x: -y * y * table.cos(x),))
    monkeypatch.setitem(TABLE, "cosecant", row)
    found = report_on(row)
    assert "no oracle" in found["values"][0]
    assert "no oracle" in found["partials"][0]


def test_a_row_that_sympy_cannot_read_is_wrong(monkeypatch):
    row = Op("mystery", "x", "mystery(x)", (lambda y, x: y,))
    monkeypatch.setitem(TABLE, "mystery", row)
    assert "no oracle" in oracles.unproved_partials(row)[0]


def test_an_empty_domain_is_wrong():
    assert "no point" in oracles.wrong_partials(replace(table.exp, domain="x != x"))[0]


# --- limits ----------------------------------------------------------------------------------

LIMITS = [
    ("hypot", (math.inf, 1.0), math.inf, (1.0, 0.0)),
    ("hypot", (-2.0, -math.inf), math.inf, (0.0, -1.0)),
    ("hypot", (-math.inf, math.inf), math.inf, (-1.0, 1.0)),
    ("hypot", (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("atan2", (math.inf, 1.0), math.pi / 2, (0.0, 0.0)),
    ("atan2", (1.0, math.inf), 0.0, (0.0, 0.0)),
    ("logaddexp", (math.inf, math.inf), math.inf, (0.5, 0.5)),
    ("logaddexp", (-math.inf, -math.inf), -math.inf, (0.5, 0.5)),
    ("logaddexp", (-math.inf, 1.0), 1.0, (0.0, 1.0)),
    ("lgamma", (math.inf,), math.inf, (math.inf,)),
    ("lgamma", (0.0,), math.inf, (-math.inf,)),
    ("digamma", (math.inf,), math.inf, (0.0,)),
    ("digamma", (0.0,), -math.inf, (math.inf,)),
    ("sqrt", (0.0,), 0.0, (math.inf,)),
    ("sqrt", (math.inf,), math.inf, (0.0,)),
    ("log", (math.inf,), math.inf, (0.0,)),
    ("cbrt", (-0.0,), 0.0, (math.inf,)),
    ("rsqrt", (math.inf,), 0.0, (0.0,)),
    ("reciprocal", (math.inf,), 0.0, (0.0,)),
    ("sigmoid", (-math.inf,), 0.0, (0.0,)),
    ("softplus", (math.inf,), math.inf, (1.0,)),
    ("atan", (-math.inf,), -math.pi / 2, (0.0,)),
    ("asinh", (math.inf,), math.inf, (0.0,)),
    ("acosh", (math.inf,), math.inf, (0.0,)),
    ("erf", (math.inf,), 1.0, (0.0,)),
    ("tanh", (-math.inf,), -1.0, (0.0,)),
]
"""Values and slopes at infinity and at 0: what they tend to."""


def test_values_and_slopes_at_infinity_are_limits():
    for name, at, value, slopes in LIMITS:
        op = TABLE[name]
        assert op.evaluate(*at) == value, (name, at)
        assert [op.slope(k, value, at) for k in range(op.arity)] == list(slopes), (name, at)
        assert flat(interpret(gradient(op), at)) == list(slopes), (name, at)


@pytest.mark.slow
def test_slopes_at_infinity_are_limits_in_machine_code():
    found = machine([gradient(TABLE[name]) for name, _, _, _ in LIMITS])([x[1] for x in LIMITS])
    assert found == [list(slopes) for _, _, _, slopes in LIMITS]


# --- kinks -----------------------------------------------------------------------------------


def kinks():
    return [(op, at, slopes) for op in TABLE.values() for at, slopes in (op.kinks or {}).items()]


@pytest.mark.parametrize("op", KINKED)
def test_kinks_are_outside_of_the_domain(op):
    for at, slopes in op.kinks.items():
        assert len(at) == len(slopes) == op.arity
        assert not op.contains(*at)


@pytest.mark.parametrize("op", KINKED)
def test_slope_at_a_kink_lies_between_those_beside_it(op):
    function = oracles.meaning(op)
    for at, slopes in op.kinks.items():
        for index, slope in enumerate(slopes):
            with mpmath.workdps(oracles.DIGITS):
                beside = []
                for side in (1, -1):
                    point = [mpmath.mpf(x) for x in at]
                    point[index] += side * mpmath.mpf("1e-20")
                    beside.append(
                        mpmath.diff(lambda x, p=point, i=index: function(*p[:i], x, *p[i + 1 :]),
                                    point[index])
                    )  # fmt: skip
                low, high = min(beside), max(beside)
                assert low - mpmath.mpf("1e-10") <= slope <= high + mpmath.mpf("1e-10")


@pytest.mark.parametrize("op", KINKED)
def test_slope_at_a_kink_eagerly_and_interpreted(op):
    for at, slopes in op.kinks.items():
        values = [Value(x) for x in at]
        op(*values).backward()
        assert [x.grad for x in values] == list(slopes)
        assert flat(interpret(gradient(op), at)) == list(slopes)
        assert python(gradient(op))(at) == list(slopes)


@pytest.mark.slow
def test_slopes_at_kinks_in_machine_code():
    found = machine([gradient(op) for op, _, _ in kinks()])([at for _, at, _ in kinks()])
    assert found == [list(slopes) for _, _, slopes in kinks()]


# --- special numbers: one result in every engine ------------------------------------------------


@pytest.mark.parametrize("op", ROWS)
def test_special_operands_never_raise_and_equal_emitted_python(op):
    run = python(single(op))
    for point in special_points(op):
        with deadline(5):
            assert same(run(point), [op.evaluate(*point)]), point


@pytest.mark.parametrize("op", ROWS)
def test_special_operands_as_constants_in_emitted_python(op):
    # Constants are plain Python floats, for which CPython raises where IEEE has an answer.
    points = special_points(op)
    if op.arity > 1:
        points = list(itertools.product(FEW_SPECIAL, repeat=op.arity))
    variables = [Var() for _ in points]
    instructions = [
        Instruction(var, op, tuple(map(Const, point)))
        for var, point in zip(variables, points, strict=True)
    ]
    program = Program("f", (Var("x"),), tuple(instructions), (tuple(variables),))
    with deadline(20):
        found = python(program)([1.0])
    for point, result in zip(points, found, strict=True):
        assert same([result], [op.evaluate(*point)]), point


@pytest.mark.parametrize("op", ROWS)
def test_special_operands_have_a_slope_that_never_raises(op):
    program = gradient(op)
    run = python(program)
    for point in special_points(op):
        values = [Value(x) for x in point]
        with deadline(5):
            op(*values).backward()
            expected = flat(interpret(program, point))
            assert same(run(point), expected), point
        # A gate stops what its slope of zero makes of inf; the adjoint here is 1, so it is equal.
        found = [x.grad + 0.0 for x in values]
        assert same(found, [x + 0.0 for x in expected]), point


# test_bad_input.py has one kernel of all rows; those with three operands have more points here.
@pytest.mark.parametrize("arity", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2)), 3])
def test_special_operands_in_machine_code(arity):
    wrong = []
    group = [op for op in TABLE.values() if op.arity == arity and is_total(op)]
    run = machine([single(op) for op in group])
    for point in special_points(group[0]):
        for op, found in zip(group, run([point] * len(group)), strict=True):
            if not same(found, [op.evaluate(*point)]):
                wrong.append(f"{op.name}{point}: {found[0]!r}, not {op.evaluate(*point)!r}")
    assert wrong == []


def is_total(op):
    """Does it have a result, soon, for all special operands? No deadline stops machine code."""
    try:
        with deadline(5):
            for point in special_points(op):
                op.evaluate(*point)
    except Exception:
        return False  # another test is about that
    return True


@pytest.mark.parametrize("op", ROWS)
def test_commutative_rows_commute_and_others_do_not(op):
    if op.arity != 2:
        assert not op.commutative
        return
    points = [*special_points(op), *oracles.samples(op, 20)]

    def equal(a, b):
        return a == b or (math.isnan(a) and math.isnan(b))  # up to the sign of zero

    with deadline(20):
        commutes = [equal(op.evaluate(a, b), op.evaluate(b, a)) for a, b in points]
    assert all(commutes) == op.commutative


# --- every way to call it --------------------------------------------------------------------

SAMPLES = {op.name: oracles.sample(op, random.Random(1)) for op in TABLE.values()}


def point_of(op):
    return SAMPLES[op.name] or (0.5,) * op.arity


@pytest.mark.parametrize("op", ROWS)
def test_as_a_function_of_numbers_values_and_arrays(op):
    function = getattr(gdc, op.name)
    assert op.name in gdc.__all__
    point = point_of(op)
    expected = op.evaluate(*point)
    assert function(*point) == expected
    value = function(*map(Value, point))
    assert (type(value), value.data, value.op) == (Value, expected, op)
    array = function(*[np.array([x, x]) for x in point])
    assert array.dtype == np.float64
    assert array.tolist() == [expected, expected]
    values = function(*[np.array([Value(x)], dtype=object) for x in point])
    assert values[0].data == expected
    mixed = function(Value(point[0]), *[np.array([x]) for x in point[1:]])
    assert np.ravel(mixed)[0].data == expected
    assert function([point[0]], *point[1:])[0] == expected


@pytest.mark.parametrize("op", ROWS)
def test_as_a_method(op):
    first, *others = map(Value, point_of(op))
    for name in {op.name, op.ufunc or op.name}:
        value = getattr(first, name)(*others)
        assert type(value) is Value
        assert value.data == op.evaluate(*point_of(op))


@pytest.mark.parametrize("op", ROWS)
def test_wrong_operands_are_type_errors_that_name_it(op):
    with pytest.raises(TypeError, match=op.name):
        op(*(1.0,) * (op.arity + 1))
    for bad in (1j, "1", None):
        with pytest.raises(TypeError, match=op.name):
            op(bad, *(1.0,) * (op.arity - 1))


@pytest.mark.parametrize("one", [True, np.True_, Fraction(1), Decimal(1), np.int8(1)], ids=repr)
def test_every_real_number_is_a_number(one):
    x = Value(2.5)
    for result in (x * one, one * x, gdc.mul(x, one), np.multiply(x, one), np.multiply(one, x)):
        assert (result.data, result.op) == (2.5, table.mul)
    for op in TABLE.values():
        others = (1.0,) * (op.arity - 1)
        assert same([op(one, *others)], [op.evaluate(1.0, *others)])


@pytest.mark.parametrize("op", [pytest.param(o, id=o.name) for o in TABLE.values() if o.defaults])
def test_operands_with_defaults_may_be_left_out(op):
    point = point_of(op)
    given = point[: op.arity - len(op.defaults)]
    assert op(*given) == op.evaluate(*given, *op.defaults)
    value = getattr(Value(given[0]), op.name)(*given[1:])
    assert value.data == op.evaluate(*given, *op.defaults)


NUMPY = {name: op for name, op in UFUNCS.items() if isinstance(getattr(np, name, None), np.ufunc)}

DECIDED_BY_NUMPY = {
    "maximum", "minimum", "sign", "greater", "greater_equal", "less", "less_equal",
    "logical_and", "logical_or", "logical_not",
}  # fmt: skip
"""For object arrays numpy branches on the elements itself: that is an error, never a number."""

BY_IDENTITY = {"equal", "not_equal"}
"""For object arrays numpy asks whether elements are equal: that is whether they are the same."""

NOT_FOR_OBJECTS = {"copysign", "logaddexp", "heaviside"}
"""numpy has no loop over objects for these."""


@pytest.mark.parametrize("name", NUMPY)
def test_as_a_numpy_function_of_a_value(name):
    op, ufunc = NUMPY[name], getattr(np, name)
    point = point_of(op)
    value = ufunc(*map(Value, point))
    assert (type(value), value.data, value.op) == (Value, op.evaluate(*point), op)
    mixed = ufunc(Value(point[0]), *point[1:])
    assert mixed.data == op.evaluate(*point)


@pytest.mark.parametrize("name", NUMPY)
def test_as_a_numpy_function_of_an_array_of_values(name):
    op, ufunc = NUMPY[name], getattr(np, name)
    point = point_of(op)
    arrays = [np.array([Value(x), Value(x)], dtype=object) for x in point]
    if name in DECIDED_BY_NUMPY:
        with pytest.raises(TypeError, match="where"):
            ufunc(*arrays)
    elif name in BY_IDENTITY:
        a, b = arrays
        assert [*ufunc(a, a), *ufunc(a, b)] == [*[name == "equal"] * 2, *[name != "equal"] * 2]
    elif name in NOT_FOR_OBJECTS:
        with pytest.raises(TypeError):
            ufunc(*arrays)
    else:
        for result in ufunc(*arrays):
            assert isinstance(result, Value), "the graph is lost"
            assert result.data == pytest.approx(op.evaluate(*point), rel=1e-15)


def test_names_are_distinct_and_the_table_is_complete():
    assert len(UFUNCS) == len(TABLE)
    rows = [x for x in vars(table).values() if isinstance(x, Op)]
    assert sorted(TABLE) == sorted(op.name for op in rows)
    for op in rows:
        assert len(op.operand_names) == len(op.partials) == op.arity
        assert op.name.isidentifier()


def test_where_the_bounds_of_clip_cross_the_upper_one_counts():
    x, a, b = Value(0.5), Value(3.0), Value(1.0)
    y = gdc.clip(x, a, b)
    y.backward()
    assert y.data == 1.0
    assert [v.grad for v in (x, a, b)] == [0.0, 0.0, 1.0]
