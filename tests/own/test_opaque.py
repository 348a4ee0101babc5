"""Functions that numba compiled and nobody can trace, with rules: in every engine."""

import copy
import pickle

import numba
import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, opaque
from gradcompile.ops.opaque import opaque_op
from tests.own.derivatives import derivatives


@numba.njit
def bessel(x):
    total, term, k = 0.0, 1.0, 0
    while abs(term) > 1e-17 * abs(total):
        total += term
        k += 1
        term *= -0.25 * x * x / (k * k)
    return total


@numba.njit
def bessel1(x):
    total, term, k = 0.0, 0.5 * x, 0
    while abs(term) > 1e-17 * abs(total):
        total += term
        k += 1
        term *= -0.25 * x * x / (k * (k + 1))
    return total


j0 = gdc.custom(bessel, jvp=lambda primals, tangents: -j1(*primals) * tangents[0])
j1 = gdc.custom(
    bessel1,
    jvp=lambda primals, tangents: (j0(*primals) - j1(*primals) / primals[0]) * tangents[0],
)


@pytest.fixture(scope="module")
def special():
    return pytest.importorskip("scipy.special")


def test_the_text_calls_it_by_its_name():
    f = gdc.compile(lambda w, x: j0(w * x) * w)
    f(0.7, 1.3)
    assert "from gradcompile.opaque import bessel, bessel1\n" in f.source
    assert "= float64(bessel(v1))" in f.source


def test_in_every_engine(special):
    f = gdc.compile(lambda w, x: j0(w * x) * w)
    exact = special.j0(0.91) * 0.7
    slopes = [special.j0(0.91) - special.j1(0.91) * 0.91, -special.j1(0.91) * 0.49]
    for engine in (f.value_and_grad, f.value_and_grad.python, f.value_and_grad.njit):
        value, gradient = engine(0.7, 1.3)
        assert value == pytest.approx(exact, rel=1e-14)
        assert [*gradient] == pytest.approx(slopes, rel=1e-13)
    w = Value(0.7)
    (j0(w * 1.3) * w).backward()
    assert w.grad == pytest.approx(slopes[0], rel=1e-13)
    assert j0(0.91) == pytest.approx(special.j0(0.91), rel=1e-14)
    checked = gdc.compile(lambda w, x: j0(w * x) * w, check_domain=True)
    assert [*checked.grad(0.7, 1.3)] == pytest.approx(slopes, rel=1e-13)


def test_derivatives_of_higher_order(special):
    expected = [special.jvp(0, 0.8, n) for n in (1, 2, 3, 4)]
    assert derivatives(j0, 0.8, 4) == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_rows(special):
    f = gdc.compile(lambda w, x: j0(w * x), batched="x", reduce="sum")
    x = np.linspace(0.1, 2.0, 37)
    assert f.grad(0.7, x).w == pytest.approx((-special.j1(0.7 * x) * x).sum(), rel=1e-13)
    assert f.verify().ok


@pytest.mark.slow
def test_in_loops(special):
    f = gdc.compile(lambda x, w: gdc.sum([j0(x[k] * w) for k in range(len(x))]), roll=True)
    x = np.linspace(0.1, 2.0, 50)
    assert f(x, 0.7) == pytest.approx(special.j0(0.7 * x).sum(), rel=1e-13)
    assert "for " in f.source
    assert f.grad(x, 0.7).x == pytest.approx(-0.7 * special.j1(0.7 * x), rel=1e-13)
    assert f.verify().ok


def test_behind_a_gate_it_does_not_count():
    far = gdc.custom(numba.njit(lambda x: np.nan), jvp=lambda p, t: np.nan * t[0])
    f = gdc.compile(lambda x: gdc.where(x > 0.0, x * x, far(x)))
    assert f.value_and_grad(3.0) == (9.0, (6.0,))


def test_it_is_called_with_no_numbers_but_those_that_it_gets():
    @numba.njit
    def picky(x):
        if abs(x) > 100.0:
            raise ValueError
        return x * x

    own = gdc.custom(picky, jvp=lambda p, t: 2.0 * p[0] * t[0])
    f = gdc.compile(lambda x: gdc.where(x > 0.0, own(x), x))
    assert f.value_and_grad(3.0) == (9.0, (6.0,))
    far = gdc.compile(lambda x: own(8.0 * x))
    assert far.verify().ok


def test_a_rule_is_compared_with_differences():
    f = gdc.compile(lambda w, x: j0(w * x) * w)
    assert {check.verdict for check in f.verify()} == {"confirmed"}
    assert "by differences" in str(f.verify())
    wrong = gdc.custom(bessel, jvp=lambda primals, tangents: j1(*primals) * tangents[0])
    report = gdc.compile(lambda x, y: wrong(x) * y).verify()
    assert [check.verdict for check in report] == ["refuted", "confirmed"]


def test_its_machine_code_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCOMPILE_CACHE_DIR", str(tmp_path))
    gdc.compile(lambda x: j0(x) + 0.123).grad(1.0)
    assert list(tmp_path.glob("f_*.py"))
    assert not list(tmp_path.glob("*.machine"))
    gdc.compile(lambda x: gdc.sin(x) + 0.123).grad(1.0)
    assert list(tmp_path.glob("*.machine"))


def test_two_of_one_name_are_two():
    one, two = (gdc.custom(numba.njit(f), jvp=lambda p, t: t[0]) for f in _of_one_name())
    f = gdc.compile(lambda x: one(x) + 10.0 * two(x))
    assert f(1.0) == 21.0


def _of_one_name():
    def shifted(x):
        return x

    first = shifted

    def shifted(x):
        return x + 1.0

    return first, shifted


def test_the_name_of_a_variable_is_another():
    @gdc.compile
    def f(x):
        bessel = j0(x)
        return bessel * bessel

    assert f(0.5) == j0(0.5) ** 2


def test_copies_are_the_operation_itself():
    op = opaque_op(bessel)
    assert copy.deepcopy(op) is op
    assert opaque_op(bessel).name == op.name
    assert pickle.loads(pickle.dumps(op)).evaluate(0.5) == op.evaluate(0.5)


def test_a_name_that_nobody_has():
    with pytest.raises(AttributeError, match="no opaque function 'nobody'"):
        opaque.nobody  # noqa: B018


def test_without_a_rule_the_error_says_what_to_do():
    with pytest.raises(gdc.TraceError, match=r"give it a rule: gdc.custom\(function, jvp=rule\)"):
        gdc.compile(lambda x: bessel(x))(1.0)
