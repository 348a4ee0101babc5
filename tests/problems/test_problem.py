"""Problems for solvers: what `gdc.nlp` gives is what finite steps, jax's rules and solvers say."""

import pickle

import numpy as np
import pytest

import gradcompile as gdc

AT = np.array([1.0, 5.0, 5.0, 1.0])


def cost(x):
    return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]


def limits(x):
    return [x[0] * x[1] * x[2] * x[3], x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + x[3] ** 2]


@pytest.fixture(scope="module")
def hock_schittkowski():
    """Problem 71 of Hock and Schittkowski, whose derivatives are known."""
    return gdc.nlp(cost, limits, n=4)


def dense(structure, values, shape):
    matrix = np.zeros(shape)
    matrix[structure] = values
    return matrix


def test_values_and_first_derivatives(hock_schittkowski):
    problem = hock_schittkowski
    assert (problem.n, problem.m) == (4, 2)
    assert problem.objective(AT) == 16.0
    assert problem.gradient(AT).tolist() == [12.0, 1.0, 2.0, 11.0]
    assert problem.constraints(AT).tolist() == [25.0, 52.0]
    jacobian = dense(problem.jacobianstructure(), problem.jacobian(AT), (2, 4))
    assert jacobian.tolist() == [[25.0, 5.0, 5.0, 25.0], [2.0, 10.0, 10.0, 2.0]]


def test_the_hessian_of_the_lagrangian(hock_schittkowski):
    problem = hock_schittkowski
    rows, columns = problem.hessianstructure()
    assert (rows >= columns).all()
    values = problem.hessian(AT, [2.0, 3.0], 0.5)
    a, b, c, d = AT
    of_cost = [
        [2 * d, d, d, 2 * a + b + c], [d, 0, 0, a], [d, 0, 0, a], [2 * a + b + c, a, a, 0],
    ]  # fmt: skip
    of_product = [
        [0, c * d, b * d, b * c], [c * d, 0, a * d, a * c],
        [b * d, a * d, 0, a * b], [b * c, a * c, a * b, 0],
    ]  # fmt: skip
    expected = 0.5 * np.array(of_cost) + 2.0 * np.array(of_product) + 3.0 * 2 * np.eye(4)
    assert dense((rows, columns), values, (4, 4)).tolist() == np.tril(expected).tolist()


def test_all_entries_are_verified(hock_schittkowski):
    report = hock_schittkowski.verify()
    assert report.ok
    assert len(report) == 4 + 8 + len(hock_schittkowski.hessianstructure()[0])


def counted(problem, monkeypatch, name):
    """Count the calls of a kernel of a problem."""
    calls, kept = [], getattr(problem, name)
    original = kept._flat

    def flat(*args, **others):
        calls.append(args)
        return original(*args, **others)

    monkeypatch.setattr(kept, "_flat", flat)
    return calls


def test_equal_numbers_are_computed_once(monkeypatch):
    problem = gdc.nlp(cost, limits, n=4)
    calls = counted(problem, monkeypatch, "_objective")
    value, gradient = problem.objective(AT), problem.gradient(AT.copy())
    gradient[:] = 0.0
    assert (problem.objective(AT.tolist()), len(calls)) == (value, 1)
    assert problem.gradient(AT).any()
    moved = AT.copy()
    problem.objective(moved)
    moved[0] = 2.0  # in place, as solvers do
    assert problem.objective(moved) != value
    assert len(calls) == 2
    hessians = counted(problem, monkeypatch, "_hessian")
    first = problem.hessian(AT, [1.0, 1.0], 1.0)
    assert problem.hessian(AT, np.ones(2), 1.0).tolist() == first.tolist()
    assert len(hessians) == 1
    assert problem.hessian(AT, [1.0, 1.0], 2.0).tolist() != first.tolist()


def test_nan_equals_nan_and_zeros_have_signs(monkeypatch):
    problem = gdc.nlp(lambda x: 1.0 / x[0], n=1)
    calls = counted(problem, monkeypatch, "_objective")
    assert problem.objective([0.0]) == np.inf
    assert problem.objective([-0.0]) == -np.inf
    assert len(calls) == 2
    problem.objective([np.nan])
    problem.objective([np.nan])
    assert len(calls) == 3


def test_without_constraints():
    problem = gdc.nlp(lambda x: (x**4).sum(), n=3)
    assert problem.m == 0
    assert problem.constraints(np.ones(3)).shape == problem.jacobian(np.ones(3)).shape == (0,)
    assert [places.shape for places in problem.jacobianstructure()] == [(0,), (0,)]
    assert problem.hessian(np.ones(3), [], 2.0).tolist() == [24.0, 24.0, 24.0]
    assert "constraints" not in problem.scipy()


def test_a_linear_program_has_no_second_derivatives():
    problem = gdc.nlp(lambda x: x[0] + 2 * x[1], lambda x: x[0] - x[1], n=2)
    assert problem.hessian(np.zeros(2), [1.0], 1.0).shape == (0,)
    assert problem.constraints([3.0, 1.0]).tolist() == [2.0]
    assert problem.verify().ok


