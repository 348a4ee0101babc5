"""`check_grad`: right gradients pass, wrong ones are caught, and it says what it does not know."""

import math
from contextlib import contextmanager

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.check import (
    MAX_COMPONENTS_LISTED,
    Component,
    GradCheck,
    GradCheckError,
    check_grad,
)
from gradcompile.compiler.build import Build
from gradcompile.compiler.machine_code import Machines
from gradcompile.ops import functions, table
from tests.helpers.oracles import samples

DIFFERENTIABLE = [op for op in table.TABLE.values() if any(op.partials)]


@pytest.fixture
def python_kernels(monkeypatch):
    """Kernels run their emitted text under CPython: numba would take long for so many."""

    def run(build):
        function = np.errstate(all="ignore")(build.target.function)
        return lambda *given: function(*(np.float64(x) if np.ndim(x) == 0 else x for x in given))

    monkeypatch.setattr(Build, "machines", property(lambda build: Machines(run(build), run(build))))


@contextmanager
def changed(op, change):
    """The table with another partial for each operand, for functions compiled meanwhile."""
    original = op.partials
    wrong = tuple(partial and change(partial) for partial in original)
    object.__setattr__(op, "partials", wrong)
    try:
        yield
    finally:
        object.__setattr__(op, "partials", original)


def times(factor):
    return lambda partial: lambda *operands: factor * partial(*operands)


def always(slope):
    return lambda partial: lambda *operands: slope


def verdicts(report):
    return [component.verdict for component in report.components]


# --- machine code --------------------------------------------------------------------------------


def test_right_and_wrong_machine_code():
    def neuron(w, x, b):
        return gdc.tanh(functions.dot(w, x) + b)

    arguments = ([0.5, -1.0], [2.0, 0.25], 0.125)
    right = check_grad(gdc.compile(neuron), *arguments)
    assert right.ok
    assert right.method == "complex step"
    assert verdicts(right) == ["agrees"] * 5
    assert right.worst.relative_error < 1e-15
    with changed(table.tanh, times(1.0001)), pytest.raises(GradCheckError) as error:
        check_grad(gdc.compile(neuron, cache=False), *arguments)
    report = error.value.report
    assert not report.ok
    assert verdicts(report) == ["differs"] * 5
    assert report.worst.relative_error == pytest.approx(1e-4, rel=1e-3)
    assert str(error.value) == str(report)


# --- wrong rules ---------------------------------------------------------------------------------


def apply(op):
    """A compiled function that applies one operation to its arguments."""
    names = ", ".join(op.operand_names)
    return gdc.compile(eval(f"lambda {names}: op({names})", {"op": op}), name="f", cache=False)


NOWHERE = {"heaviside": {"h"}}
"""Slopes that are 0 but at a jump of the function, where no numerical slope is."""


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_every_partial_is_checked(op, python_kernels):
    names = zip(op.operand_names, op.partials, strict=True)
    missed = {name for name, partial in names if partial is not None} - NOWHERE.get(op.name, set())
    sound, faulty = apply(op), apply(op)
    for point in samples(op, 40):
        report = check_grad(sound, *point)
        with changed(op, times(1.0 + 1e-4)):
            wrong = check_grad(faulty, *point, raises=False)
        for right, component in zip(report.components, wrong.components, strict=True):
            if 1e-4 * abs(right.given) > 2.0 * right.error:
                assert component.verdict == "differs", component
                missed.discard(component.name)
        if not missed:
            return
    pytest.fail(f"no fault was put into the partial by {missed}")


@pytest.mark.parametrize("slope", [math.nan, math.inf, -math.inf, 0.0])
@pytest.mark.parametrize("op", [table.tanh, table.gelu], ids=lambda op: op.name)
def test_slopes_that_are_no_slopes(op, slope, python_kernels):
    with changed(op, always(slope)):
        report = check_grad(apply(op), 0.5, raises=False)
    assert verdicts(report) == ["differs"]
    assert report.worst.relative_error == (1.0 if slope == 0.0 else math.inf)


def test_a_missing_contribution(python_kernels):
    with changed(table.mul, lambda partial: lambda y, a, b: b):
        report = check_grad(gdc.compile(lambda x, y: x * y, cache=False), 2.0, 3.0, raises=False)
    assert verdicts(report) == ["agrees", "differs"]
    assert (report.worst.name, report.worst.given, report.worst.expected) == ("y", 3.0, 2.0)


