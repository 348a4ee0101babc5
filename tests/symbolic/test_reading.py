"""sympy expressions compiled: against `lambdify`, and what is said of those that cannot be."""

import math
import pickle

import numpy as np
import pytest
import sympy
from sympy import Eq, Heaviside, I, Max, Min, Mod, Ne, Piecewise, Rational, S

import gradcompile as gdc

x, y, z = sympy.symbols("x y z")
t = sympy.Symbol("t")
POINTS = [(0.7, 1.3, 2.5), (1.9, 0.4, 0.3), (0.2, 0.2, 5.5)]

EXPRESSIONS = [
    x + y - z, x - 2 * y, -x, -x * y / z, x / (3 * y**2), 2 * x / 7, x * 0.1, 1 / (x * y),
    (x + y) ** 2, sympy.sqrt(x) / y, 1 / sympy.sqrt(x), x ** Rational(1, 3), x**-2.5, x**y, 2**x,
    x**5, x ** Rational(-3, 2), sympy.exp(x) * sympy.E, sympy.pi * x, sympy.log(x, 10),
    sympy.log(x * y), sympy.EulerGamma * x, sympy.sin(x) + sympy.cos(y) * sympy.tan(z),
    sympy.asin(x / 9) + sympy.acos(y / 9) - sympy.atan(z), sympy.atan2(x, y), sympy.asinh(x),
    sympy.sinh(x) - sympy.cosh(y) + sympy.tanh(z), sympy.acosh(x + 2), sympy.atanh(x / 9),
    sympy.erf(x) + sympy.erfc(y), sympy.loggamma(x), sympy.digamma(x), sympy.polygamma(2, x),
    sympy.erfinv(x / 9), sympy.sec(x) + sympy.csc(y) * sympy.cot(z), sympy.acot(x),
    sympy.sech(x) + sympy.csch(y) * sympy.coth(z), sympy.asec(x + 3), sympy.acsc(x + 3),
    sympy.acoth(x + 2), sympy.acsch(x), sympy.asech(x / 9), sympy.sinc(x), sympy.frac(x),
    Max(x, y, z), Min(x, y, 1), abs(x - y), sympy.sign(x - y), Heaviside(x - y),
    Heaviside(x - y, 0), sympy.floor(x * y), sympy.ceiling(z), Mod(z, x), Mod(-z, x),
    Piecewise((x, x > y), (y, y > z), (z, True)), Piecewise((x, (x > y) & (y < z)), (1, True)),
    Piecewise((x, ~((x <= y) | Eq(y, z))), (z, Ne(x, y)), (2, True)), Piecewise((x, x > y)),
    sympy.ITE(x > y, z > y, z > x), sympy.re(x) + sympy.im(y) + sympy.conjugate(z),
    sympy.real_root(x, 3), sympy.cbrt(x), sympy.Sum(x**t / t, (t, 1, 4)),
    sympy.Product(x + t, (t, 0, 3)), sympy.Derivative(sympy.sin(x * y), x), S(3), sympy.pi, S.true,
    sympy.UnevaluatedExpr(x) * 2, x * sympy.zeta(3), x * sympy.gamma(Rational(1, 3)),
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_as_lambdify(expression):
    f = gdc.from_sympy(expression, [x, y, z]).value.python
    expected = sympy.lambdify([x, y, z], expression.doit(), ["scipy", "numpy"])
    for point in POINTS:
        with np.errstate(all="ignore"):
            wanted = float(expected(*point))
        assert f(*point) == pytest.approx(wanted, rel=1e-13, nan_ok=True), point


def test_numbers_beyond_the_floats():
    assert gdc.from_sympy(x + S(10) ** 400, x)(1.0) == math.inf
    assert gdc.from_sympy(x - S(10) ** 400, x)(1.0) == -math.inf
    assert gdc.from_sympy(x + S(10) ** 400 / (S(10) ** 400 + 1), x)(1.0) == 2.0
    assert gdc.from_sympy(Max(x, sympy.oo, evaluate=False), x)(1.0) == math.inf


def test_derivatives_are_those_of_sympy():
    expression = sympy.exp(-x * y) * sympy.sin(x / y) + x**3
    f = gdc.from_sympy(expression, (x, y))
    expected = [float(expression.diff(v).subs({x: 0.5, y: 2.0})) for v in (x, y)]
    assert list(f.grad(0.5, 2.0)) == pytest.approx(expected, rel=1e-14)
    assert f.verify().ok


def test_the_text_reads_like_the_expression():
    f = gdc.from_sympy(sympy.sin(x) * y - x**2 / (3 * y) - x, [x, y], name="wave")
    assert "def wave(x, y):" in f.value.source
    assert "value = y * sin(x) - x - x * x / (3.0 * y)" in f.value.source


def test_what_occurs_several_times_is_computed_once():
    inner = sympy.exp(x * y)
    text = gdc.from_sympy([inner + 1, inner * x, sympy.sin(inner)], [x, y]).value.source
    assert text.count("exp(") == 1


def test_results_in_any_structure():
    rotation = sympy.Matrix([[sympy.cos(t), -sympy.sin(t)], [sympy.sin(t), 0]])
    f = gdc.from_sympy({"r": rotation, "more": [t, (2, 0.5)], "a": sympy.Array([t, t])}, [t])
    result = f(0.5)
    assert result["r"] == pytest.approx(np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), 0]]))
    assert result["more"] == [0.5, (2.0, 0.5)]
    assert result["a"].tolist() == [0.5, 0.5]