def test_constraints_of_any_structure():
    problem = gdc.nlp(lambda x: x[0], lambda x: {"a": x[0] * x[1], "b": [x**2, (2.0, x[1])]}, n=2)
    assert problem.m == 5
    assert problem.constraints([2.0, 3.0]).tolist() == [6.0, 4.0, 9.0, 2.0, 3.0]
    assert problem.hessian([2.0, 3.0], [1.0, 10.0, 100.0, 5.0, 5.0], 1.0).tolist() == [20, 1, 200]


def stretched(x, scale, shift=0.0):
    return scale * (x[0] - shift) ** 2 + x[1] ** 2


def test_other_arguments_are_fixed_by_name():
    problem = gdc.nlp(
        stretched, lambda x, radius: radius - x @ x, n=2, fixed={"scale": 3.0, "radius": 2.0}
    )
    assert problem.objective([2.0, 1.0]) == 13.0
    assert problem.constraints([2.0, 1.0]).tolist() == [-3.0]
    other = problem.fix(radius=6.0)
    assert other.constraints([2.0, 1.0]).tolist() == [1.0]
    assert problem.constraints([2.0, 1.0]).tolist() == [-3.0]
    assert other.compiled is problem.compiled
    assert other.hessian([2.0, 1.0], [1.0], 1.0).tolist() == [4.0, 0.0]


def test_what_is_fixed_is_a_copy():
    weights = np.array([1.0, 2.0])
    problem = gdc.nlp(lambda x, w: (w * x**2).sum(), n=2, fixed={"w": weights})
    weights[:] = 0.0
    assert problem.objective([1.0, 1.0]) == 3.0


def test_compiled_functions_are_taken_too():
    problem = gdc.nlp(gdc.compile(cost), gdc.compile(limits), n=4)
    assert problem.gradient(AT).tolist() == [12.0, 1.0, 2.0, 11.0]
    assert problem.hessian(AT, [0.0, 1.0], 0.0).tolist().count(2.0) == 4


def test_an_objective_that_is_constant():
    problem = gdc.nlp(lambda x: 0.0, lambda x: x[0] * x[1] - 1.0, n=2)
    at = [2.0, 0.5]
    assert (problem.objective(at), problem.gradient(at).tolist()) == (0.0, [0.0, 0.0])
    assert problem.jacobian(at).tolist() == [0.5, 2.0]
    assert problem.hessian(at, [3.0], 1.0).tolist() == [3.0]


def test_problems_are_pickled():
    problem = pickle.loads(pickle.dumps(gdc.nlp(cost, limits, n=4)))
    assert problem.objective(AT) == 16.0
    assert problem.hessian(AT, [0.0, 0.0], 1.0).shape == problem.hessianstructure()[0].shape


def test_problems_of_functions_in_no_module_are_pickled():
    problem = gdc.nlp(lambda x, a: a * (x**2).sum(), lambda x: x[0] * x[1], n=2, fixed={"a": 2.0})
    for _ in range(2):
        problem = pickle.loads(pickle.dumps(problem))
        assert problem.objective([1.0, 2.0]) == 10.0
        assert problem.jacobian([1.0, 2.0]).tolist() == [2.0, 1.0]
        assert problem.hessian([1.0, 2.0], [3.0], 1.0).tolist() == [4.0, 3.0, 4.0]


def test_the_repr_says_what_it_is(hock_schittkowski):
    assert repr(hock_schittkowski) == "<Problem of 4 variables: cost, 2 constraints limits>"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: gdc.nlp(limits, n=4),
         TypeError, "nlp: the objective is one number, but limits returns a list of length 2"),
        (lambda: gdc.nlp(lambda x: None, n=4), gdc.TraceError, "objective returned nothing"),
        (lambda: gdc.nlp(cost, lambda x: None, n=4),
         gdc.TraceError, "constraints returned nothing"),
        (lambda: gdc.nlp(cost, lambda x: [], n=4),
         gdc.TraceError, r"constraints returned \[\], which holds no value"),
        (lambda: gdc.nlp(cost, [limits], n=4),
         TypeError, "nlp: constraints: expected a function of a vector, got list"),
        (lambda: gdc.nlp(lambda: 1.0, n=4),
         TypeError, "nlp: objective: expected a function of a vector, got one of nothing"),
        (lambda: gdc.nlp(cost, n=0), ValueError, "nlp: n: expected how many numbers"),
        (lambda: gdc.nlp(cost, n=AT), ValueError, "nlp: n: expected how many numbers"),
        (lambda: gdc.nlp(stretched, n=2),
         TypeError, r"nlp: objective: expected its other arguments \['scale'\] in fixed="),
        (lambda: gdc.nlp(cost, n=4, fixed={"a": 1.0}),
         ValueError, "nlp: fixed: 'a' is no argument of objective or constraints"),
        (lambda: gdc.nlp(cost, n=4, fixed={"lagrange": 1.0}),
         ValueError, "nlp: fixed: 'lagrange' is an argument of the Lagrangian already"),
        (lambda: gdc.nlp(gdc.compile(cost, batched="x"), n=4),
         ValueError, "nlp: objective: cost is batched; write the sum over the rows"),
        (lambda: gdc.nlp(cost, n=4).objective([1.0]),
         ValueError, r"flat: expected a vector of shape \(4,\), got \(1,\)"),
        (lambda: gdc.nlp(cost, n=4).fix(a=1.0), ValueError, r"fix: expected some of \[\], got 'a'"),
        (lambda: gdc.nlp(cost, n=4).scipy("COBYLA"), ValueError, "scipy: method: expected one of"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()
