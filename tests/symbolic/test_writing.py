"""Compiled functions as sympy expressions, and both ways after each other."""

import math
from itertools import islice

import numpy as np
import pytest
import sympy
from sympy import Rational

import gradcompile as gdc
from gradcompile import Value
from gradcompile.ops.table import TABLE
from gradcompile.symbolic.words import number

x, y = sympy.symbols("x y", real=True)
a, b = sympy.symbols("a b")


@pytest.mark.parametrize("op", TABLE.values(), ids=lambda op: op.name)
def test_each_row_there_and_back(op):
    generator = np.random.default_rng(7)
    drawn = (tuple(p) for p in generator.uniform(-2.0, 3.0, size=(400, op.arity)).tolist())
    if op.name == "polygamma":
        drawn = ((float(k), p[1]) for k, p in enumerate(drawn))
    smooth = (p for p in drawn if op.domain == "False" or op.contains(*p))
    f = gdc.compile(lambda *args: op(*args), name="f", wrt=())
    symbols = sympy.symbols(f"x:{op.arity}", real=True)
    expression = gdc.to_sympy(f, *symbols)
    back = gdc.from_sympy(expression, symbols).value.python
    for point in islice(smooth, 3):
        expected = op.evaluate(*point)
        at = dict(zip(symbols, map(sympy.Float, point), strict=True))
        assert float(expression.subs(at)) == pytest.approx(expected, rel=1e-10), expression
        assert back(*point) == pytest.approx(expected, rel=1e-10), expression


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, y: x - y / 3 + 0.1, x - y / 3 + Rational(1, 10)),
        (lambda x, y: gdc.sqrt(x**2) * math.pi, sympy.pi * sympy.Abs(x)),
        (lambda x, y: gdc.maximum(x, y) + abs(x), sympy.Max(x, y) + sympy.Abs(x)),
        (lambda x, y: gdc.log1p(x) + gdc.sigmoid(y), sympy.log(x + 1) + 1 / (1 + sympy.exp(-y))),
        (lambda x, y: gdc.where(x > y, x, 0.0), sympy.Piecewise((x, x > y), (0, True))),
        (
            lambda x, y: x if x > y else y if y > 1 else 2.0,
            sympy.Piecewise((x, x > y), (y, y > 1), (2, True)),
        ),
        (lambda x, y: (x > y) * y, y * sympy.Piecewise((1, x > y), (0, True))),
        (lambda x, y: x % 2 - y // 3, sympy.Mod(x, 2) - sympy.floor(y / 3)),
        (lambda x, y: x * math.e + y, sympy.Float(math.e) * x + y),
    ],
)  # fmt: skip
def test_expressions_read_well(function, expected):
    assert gdc.to_sympy(gdc.compile(function)) - expected == 0


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (0.25, Rational(1, 4)), (1 / 3, Rational(1, 3)), (-0.7, Rational(-7, 10)), (3.0, 3),
        (math.pi, sympy.pi), (math.sqrt(2), sympy.sqrt(2)), (1e300, sympy.Float(1e300)),
        (1e-9, sympy.Float(1e-9)), (math.inf, sympy.oo), (-math.inf, -sympy.oo), (0.0, 0),
    ],
)  # fmt: skip
def test_numbers(x, expected):
    assert number(x) == expected
    assert float(number(x)) == x


def test_nan():
    assert number(math.nan) is sympy.nan


