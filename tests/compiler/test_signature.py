"""The signature of the emitted function: the user's arguments, and results in the same form."""

import ast
import inspect

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.ir.signature import MAX_NUMBERS, Bundle, Signature


def signature(function, *args, kernel="value_and_grad", **options):
    f = gdc.compile(function, cache=False, **options)
    f.arguments.read(args, {})
    return getattr(f, kernel)._build().request.signature


def shown(bundles):
    """Each with its shape, where it is an array, and with a star for each row of a batch."""
    return " ".join(
        f"{b.name}{'' if b.shape is None else list(b.shape)}{'*' if b.is_row else ''}"
        for b in bundles
    )


W, ROWS = np.ones((2, 3)), np.ones((5, 2))

SIGNATURES = {
    "numbers": (lambda a, b: a * b, (1.0, 2.0), "a b", "a_bar b_bar"),
    "an array": (lambda w, b: w[0, 1] * b, (W, 1.0), "w[2, 3] b", "w_bar[2, 3] b_bar"),
    "a list": (lambda w: w[0] * w[1], ([1.0, 2.0],), "w[2]", "w_bar[2]"),
    "a tree": (lambda t: t[0] * t[1]["a"][0], ((1.0, {"a": [2.0]}),), "t[2]", "t_bar[2]"),
    "a dict with an array": (
        lambda p: p["w"][0, 0] * p["b"] * p["c"][1],
        ({"w": W, "b": 1.0, "c": [1.0, 2.0]},),
        "p_w[2, 3] p_b p_c[2]", "p_w_bar[2, 3] p_b_bar p_c_bar[2]",
    ),
    "a list of arrays": (
        lambda p: p[0][0] * p[1][0], ([np.ones(1), np.ones(2)],),
        "p_0[1] p_1[2]", "p_0_bar[1] p_1_bar[2]",
    ),
    "nothing": (lambda a, w: a * a, (1.0, []), "a", "a_bar"),
    "no entries": (lambda a, w: a * a, (1.0, np.zeros((0, 3))), "a w[0, 3]", "a_bar w_bar[0, 3]"),
    "names of the text": (
        lambda gradient, tanh: gdc.tanh(gradient) * tanh, (1.0, 2.0), "gradient tanh_", None
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNATURES)
def test_what_a_function_takes_and_returns(name):
    function, args, parameters, gradient = SIGNATURES[name]
    found = signature(function, *args)
    if gradient is not None:
        assert shown(found.parameters) == parameters
        assert shown(found.gradient) == gradient
    assert shown(found.value) == "value"
    assert signature(function, *args, kernel="value").gradient is None
    assert signature(function, *args, kernel="grad").value == ()


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_text_has_that_signature(name):
    function, args, *_ = SIGNATURES[name]
    for roll in (False, "auto"):
        f = gdc.compile(function, cache=False, roll=roll)
        f.arguments.read(args, {})
        for kernel in (f.value, f.grad, f.value_and_grad):
            made = kernel._build().request.signature
            (text,) = [x for x in ast.parse(kernel.source).body if isinstance(x, ast.FunctionDef)]
            assert [x.arg for x in text.args.args] == [b.name for b in made.parameters]
            assert list(inspect.signature(kernel.python).parameters) == [
                b.name for b in made.parameters
            ]
            flat = np.linspace(0.5, 1.5, sum(b.size for b in made.parameters))
            results = list(made.flatten(kernel.python(*made.arguments(flat))))
            assert [np.shape(x) for x in results] == [b.shape or () for b in made.results]


def test_arguments_that_are_differentiated_by():
    found = signature(lambda a, w, b: a * w[0] * b, 1.0, [2.0], 3.0, wrt=["b", "w"])
    assert shown(found.parameters) == "a w[1] b"
    assert shown(found.gradient) == "w_bar[1] b_bar"
    assert [b.start for b in found.gradient] == [0, 1]
    assert signature(lambda a: a * a, 1.0, wrt=[]).gradient == ()


@pytest.mark.parametrize("count", [MAX_NUMBERS, MAX_NUMBERS + 1])
def test_many_numbers_are_one_array(count):
    leaves = {f"a{k}": Value(k + 1.0) for k in range(count)}
    total = Value(0.0)
    for leaf in leaves.values():
        total = total + leaf * leaf
    f = gdc.compile(total, inputs=leaves, cache=False)
    found = f.value_and_grad._build().request.signature
    if count <= MAX_NUMBERS:
        assert shown(found.parameters) == " ".join(leaves)
        assert not any(b.is_merged for b in found.parameters)
        return
    assert shown(found.parameters) == f"inputs[{count}]"
    assert shown(found.gradient) == f"gradient[{count}]"
    assert found.parameters[0].is_merged
    assert found.parameters[0].labels == tuple(leaves)
    assert found.names() == list(leaves)
    numbers = [k + 1.0 for k in range(count)]
    _, gradient = f.value_and_grad(*numbers)
    assert gradient == tuple(2.0 * x for x in numbers)
    assert gradient._fields == tuple(leaves)
    assert all(type(x) is float for x in gradient)


def test_only_numbers_side_by_side_are_one_array():
    names = [f"a{k}" for k in range(MAX_NUMBERS)]
    scope = {}
    exec(f"def f(x, w, {', '.join(names)}): return x * w[0] + {' * '.join(names)}", scope)
    found = signature(scope["f"], 1.0, [2.0], *[1.0] * MAX_NUMBERS)
    assert shown(found.parameters) == f"x w[1] inputs[{MAX_NUMBERS}]"


@pytest.mark.parametrize(
    ("reduce", "wrt", "value", "gradient"),
    [
        ("mean", None, "value", "p_bar[2]"),
        ("sum", ["p", "x", "y"], "value", "p_bar[2] x_bar[2]* y_bar*"),
        (None, ["p", "y"], "value*", "p_bar[2]* y_bar*"),
    ],
)
def test_rows(reduce, wrt, value, gradient):
    found = signature(
        lambda p, x, y: p[0] * x[0] * y + p[1] * x[1], [1.0, 2.0], ROWS, np.ones(5),
        batched=("x", "y"), reduce=reduce, wrt=wrt,
    )  # fmt: skip
    assert shown(found.parameters) == "p[2] x[2]* y*"
    assert shown(found.value) == value
    assert shown(found.gradient) == gradient


def test_rows_in_dicts_and_rows_that_come_first():
    found = signature(
        lambda row, w: row["a"] * row["b"][1] * w, {"a": np.ones(5), "b": ROWS}, 2.0,
        batched="row",
    )  # fmt: skip
    assert shown(found.parameters) == "row_a* row_b[2]* w"
    assert [b.start for b in found.parameters] == [1, 2, 0]
    assert shown(found.gradient) == "w_bar"


def test_results_with_a_structure():
    found = signature(lambda a, w: {"x": a, "y": w * 2.0}, 1.0, np.ones(3), kernel="value")
    assert shown(found.value) == "values_x values_y[3]"
    assert shown(signature(lambda a: [a, a * a], 1.0, kernel="value").value) == "values[2]"


def test_names_are_distinct():
    found = signature(lambda p, p_0: p[0][0] * p_0, [np.ones(2)], 3.0)
    names = [b.name for b in found.parameters]
    assert len(set(names)) == 2
    assert names[0] == "p_0"


def test_arguments_and_flat_inputs_are_inverse():
    made = Signature((Bundle("x", None, 2), Bundle("w", (1, 2), 0)), (Bundle("value", None, 0),))
    flat = np.array([1.0, 2.0, 3.0])
    assert made.inputs(made.arguments(flat)).tolist() == flat.tolist()
    assert made.arguments(flat)[1].shape == (1, 2)
    assert made.sources() == ["w[0, 0]", "w[0, 1]", "x"]


@pytest.mark.parametrize(
    ("value", "gradient", "returned"),
    [
        (("v",), None, "v"),
        (("v", "u"), None, ("v", "u")),
        (("v",), ("a",), ("v", ("a",))),
        (("v", "u"), (), (("v", "u"), ())),
        ((), ("a", "b"), ("a", "b")),
        ((), (), ()),
    ],
)
def test_nesting_of_results(value, gradient, returned):
    def bundles(names):
        return None if names is None else tuple(Bundle(name, None, 0) for name in names)

    made = Signature((), bundles(value), bundles(gradient))
    parts = [*value, *(gradient or ())]
    assert made.nest(parts) == returned
    assert list(made.flatten(returned)) == parts