def test_arguments_in_any_structure():
    w = sympy.symbols("w:2")
    m = sympy.MatrixSymbol("m", 2, 2)
    q = sympy.Function("q")(t)
    b = sympy.IndexedBase("b")
    expression = w[0] * x + w[1] * q + (m * m)[0, 1] * b[3] + sympy.Derivative(q, t)
    f = gdc.from_sympy(expression, [x, w, m, [q, sympy.Derivative(q, t)], b[3]])
    assert list(f.arguments.signature.parameters) == ["x", "w", "m", "x1", "b_3"]
    value, gradient = f.value_and_grad(
        2.0, (3.0, 4.0), np.array([[1.0, 2.0], [3.0, 4.0]]), [5.0, 6.0], 7.0
    )
    assert value == 6.0 + 20.0 + 70.0 + 6.0
    assert gradient.w == (2.0, 5.0)
    assert gradient.m.tolist() == [[14.0, 35.0], [0.0, 14.0]]
    assert gradient.x1 == [4.0, 1.0]


def test_whole_matrices():
    a = sympy.MatrixSymbol("a", 2, 2)
    f = gdc.from_sympy(a.T * a, [a])
    given = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert f(given).tolist() == (given.T @ given).tolist()


def test_arguments_by_names_and_one_alone():
    f = gdc.from_sympy(x * y, {"a": x, "lambda": [y]})
    assert f(2.0, [3.0]) == 6.0
    assert f.grad(2.0, [3.0]).a == 3.0
    assert gdc.from_sympy(x**2, x).grad(3.0).x == 6.0


def test_arguments_that_are_not_read():
    f = gdc.from_sympy(x**2, [x, y])
    assert f.value_and_grad(3.0, 1.0) == (9.0, (6.0, 0.0))
    assert gdc.from_sympy(S(2), [x]).value_and_grad(3.0) == (2.0, (0.0,))


def test_options():
    f = gdc.from_sympy(x * y, [x, y], wrt="x", batched="y", reduce="sum")
    assert f.grad(1.0, np.array([1.0, 2.0])).x == 3.0
    with pytest.raises(ValueError, match="wrt: 'q' is not an argument"):
        gdc.from_sympy(x * y, [x, y], wrt="q")
    with pytest.raises(TypeError, match="inputs= is for a Value"):
        gdc.from_sympy(x * y, [x, y], inputs=[x])


def test_parts_of_traced_functions_and_pickles():
    f = gdc.from_sympy(x**2 * y, [x, y])
    g = gdc.compile(lambda a: f.grad(a, 3.0).x + f(a, a))
    assert g.value_and_grad(2.0) == (20.0, (18.0,))
    assert pickle.loads(pickle.dumps(f)).grad(2.0, 3.0) == (12.0, 4.0)


def test_deep_expressions():
    depth = 5000
    expression = x
    for _ in range(depth):
        expression = sympy.Add(sympy.Mul(expression, y, evaluate=False), x, evaluate=False)
    f = gdc.from_sympy(expression, [x, y], roll=False)
    assert f.program.name == "f"
    assert len(f.value.program) == 2 * depth


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (x + z, "the expression contains z, which is not among the symbols"),
        (sympy.gamma(x), r"gamma has no row in the op table, so gamma\(x\) cannot be compiled"),
        (sympy.Function("q")(x), r"contains q\(x\), which is not among the symbols"),
        (sympy.Integral(sympy.exp(-(x**y)), (x, 0, 1)), "Integral has no row"),
        (sympy.Sum(t**x, (t, 1, y)), "Sum has no row"),
        (x * I, "the expression contains I, which is no real number"),
        (S.ComplexInfinity, "the expression contains zoo, which is no real number"),
        (sympy.IndexedBase("b")[1] * x, r"b\[1\], which is not among the symbols"),
    ],
    ids=str,
)
def test_what_has_no_row(expression, message):
    with pytest.raises(ValueError, match=message):
        gdc.from_sympy(expression, [x, y])


def test_bad_input():
    with pytest.raises(TypeError, match="from_sympy: the expression: expected sympy expressions"):
        gdc.from_sympy("x + 1", [x])
    with pytest.raises(TypeError, match=r"from_sympy: symbols: expected symbols, got Pow x\*\*2"):
        gdc.from_sympy(x, [x**2])
    with pytest.raises(TypeError, match=r"from_sympy: symbols: expected symbols, got float 1\.0"):
        gdc.from_sympy(x, [x, 1])
    with pytest.raises(TypeError, match="from_sympy: symbols: expected sympy expressions"):
        gdc.from_sympy(x, "x")
    with pytest.raises(ValueError, match="from_sympy: symbols: x is given twice"):
        gdc.from_sympy(x, [x, [y, x]])