def test_the_tolerance_is_the_callers(python_kernels):
    def f(x):
        return gdc.erf(x)

    with changed(table.erf, times(1.0 + 1e-5)):
        assert not check_grad(gdc.compile(f, cache=False), 0.5, raises=False).ok
        assert check_grad(gdc.compile(f, cache=False), 0.5, rtol=1e-4).ok
    with changed(table.tanh, times(1.0 + 1e-10)):
        g = gdc.compile(lambda x: gdc.tanh(x), cache=False)
        assert check_grad(g, 0.5).ok
        assert not check_grad(g, 0.5, rtol=1e-12, raises=False).ok


# --- arguments -----------------------------------------------------------------------------------


def test_nested_arguments(python_kernels):
    def loss(params, x):
        first, second = params["layers"]
        hidden = gdc.tanh(functions.matmul(first, x))
        return functions.dot(second, hidden) * params["scale"]

    rng = np.random.default_rng(0)
    params = {"layers": (rng.normal(size=(2, 3)), [0.5, -2.0]), "scale": 1.5}
    report = check_grad(gdc.compile(loss), params, [1.0, 2.0, 3.0])
    assert report.ok
    names = [component.name for component in report.components]
    assert names == [
        *(f"params_layers_0[{row}, {column}]" for row in range(2) for column in range(3)),
        *(f"params_layers_1[{k}]" for k in range(2)),
        "params_scale",
        *(f"x[{k}]" for k in range(3)),
    ]
    assert len(set(names)) == 12
    keywords = check_grad(gdc.compile(loss), x=[1.0, 2.0, 3.0], params=params)
    assert keywords == report


@pytest.mark.parametrize("wrt", ["x", ["w"], ["b", "w"], []])
def test_only_what_is_differentiated_by(wrt, python_kernels):
    f = gdc.compile(lambda w, x, b: functions.dot(w, x) + b * b, wrt=wrt)
    report = check_grad(f, [1.0, 2.0], [3.0, 4.0], 5.0)
    gradient = {
        "w": [("w[0]", 3.0), ("w[1]", 4.0)],
        "x": [("x[0]", 1.0), ("x[1]", 2.0)],
        "b": [("b", 10.0)],
    }
    expected = [pair for name in "wxb" if name in wrt for pair in gradient[name]]
    assert [(component.name, component.given) for component in report.components] == expected
    assert report.ok


def test_no_components(python_kernels):
    report = check_grad(gdc.compile(lambda x: x * x, wrt=[]), 1.0)
    assert report.ok
    assert report.worst is None
    assert str(report) == "gradient of f by complex step: 0 agree"


def test_a_finished_graph(python_kernels):
    w, x = Value(0.5, "weight"), Value(-2.0)
    f = gdc.compile((w * x).tanh(), {"w": w, "x": x})
    report = check_grad(f, 0.25, 3.0)
    assert [component.name for component in report.components] == ["w", "x"]
    assert report.ok


def test_every_structure_has_its_own_program(python_kernels):
    f = gdc.compile(lambda x: functions.norm(x))
    assert len(check_grad(f, [3.0, 4.0]).components) == 2
    assert len(check_grad(f, np.ones((2, 2))).components) == 4
    assert len(check_grad(f, [3.0, 4.0]).components) == 2


# --- where nothing can be told -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (gdc.relu, 0.0), (abs, 0.0), (gdc.sqrt, 0.0), (gdc.cbrt, 0.0), (gdc.log, -1.0),
        (gdc.floor, 2.0), (lambda x: 1.0 / x, 0.0), (lambda x: (1e16 + abs(x)) - 1e16, 1.3),
    ],
)  # fmt: skip
def test_undecided(function, at, python_kernels):
    report = check_grad(gdc.compile(lambda x: function(x), name="f"), at)
    assert verdicts(report) == ["undecided"]
    assert report.worst.verdict == "undecided"
    assert report.method == "central differences"


def test_one_kink_leaves_the_others_decided(python_kernels):
    report = check_grad(gdc.compile(lambda x, y: gdc.relu(x) + y * y), 0.0, 3.0)
    assert verdicts(report) == ["undecided", "agrees"]
    assert report.worst.name == "y"