EXPRESSIONS = [
    a**2 + b, sympy.sin(a) * sympy.exp(-b) / 3, sympy.sqrt(a + b), sympy.Max(a, b, 3),
    a ** Rational(5, 2), sympy.Heaviside(a - b),
    sympy.Piecewise((a, a > b), (b**2, a < 1), (sympy.pi, True)), sympy.Abs(a - b) * sympy.sign(b),
    sympy.Piecewise((a, a > b), (b, b > 2)), sympy.floor(a) + sympy.ceiling(b) + sympy.Mod(a, b),
    sympy.atan2(a, b) + sympy.erf(a) - sympy.loggamma(b) + sympy.polygamma(0, b),
    sympy.Piecewise((a, (a > b) & ~sympy.Eq(b, 2)), (b, (a > 2) | (b > 1)), (1, True)),
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_there_and_back(expression):
    assert gdc.to_sympy(gdc.from_sympy(expression, [a, b]), a, b) == expression


def test_structures_there_and_back():
    expressions = {"m": sympy.Matrix([[a, b], [a * b, 1]]), "v": sympy.Array([a, b, 2]), "s": [a]}
    f = gdc.from_sympy(expressions, [[a, b]])
    assert gdc.to_sympy(f, [a, b]) == expressions
    assert f.arguments.signature.parameters.keys() == {"x1"}


def test_symbols_are_called_as_arguments():
    f = gdc.compile(lambda w, x: w["k"] * x[0] + x[1])
    expression = gdc.to_sympy(f, {"k": a}, sympy.Matrix([b, 2])[:])
    assert expression == a * b + 2
    f({"k": 1.0}, np.ones(2))
    names = {symbol.name for symbol in gdc.to_sympy(f).free_symbols}
    assert names == {"w_k", "x0", "x1"}


def test_static_arguments_and_defaults():
    f = gdc.compile(lambda x, n, mode="up": x**n if mode == "up" else x, static="n")
    assert gdc.to_sympy(f, a, 3) == a**3
    assert gdc.to_sympy(f, a, 3, "down") == a


def test_methods():
    class Spring:
        k = 3.0

        @gdc.compile
        def energy(self, x):
            return self.k * x**2 / 2

    assert gdc.to_sympy(Spring().energy, a) == 3 * a**2 / 2


def test_derivatives_by_composition():
    f = gdc.compile(lambda x: gdc.sin(x) * x)
    slope = gdc.compile(lambda x: f.grad(x).x)
    assert gdc.to_sympy(slope, a) == sympy.diff(sympy.sin(a) * a, a)


def test_graphs_and_programs():
    p, q = Value(2.0, label="p"), Value(3.0, label="q")
    product = p * q + 1
    expected = sympy.Symbol("p", real=True) * sympy.Symbol("q", real=True) + 1
    assert gdc.to_sympy(product) == expected
    f = gdc.compile(product, inputs=[p, q])
    assert gdc.to_sympy(f) == expected
    assert gdc.to_sympy(f.value.program, a, b) == a * b + 1
    assert gdc.to_sympy(f.program, a, b) == (a * b + 1, b, a)


def test_deep_programs():
    def f(x):
        for _ in range(3000):
            x = gdc.tanh(x)
        return x

    expression = gdc.to_sympy(gdc.compile(f), x)
    for _ in range(3000):
        (expression,) = expression.args
    assert expression == x


def test_programs_that_are_too_deep_for_sympy():
    def f(x):
        for _ in range(1000):
            x = gdc.where(x > 1.0, gdc.sigmoid(x), gdc.maximum(x, 2.0))
        return x

    with pytest.raises(ValueError, match="to_sympy: the expression is nested too deeply for sympy"):
        gdc.to_sympy(gdc.compile(f), x)


def test_bad_input():
    f = gdc.compile(lambda x, y: x * y, name="f")
    with pytest.raises(TypeError, match="to_sympy: expected a compiled function, a kernel"):
        gdc.to_sympy(lambda x: x)
    with pytest.raises(TypeError, match="missing a required argument"):
        gdc.to_sympy(f, a)
    with pytest.raises(TypeError, match="to_sympy: f is batched"):
        gdc.to_sympy(gdc.compile(lambda p, x: p * x, batched="x", name="f"))
    with pytest.raises(ValueError, match="to_sympy: f has 2 inputs, got 1 symbols"):
        gdc.to_sympy(f.value.program, a)
    with pytest.raises(ValueError, match=r"to_sympy: sympy refuses maximum\(x, nan\): "):
        gdc.to_sympy(gdc.compile(lambda x: gdc.maximum(x, math.nan)), x)
    graph = gdc.from_sympy(a * b, [[a, b]])
    with pytest.raises(ValueError, match="argument 'x1': expected a list of length 2"):
        gdc.to_sympy(graph, [a, b, a])


def test_kernels():
    f = gdc.compile(lambda x, y: gdc.sin(x) * y**2, name="wave")
    assert gdc.to_sympy(f.grad, a, b) == (sympy.cos(a) * b**2, 2 * sympy.sin(a) * b)
    hessian = gdc.to_sympy(f.hessian, a, b)
    assert hessian.x.y == hessian.y.x == 2 * sympy.cos(a) * b
    value, gradient = gdc.to_sympy(f.value_and_grad)
    symbols = sorted(value.free_symbols, key=str)
    assert [sympy.diff(value, symbol) for symbol in symbols] == list(gradient)
    pair = gdc.compile(lambda x: np.array([x[0] * x[1], x[1] ** 2]))
    columns = gdc.to_sympy(pair.jacobian, [a, b]).x
    assert [list(column) for column in columns] == [[b, 0], [a, 2 * b]]
    assert gdc.to_sympy(pair.jacobian.sparse.values, [a, b]).tolist() == [b, a, 2 * b]
    with pytest.raises(TypeError, match=r"matrices of scipy; write its \.values"):
        gdc.to_sympy(pair.jacobian.sparse)
