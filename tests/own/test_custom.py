"""Functions with a rule for their derivative, in every engine, against jax's and closed forms."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.own.slopes import MAX_ORDER
from tests.own.derivatives import derivatives


def softplus_rule(primals, tangents):
    (x,), (x_dot,) = primals, tangents
    return gdc.sigmoid(x) * x_dot


softplus = gdc.custom(lambda x: gdc.log(1.0 + gdc.exp(x)), jvp=softplus_rule)


def product_rule(primals, tangents):
    (a, b), (a_dot, b_dot) = primals, tangents
    return a_dot * b + a * b_dot


product = gdc.custom(lambda a, b: a * b, jvp=product_rule)

own_exp = gdc.custom(gdc.exp, jvp=lambda primals, tangents: own_exp(*primals) * tangents[0])

own_sin = gdc.custom(gdc.sin, jvp=lambda primals, tangents: own_cos(*primals) * tangents[0])
own_cos = gdc.custom(gdc.cos, jvp=lambda primals, tangents: -own_sin(*primals) * tangents[0])

length = gdc.custom(
    lambda a: gdc.sqrt((a * a).sum()),
    jvp=lambda primals, tangents: (primals[0] * tangents[0]).sum() / length(*primals),
)


def test_the_slope_is_that_of_the_rule():
    f = gdc.compile(lambda x: gdc.custom(gdc.exp, jvp=lambda p, t: 7.0 * t[0])(x))
    assert f.value_and_grad(0.5) == (math.exp(0.5), (7.0,))


def test_the_text_is_that_of_the_function_and_its_rule():
    @gdc.compile
    def f(x, w):
        y = softplus(w * x)
        return y * y

    source = f.source
    assert "y = softplus(" in source
    assert "held" not in source
    assert "with_slope" not in source
    assert "y_bar = 2.0 * y" in source
    assert [check.verdict for check in f.verify()] == ["proved", "proved"]


@pytest.mark.parametrize("at", [-3.0, 0.0, 0.7, 30.0])
def test_against_the_row(at):
    own = gdc.compile(lambda x: softplus(x) * gdc.exp(-x) + softplus(softplus(x)))
    row = gdc.compile(lambda x: gdc.softplus(x) * gdc.exp(-x) + gdc.softplus(gdc.softplus(x)))
    assert own.value_and_grad(at)[0] == pytest.approx(row.value_and_grad(at)[0], rel=1e-13)
    assert own.grad(at).x == pytest.approx(row.grad(at).x, rel=1e-12)


def test_values_and_numbers():
    x, y = Value(0.3), Value(-2.0)
    z = product(softplus(x), y)
    z.backward()
    assert z.data == pytest.approx(-2.0 * math.log1p(math.exp(0.3)), rel=1e-15)
    assert x.grad == pytest.approx(-2.0 / (1.0 + math.exp(-0.3)), rel=1e-15)
    assert y.grad == pytest.approx(math.log1p(math.exp(0.3)), rel=1e-15)
    assert product(3.0, 4.0) == 12.0
    assert product(x, 2.0).data == 0.6


def test_the_other_uses_of_an_argument_count_as_well():
    f = gdc.compile(lambda x: softplus(gdc.sin(x)) + gdc.exp(gdc.sin(x)))
    g = gdc.compile(lambda x: gdc.softplus(gdc.sin(x)) + gdc.exp(gdc.sin(x)))
    assert f.grad(0.4).x == pytest.approx(g.grad(0.4).x, rel=1e-14)
    assert f.verify().ok


def test_what_the_function_computes_elsewhere_too_is_differentiated_there():
    rule = gdc.custom(lambda x: gdc.exp(gdc.sin(x)), jvp=lambda p, t: 5.0 * t[0])
    f = gdc.compile(lambda x: rule(x) + gdc.sin(x))
    assert f.grad(0.4).x == pytest.approx(5.0 + math.cos(0.4), rel=1e-14)


@pytest.mark.parametrize(
    ("own", "row"),
    [
        (softplus, gdc.softplus),
        (own_exp, gdc.exp),
        (own_sin, gdc.sin),
        (lambda x: product(x, product(x, own_sin(x))), lambda x: x * x * gdc.sin(x)),
        (lambda x: length(np.array([x, x * x, 3.0])), lambda x: gdc.sqrt(x * x + x**4 + 9.0)),
    ],
)
def test_derivatives_of_higher_order(own, row):
    found, expected = (derivatives(f, 0.6, MAX_ORDER) for f in (own, row))
    assert found == pytest.approx(expected, rel=1e-12)


def test_beyond_the_highest_order_a_rule_that_calls_its_function_is_nan():
    assert math.isnan(derivatives(own_exp, 0.6, MAX_ORDER + 1)[-1])
    assert not math.isnan(derivatives(softplus, 0.6, MAX_ORDER + 1)[-1])


@pytest.mark.peers
def test_against_jax():
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    @jax.custom_jvp
    def clipped(x, y):
        return jnp.exp(x) * y

    @clipped.defjvp
    def clipped_jvp(primals, tangents):
        (x, y), (x_dot, y_dot) = primals, tangents
        return clipped(x, y), jnp.sin(x) * y * x_dot + x * x * y_dot

    def rule(primals, tangents):
        (x, y), (x_dot, y_dot) = primals, tangents
        return gdc.sin(x) * y * x_dot + x * x * y_dot

    own = gdc.custom(lambda x, y: gdc.exp(x) * y, jvp=rule)
    f = gdc.compile(lambda x, y: own(x * y, y) ** 2 + own(y, x))
    expected = jax.grad(lambda x, y: clipped(x * y, y) ** 2 + clipped(y, x), (0, 1))
    at = (0.7, -1.3)
    assert [*f.grad(*at)] == pytest.approx([float(x) for x in expected(*at)], rel=1e-13)


def test_arguments_and_results_of_any_structure():
    @dataclass
    class Pair:
        a: object
        b: object

    def rule(primals, tangents):
        (p, w), (p_dot, w_dot) = primals, tangents
        return {"s": (p.a * w_dot + p_dot.a * w).sum(), "d": [p_dot.b]}

    own = gdc.custom(lambda p, w: {"s": (p.a * w).sum(), "d": [p.b]}, jvp=rule)

    @gdc.compile
    def f(p, w):
        found = own(p, w)
        return found["s"] * found["d"][0]

    p, w = Pair(np.array([1.0, 2.0]), 3.0), np.array([0.5, -1.5])
    gradient = f.grad(p, w)
    assert gradient.p.a.tolist() == [1.5, -4.5]
    assert gradient.p.b == -2.5
    assert gradient.w.tolist() == [3.0, 6.0]
    assert f.verify().ok


def test_it_branches():
    own = gdc.custom(lambda x: x * x if x > 1.0 else 2.0 * x - 1.0,
                     jvp=lambda p, t: 2.0 * p[0] * t[0] if p[0] > 1.0 else 2.0 * t[0])  # fmt: skip
    f = gdc.compile(lambda x: own(x))
    assert [f.value_and_grad(x) for x in (3.0, 0.5)] == [(9.0, (6.0,)), (0.0, (2.0,))]
    assert f.verify().ok


def test_rows():
    f = gdc.compile(lambda w, x: softplus(w * x), batched="x", reduce="sum")
    g = gdc.compile(lambda w, x: gdc.softplus(w * x), batched="x", reduce="sum")
    x = np.linspace(-2.0, 2.0, 37)
    assert f.grad(0.7, x).w == pytest.approx(g.grad(0.7, x).w, rel=1e-12)


@pytest.mark.slow
def test_in_loops():
    def total(smooth):
        return lambda x, w: gdc.sum([smooth(xi * w) * xi for xi in x])

    f, g = (gdc.compile(total(smooth), roll=True) for smooth in (softplus, gdc.softplus))
    x = np.linspace(-2.0, 2.0, 50)
    assert f(x, 0.7) == pytest.approx(g(x, 0.7), rel=1e-14)
    assert "for " in f.source
    assert f.grad(x, 0.7).x == pytest.approx(g.grad(x, 0.7).x, rel=1e-12)
    assert f.grad(x, 0.7).w == pytest.approx(g.grad(x, 0.7).w, rel=1e-12)
    assert f.verify().ok


def test_a_rule_that_contradicts_the_function_is_refuted():
    def rule(primals, tangents):
        (x, y), (x_dot, y_dot) = primals, tangents
        return gdc.cos(x) * y * x_dot + 2.0 * gdc.sin(x) * y_dot

    wrong = gdc.custom(lambda x, y: gdc.sin(x) * y, jvp=rule)
    report = gdc.compile(lambda x, y: wrong(x, y) * x).verify()
    assert [check.verdict for check in report] == ["proved", "refuted"]


# --- what is wrong is said -----------------------------------------------------------------------


def call(jvp, function=gdc.exp):
    return gdc.compile(lambda x: gdc.custom(function, jvp=jvp)(x))(1.0)


def test_a_rule_is_linear():
    for jvp in (lambda p, t: t[0] * t[0], lambda p, t: gdc.sin(t[0]), lambda p, t: p[0] / t[0]):
        with pytest.raises(gdc.TraceError, match="not linear in the tangents"):
            call(jvp)


def test_a_rule_returns_the_tangent_alone():
    with pytest.raises(TypeError, match=r"tangent of the value, a number, and returned a tuple"):
        call(lambda p, t: (gdc.exp(p[0]), t[0]))


@pytest.mark.parametrize("rule", [lambda p, t: gdc.cos(p[0]), lambda p, t: t[0] + 1.0])
def test_a_rule_adds_nothing_to_the_tangents(rule):
    with pytest.raises(gdc.TraceError, match="the rule is not linear in the tangents"):
        gdc.compile(gdc.custom(gdc.sin, jvp=rule)).grad(1.0)


def test_what_is_no_function():
    with pytest.raises(TypeError, match=r"custom: jvp: expected a function, got float 1.0"):
        gdc.custom(gdc.exp, jvp=1.0)
    with pytest.raises(TypeError, match=r"custom: function: expected a function"):
        gdc.custom("exp", jvp=lambda p, t: t[0])
    with pytest.raises(TypeError, match="jvp"):
        gdc.custom(gdc.exp)