@pytest.mark.parametrize("slope", [-0.5, 1.5, math.nan, math.inf])
def test_a_slope_on_neither_side_of_a_kink(slope, python_kernels):
    with changed(table.relu, always(slope)):
        f = gdc.compile(lambda x: gdc.relu(x), cache=False)
        report = check_grad(f, 0.0, raises=False)
    # No finite step rules out an infinite slope.
    assert verdicts(report) == ["undecided" if slope == math.inf else "differs"]


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "erf", "softplus", "gelu", "expm1", "log1p"])
def test_rounding_of_the_gradient_is_no_fault(name, python_kernels):
    function = apply(table.TABLE[name])
    for at in (0.5, 10.0, 20.0, 37.0, 355.0, -20.0):
        assert check_grad(function, abs(at) if name == "log1p" else at).ok, at


def test_what_is_stopped_is_held(python_kernels):
    report = check_grad(gdc.compile(lambda x: x * gdc.stop_gradient(x * x)), 3.0)
    assert (report.worst.given, report.worst.expected) == (9.0, 9.0)
    assert check_grad(gdc.compile(lambda x: gdc.stop_gradient(x)), 3.0).worst.expected == 0.0
    extreme = check_grad(gdc.compile(lambda x: functions.logsumexp(x)), [1000.0, -1000.0, 0.0])
    assert extreme.method == "complex step"  # the maximum is a constant
    assert verdicts(extreme) == ["agrees"] * 3


def test_a_choice_by_an_input_leaves_the_others_decided(python_kernels):
    f = gdc.compile(lambda x, target: functions.cross_entropy(x, target))
    report = check_grad(f, [1.0, -2.0, 0.5], 1.0)
    assert verdicts(report) == ["agrees", "agrees", "agrees", "undecided"]


# --- the report ----------------------------------------------------------------------------------


def component(name, given, expected, verdict, error=0.0):
    return Component(name, given, expected, error, verdict)


def test_the_report_prints_what_matters():
    fine = GradCheck("f", "complex step", (component("x", 1.0, 1.0, "agrees", 1e-16),))
    assert str(fine) == (
        "gradient of f by complex step: 1 agree\n"
        "  x: agrees: given 1, expected 1 ± 1e-16, relative error 0"
    )
    mixed = GradCheck(
        "f",
        "central differences",
        (
            component("x", 1.0, 1.0, "agrees"),
            component("y", 1.0, 2.0, "differs"),
            component("z", 1.0, 4.0, "differs"),
            component("k", 0.0, 0.5, "undecided", 1.0),
        ),
    )
    lines = str(mixed).splitlines()
    assert lines[0] == "gradient of f by central differences: 1 agree, 2 differ, 1 undecided"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["z", "y", "k"]
    assert mixed.worst.name == "z"
    many = GradCheck(
        "f", "complex step", tuple(component(f"x{k}", 1.0, 2.0, "differs") for k in range(12))
    )
    assert str(many).splitlines()[-1] == f"  and {12 - MAX_COMPONENTS_LISTED} more"


@pytest.mark.parametrize(
    ("given", "expected", "relative"),
    [
        (1.0, 1.0, 0.0), (0.0, -0.0, 0.0), (1.0, 2.0, 0.5), (0.0, 1e-300, 1.0),
        (math.nan, 1.0, math.inf), (math.inf, 1.0, math.inf), (math.inf, math.inf, 0.0),
        (math.inf, -math.inf, math.inf), (1.0, math.nan, math.inf),
    ],
)  # fmt: skip
def test_relative_errors(given, expected, relative):
    assert component("x", given, expected, "differs").relative_error == relative


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [math.sin, None, "f", Value(1.0)], ids=lambda f: type(f).__name__)
def test_no_compiled_function(f):
    with pytest.raises(TypeError, match=r"^check_grad: expected a compiled function, got .+"):
        check_grad(f, 1.0)


def test_arguments_that_the_function_refuses(python_kernels):
    f = gdc.compile(lambda x: x * x)
    with pytest.raises(TypeError, match="expected numbers, got Values"):
        check_grad(f, Value(1.0))
    with pytest.raises(TypeError, match="missing a required argument"):
        check_grad(f)
    with pytest.raises(TypeError, match="'x'"):
        check_grad(f, "one")
    with pytest.raises(TypeError, match="gradient is that of one number"):
        check_grad(gdc.compile(lambda x: [x, x]), 1.0)
