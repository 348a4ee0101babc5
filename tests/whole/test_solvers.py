"""Kernels on flat vectors, given to solvers as they are: scipy, iminuit, IPOPT and pounce."""

from importlib import import_module

import numpy as np
import pytest
from scipy import sparse
from scipy.integrate import solve_ivp
from scipy.optimize import NonlinearConstraint, least_squares, minimize, root

import gradcompile as gdc
from tests.problems.test_problem import AT, cost, limits

SOLVED = np.array([1.0, 4.74299963, 3.82114998, 1.37940829])
"""Where problem 71 of Hock and Schittkowski has its minimum, of 17.0140173."""

START = np.array([-1.2, 1.0, -1.2, 1.0])


def valley(x):
    """The function of Rosenbrock, whose minimum is at ones."""
    return sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def steep(x, factor):
    return sum(factor * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


@pytest.fixture(scope="module")
def rosenbrock():
    return gdc.compile(valley)


# --- scipy: minimize -----------------------------------------------------------------------------


def test_value_and_gradient_in_one(rosenbrock):
    found = minimize(rosenbrock.value_and_grad.flat, START, jac=True, method="BFGS")
    np.testing.assert_allclose(found.x, 1.0, atol=2e-3)


@pytest.mark.parametrize("method", ["trust-exact", "Newton-CG", "trust-constr"])
def test_hessians(rosenbrock, method):
    kernels = {"jac": rosenbrock.grad.flat, "hess": rosenbrock.hessian.flat}
    found = minimize(rosenbrock.value.flat, START, method=method, **kernels)
    np.testing.assert_allclose(found.x, 1.0, atol=2e-3)


@pytest.mark.parametrize("method", ["Newton-CG", "trust-constr"])
def test_sparse_hessians(rosenbrock, method):
    kernels = {"jac": rosenbrock.grad.flat, "hess": rosenbrock.hessian.sparse.flat}
    found = minimize(rosenbrock.value.flat, START, method=method, **kernels)
    np.testing.assert_allclose(found.x, 1.0, atol=2e-3)


@pytest.mark.parametrize("method", ["Newton-CG", "trust-krylov"])
def test_products_with_the_hessian(rosenbrock, method):
    kernels = {"jac": rosenbrock.grad.flat, "hessp": rosenbrock.hvp.flat}
    found = minimize(rosenbrock.value.flat, START, method=method, **kernels)
    np.testing.assert_allclose(found.x, 1.0, atol=2e-3)


@pytest.mark.parametrize("second", ["hess", "sparse", "hessp"])
def test_args_are_given_by_position(second):
    f = gdc.compile(steep, wrt="x")
    f(START, 10.0)
    kernels = {
        "hess": {"hess": f.hessian.flat},
        "sparse": {"hess": f.hessian.sparse.flat},
        "hessp": {"hessp": f.hvp.flat},
    }
    found = minimize(
        f.value.flat, START, args=(50.0,), method="Newton-CG", jac=f.grad.flat, **kernels[second]
    )
    np.testing.assert_allclose(found.x, 1.0, atol=2e-3)
    assert f.value.flat(START, 50.0) == f(START, 50.0)
    assert f.hvp.flat(START, np.ones(4), 50.0) == pytest.approx(
        f.hessian.flat(START, 50.0) @ np.ones(4)
    )


# --- scipy: systems and residuals ----------------------------------------------------------------


def circle_and_line(x):
    return [x[0] ** 2 + x[1] ** 2 - 4.0, x[0] - x[1]]


@pytest.mark.parametrize("method", ["hybr", "lm"])
def test_roots(method):
    f = gdc.compile(circle_and_line)
    found = root(f.value.flat, [1.0, 2.0], jac=f.jacobian.flat, method=method)
    np.testing.assert_allclose(found.x, np.sqrt(2.0), rtol=1e-9)


def test_a_matrix_of_several_rows():
    f = gdc.compile(lambda x: [x[0] * x[1], x[1] * x[2], 3.0 * x[0]])
    expected = [[2.0, 1.0, 0.0], [0.0, 3.0, 2.0], [3.0, 0.0, 0.0]]
    at, out = np.array([1.0, 2.0, 3.0]), np.empty((3, 3))
    for _ in range(2):  # the first call is not written yet
        assert f.jacobian.flat(at).tolist() == expected
        value, jacobian = f.value_and_jacobian.flat(at)
        assert (value.tolist(), jacobian.tolist()) == ([2.0, 6.0, 3.0], expected)
    assert f.jacobian.flat(at, out=out) is out
    assert out.tolist() == expected


def test_value_and_jacobian_in_one():
    f = gdc.compile(circle_and_line)
    found = root(f.value_and_jacobian.flat, [1.0, 2.0], jac=True)
    np.testing.assert_allclose(found.x, np.sqrt(2.0), rtol=1e-9)


def decay(x, t, y):
    return [x[0] * gdc.exp(-x[1] * ti) - yi for ti, yi in zip(t, y, strict=True)]


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("by_name", [False, True])
def test_least_squares(is_sparse, by_name):
    t = np.linspace(0.0, 2.0, 9)
    y = 3.0 * np.exp(-1.5 * t)
    f = gdc.compile(decay, wrt="x")
    f([1.0, 1.0], t, y)
    jac = f.jacobian.sparse.flat if is_sparse else f.jacobian.flat
    given = {"kwargs": {"t": t, "y": y}} if by_name else {"args": (t, y)}
    found = least_squares(f.value.flat, [1.0, 1.0], jac=jac, xtol=1e-12, **given)
    np.testing.assert_allclose(found.x, [3.0, 1.5], rtol=1e-8)
    assert sparse.issparse(found.jac) == is_sparse


# --- scipy: constraints --------------------------------------------------------------------------


@pytest.mark.parametrize("is_sparse", [False, True])
def test_constraints_with_a_weighted_hessian(is_sparse):
    objective, constraints = gdc.compile(cost), gdc.compile(limits)
    jacobian, hessian = constraints.jacobian, constraints.hessian
    if is_sparse:
        jacobian, hessian = jacobian.sparse, hessian.sparse
    limited = NonlinearConstraint(
        constraints.value.flat, [25.0, 40.0], [np.inf, 40.0], jac=jacobian.flat, hess=hessian.flat
    )
    found = minimize(
        objective.value_and_grad.flat, AT, jac=True, hess=objective.hessian.flat,
        method="trust-constr", constraints=[limited], bounds=[(1.0, 5.0)] * 4,
        options={"gtol": 1e-8, "xtol": 1e-10},
    )  # fmt: skip
    np.testing.assert_allclose(found.x, SOLVED, atol=1e-4)


def test_one_constraint_has_one_weight():
    f = gdc.compile(lambda x: x[0] ** 2 * x[1])
    assert f.hessian.flat(np.array([1.0, 2.0]), np.array([3.0])).tolist() == [[12, 6], [6, 0]]


@pytest.mark.parametrize("method", ["trust-constr", "SLSQP"])
def test_a_problem_for_scipy(method):
    problem = gdc.nlp(cost, limits, n=4)
    arguments = problem.scipy(method, lb=[25.0, 40.0], ub=[np.inf, 40.0])
    found = minimize(x0=AT, bounds=[(1.0, 5.0)] * 4, tol=1e-9, **arguments)
    np.testing.assert_allclose(found.x, SOLVED, atol=1e-4)


# --- scipy: differential equations ---------------------------------------------------------------


def robertson(t, y):
    """Three species that react at very different speeds: a stiff system."""
    slow, fast = 0.04 * y[0], 1e4 * y[1] * y[2]
    return np.array([fast - slow, slow - fast - 3e7 * y[1] ** 2, 3e7 * y[1] ** 2])


@pytest.mark.parametrize("method", ["Radau", "BDF"])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_stiff_systems(method, is_sparse):
    f = gdc.compile(robertson, wrt="y")
    jac = f.jacobian.sparse if is_sparse else (lambda t, y: f.jacobian.flat(y, t=t))
    found = solve_ivp(f, (0.0, 40.0), [1.0, 0.0, 0.0], method, jac=jac, rtol=1e-8, atol=1e-12)
    # The reference of the test set for solvers of initial value problems, at t = 40.
    expected = [0.7158270687194, 9.185534764558e-6, 0.2841637457459]
    np.testing.assert_allclose(found.y[:, -1], expected, rtol=1e-5)


# --- what is wrong is said -----------------------------------------------------------------------


def test_too_many_arguments_are_refused(rosenbrock):
    with pytest.raises(TypeError, match="flat: expected no second vector after x, got 1"):
        rosenbrock.value.flat(START, 1.0)
    f = gdc.compile(steep, wrt="x")
    f(START, 10.0)
    with pytest.raises(TypeError, match=r"expected the arguments \['factor'\] after x, got 1.0, 2"):
        f.grad.flat(START, 1.0, 2.0)
    with pytest.raises(TypeError, match=r"expected the arguments \['factor'\], got \[\]"):
        f.grad.flat(START)


def test_a_function_of_one_vector_need_not_be_called_before():
    f = gdc.compile(lambda x: x.sum())
    assert f.grad.flat([1.0, 2.0, 3.0]).tolist() == [1.0, 1.0, 1.0]
    g = gdc.compile(lambda x, a: a * x[0] * x[1], wrt="x")
    assert g.grad.flat([1.0, 2.0], 3.0).tolist() == [6.0, 3.0]
    h = gdc.compile(lambda x, y: x[0] * y)
    with pytest.raises(gdc.TraceError, match="call it once first"):
        h.grad.flat([1.0, 2.0])


# --- others --------------------------------------------------------------------------------------


@pytest.mark.peers
@pytest.mark.parametrize("second", ["g2", "hessian"])
def test_iminuit_takes_all_derivatives(second):
    iminuit = pytest.importorskip("iminuit")
    f = gdc.compile(valley)
    start = START[:2]
    kernel = {"g2": f.hessian_diagonal.flat, "hessian": f.hessian.flat}
    minuit = iminuit.Minuit(f.value.flat, start, grad=f.grad.flat, **{second: kernel[second]})
    minuit.errordef = iminuit.Minuit.LIKELIHOOD
    minuit.strategy = 2
    minuit.migrad()
    minuit.hesse()
    assert minuit.valid
    np.testing.assert_allclose(minuit.values, 1.0, atol=2e-2)
    expected = np.linalg.inv(f.hessian.flat(np.array(minuit.values)))
    np.testing.assert_allclose(minuit.covariance, expected, rtol=1e-2)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["cyipopt", "pounce"])
def test_interior_points(name):
    pytest.importorskip(name, reason=f"{name} is not installed")
    problem = gdc.nlp(cost, limits, n=4)
    solver = import_module(name).Problem(
        n=problem.n, m=problem.m, problem_obj=problem, lb=np.ones(4), ub=np.full(4, 5.0),
        cl=np.array([25.0, 40.0]), cu=np.array([2e19, 40.0]),
    )  # fmt: skip
    solver.add_option("print_level", 0)
    x, info = solver.solve(AT)
    assert info["status"] == 0
    np.testing.assert_allclose(x, SOLVED, atol=1e-6)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["cyipopt", "pounce"])
def test_interior_points_without_constraints(name):
    pytest.importorskip(name, reason=f"{name} is not installed")
    problem = gdc.nlp(valley, n=4)
    solver = import_module(name).Problem(
        n=4, m=0, problem_obj=problem, lb=np.full(4, -2e19), ub=np.full(4, 2e19)
    )
    solver.add_option("print_level", 0)
    x, _ = solver.solve(START)
    np.testing.assert_allclose(x, 1.0, atol=1e-6)
