"""Problems of optimization: an objective and constraints, with the derivatives that solvers want.

    >>> import gradcompile as gdc
    >>> problem = gdc.nlp(lambda x: x[0] ** 2 + x[1], lambda x: [x[0] * x[1], x[1] ** 2], n=2)
    >>> problem.constraints([2.0, 3.0]), problem.jacobian([2.0, 3.0])
    (array([6., 9.]), array([3., 2., 6.]))
    >>> problem.jacobianstructure()
    (array([0, 0, 1]), array([0, 1, 1]))

`cyipopt.Problem` and `pounce.Problem` take such an object as it is, and scipy's `minimize` takes
what its method `scipy` gives.
"""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradcompile.api import compile
from gradcompile.compiler.function import CompiledFunction
from gradcompile.graph.nested import NUMBER, Structure, flatten
from gradcompile.graph.value import Value
from gradcompile.support.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from gradcompile.verify.report import Report

METHODS = {"trust-constr": ("jac", "hess"), "SLSQP": ("jac",)}
"""The methods of scipy's `minimize` that take constraints, and the derivatives they take."""

MISSING = 'constraints for scipy need scipy: pip install "gradcompile[solvers]"'
"""What to do where there is no scipy."""

Function = Callable[..., Any]

Places = tuple[IntArray, IntArray]
"""Rows, and columns."""


class Compiled(NamedTuple):
    """What a problem is compiled to: functions of its vector, and of what is fixed.

    Attributes:
        objective: gives one number.
        constraints: gives any; None if there are no constraints.
        lagrangian: of `obj_factor` and `lagrange` as well, the factors of those.
    """

    objective: CompiledFunction
    constraints: CompiledFunction | None
    lagrangian: CompiledFunction


class Problem:
    """An objective and constraints with their derivatives at a vector; what `gdc.nlp` returns.

    The objective and its gradient are computed together. What was computed last is kept, and is not
    computed again for equal numbers: those of the same bits, in whatever array they are.

    Attributes:
        n: how many numbers the vector has.
        m: how many constraints there are.
        fixed: the other arguments of objective and constraints, by name.
        compiled: the compiled functions, to be read, timed and called.
    """

    def __init__(self, n: int, m: int, fixed: dict[str, Any], compiled: Compiled) -> None:
        self.n, self.m = n, m
        self.fixed = fixed
        self.compiled = compiled
        objective, constraints, lagrangian = compiled
        of_objective = _taken(objective, fixed)
        self._objective = _Last(objective.value_and_grad.flat, of_objective)
        self._hessian = _Last(lagrangian.hessian.sparse.lower.values.flat, fixed)
        if constraints is not None:
            of_constraints = _taken(constraints, fixed)
            self._constraints = _Last(constraints.value.flat, of_constraints)
            self._jacobian = _Last(constraints.jacobian.sparse.values.flat, of_constraints)

    def fix(self, **fixed: Any) -> "Problem":
        """Make the same problem with other values of some fixed arguments, and the same code.

        Raises:
            ValueError: there is no such argument.
        """
        for name in fixed.keys() - self.fixed.keys():
            raise ValueError(f"fix: expected some of {list(self.fixed)}, got {name!r}")
        return Problem(self.n, self.m, deepcopy({**self.fixed, **fixed}), self.compiled)

    def objective(self, x: Any) -> float:
        """Compute the objective at a vector."""
        value: float = self._objective(x)[0]
        return value

    def gradient(self, x: Any) -> FloatArray:
        """Compute the gradient of the objective."""
        gradient: FloatArray = self._objective(x)[1]
        return gradient.copy()

    def constraints(self, x: Any) -> FloatArray:
        """Compute the constraints, as one vector."""
        values = self._constraints(x) if self.m else ()
        return np.array(values, np.float64).reshape(self.m)

    def jacobian(self, x: Any) -> FloatArray:
        """Compute the nonzeros of the Jacobian of the constraints."""
        return np.array(self._jacobian(x) if self.m else (), np.float64)

    def jacobianstructure(self) -> Places:
        """Give the rows and the columns of the nonzeros of the Jacobian."""
        constraints = self.compiled.constraints
        if constraints is None:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        places: Places = constraints.jacobian.sparse.structure
        return places

    def hessian(self, x: Any, lagrange: Any, obj_factor: float) -> FloatArray:
        """Compute the nonzeros of the Hessian of the Lagrangian, in its lower triangle.

        Args:
            x: the vector.
            lagrange: the factors of the constraints.
            obj_factor: the factor of the objective.
        """
        factors = {"obj_factor": float(obj_factor), "lagrange": np.asarray(lagrange, np.float64)}
        values: FloatArray = self._hessian(x, **factors)
        return values.copy()

    def hessianstructure(self) -> Places:
        """Give the rows and the columns of the nonzeros of the Hessian."""
        places: Places = self.compiled.lagrangian.hessian.sparse.lower.structure
        return places

    def scipy(
        self, method: str = "trust-constr", *, lb: Any = 0.0, ub: Any = 0.0
    ) -> dict[str, Any]:
        """Give what `scipy.optimize.minimize` wants, beside a start and bounds of the vector.

        Args:
            method: "trust-constr" or "SLSQP".
            lb: what the constraints are at least, a number or one for each.
            ub: what they are at most.

        Returns:
            The arguments by name. The Jacobian of the constraints and the Hessians are sparse;
            equations and inequalities are two groups of constraints, as scipy wants them.

        Raises:
            ValueError: it is another method.
            ModuleNotFoundError: scipy is missing.

        Example:
            >>> import gradcompile as gdc
            >>> from scipy.optimize import minimize
            >>> problem = gdc.nlp(lambda x: x[0] * x[1], lambda x: x[0] ** 2 + x[1] ** 2, n=2)
            >>> found = minimize(x0=[1.0, -0.5], **problem.scipy("SLSQP", lb=2.0, ub=2.0))
            >>> [float(x) for x in found.x.round(6)]
            [1.0, -1.0]
        """
        if method not in METHODS:
            raise ValueError(
                f"scipy: method: expected one of {list(METHODS)}, which take constraints with "
                f"derivatives, got {method!r:.60}; others take .flat of the objective's kernels"
            )
        objective, constraints, _ = self.compiled
        names = METHODS[method]
        hessian = partial(objective.hessian.sparse.flat, **_taken(objective, self.fixed))
        arguments: dict[str, Any] = {"fun": self.objective, "method": method}
        arguments |= _some(names, jac=self.gradient, hess=hessian)
        if constraints is None:
            return arguments
        try:
            from scipy.optimize import NonlinearConstraint  # loads on first use
        except ModuleNotFoundError:
            raise ModuleNotFoundError(MISSING) from None
        fixed = _taken(constraints, self.fixed)
        jacobian = partial(constraints.jacobian.sparse.flat, **fixed)
        hessian = partial(constraints.hessian.sparse.flat, **fixed)
        lb, ub = np.broadcast_to(lb, self.m), np.broadcast_to(ub, self.m)
        limited = []
        for rows in (np.flatnonzero(lb == ub), np.flatnonzero(lb != ub)):
            some = _Rows(self.m, rows, self.constraints, jacobian, hessian)
            derivatives = _some(names, jac=some.jacobian, hess=some.hessian)
            if len(rows):
                limited.append(NonlinearConstraint(some.values, lb[rows], ub[rows], **derivatives))
        return {**arguments, "constraints": limited}

    def verify(self) -> "Report":
        """Check the gradient, the Jacobian and the Hessian of the Lagrangian, each entry.

        Returns:
            One report of all of them; see `CompiledFunction.verify`.
        """
        objective, constraints, lagrangian = self.compiled
        kernels = [objective.value_and_grad, lagrangian.hessian.sparse.lower]
        if constraints is not None:
            kernels.insert(1, constraints.jacobian.sparse)
        reports = [kernel.verify() for kernel in kernels]
        return replace(
            reports[0],
            derivatives=[derivative for report in reports for derivative in report],
            statements=[statement for report in reports for statement in report.statements],
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _traced, (self.n, self.fixed, self.compiled)

    def __repr__(self) -> str:
        objective, constraints, _ = self.compiled
        of = f", {self.m} constraints {constraints.name}" if constraints is not None else ""
        return f"<Problem of {self.n} variables: {objective.name}{of}>"


def _taken(function: CompiledFunction, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the fixed arguments that a function has."""
    return _some(function.arguments.signature.parameters, **fixed)


def _some(names: Collection[str], **arguments: Any) -> dict[str, Any]:
    """Those of some arguments that have one of the names."""
    return {name: x for name, x in arguments.items() if name in names}


@dataclass(frozen=True)
class _Rows:
    """Some of the constraints.

    Attributes:
        m: how many there are in all.
        rows: which are meant.
        all_values: computes all of them.
        all_rows: computes their Jacobian.
        weighted: computes the Hessian of their sum with weights.
    """

    m: int
    rows: IntArray
    all_values: Function
    all_rows: Function
    weighted: Function

    def values(self, x: Any) -> Any:
        return self.all_values(x)[self.rows]

    def jacobian(self, x: Any) -> Any:
        return self.all_rows(x)[self.rows]

    def hessian(self, x: Any, v: Any) -> Any:
        weights = np.zeros(self.m)
        weights[self.rows] = v
        return self.weighted(x, weights)


class _Last:
    """A kernel called on a vector, which keeps its last result.

    Args:
        flat: calls the kernel on a vector, and on other arguments by name.
        fixed: those of them that are always the same.
    """

    def __init__(self, flat: Function, fixed: Mapping[str, Any]) -> None:
        self._flat = flat
        self._fixed = fixed
        self._kept: tuple[Any, Any] = None, None

    def __call__(self, x: Any, **others: Any) -> Any:
        x = np.asarray(x, np.float64)
        key = [(array.shape, array.tobytes()) for array in (x, *map(np.asarray, others.values()))]
        known, result = self._kept
        if key != known:
            result = self._flat(x, **others, **self._fixed)
            self._kept = key, result
        return result


@dataclass(frozen=True)
class _Lagrangian:
    """The objective times its factor, and the sum of the constraints times theirs."""

    objective: CompiledFunction
    constraints: CompiledFunction | None
    __signature__: inspect.Signature

    def __call__(self, x: Any, obj_factor: Any, lagrange: Any, **fixed: Any) -> Any:
        total = obj_factor * self.objective(x, **_taken(self.objective, fixed))
        if self.constraints is None:
            return total
        returned = self.constraints(x, **_taken(self.constraints, fixed))
        values, _ = flatten(returned, is_leaf=lambda leaf: isinstance(leaf, Value))
        return total + sum(factor * x for factor, x in zip(lagrange, values, strict=True))


def nlp(
    objective: Function,
    constraints: Function | None = None,
    *,
    n: int,
    fixed: Mapping[str, Any] | None = None,
    **options: Any,
) -> Problem:
    """Compile an objective and constraints for solvers of nonlinear programs.

    Args:
        objective: a function of a vector, an array of numbers, that gives one number; it may be
            compiled already.
        constraints: a function of the same vector that gives numbers, nested in any way.
        n: how many numbers the vector has.
        fixed: other arguments of the two functions, by name; each gets those that it has.
        options: those of `compile`, such as `roll=`.

    Returns:
        An object with `objective`, `gradient`, `constraints`, `jacobian`, `jacobianstructure`,
        `hessian` and `hessianstructure`, for `cyipopt.Problem(n=…, m=…, problem_obj=…)` and the
        like; with `scipy()` for scipy, and `verify()`. Jacobian and Hessian are sparse.

    Raises:
        TypeError: the objective is not one number, there is no constraint in the constraints, an
            argument is missing.
        ValueError: nothing has a fixed argument of that name; a compiled function is batched.

    Example:
        >>> import gradcompile as gdc
        >>> problem = gdc.nlp(lambda x, a: (a - x[0]) ** 2 + x[1] ** 4, n=2, fixed={"a": 3.0})
        >>> problem.objective([1.0, 1.0]), problem.gradient([1.0, 1.0])
        (5.0, array([-4.,  4.]))
        >>> problem.hessian([1.0, 1.0], [], 1.0), problem.hessianstructure()
        (array([ 2., 12.]), (array([0, 1]), array([0, 1])))
    """
    if type(n) is not int or n < 1:
        raise ValueError(f"nlp: n: expected how many numbers the vector has, got {n!r:.60}")
    fixed = deepcopy(dict(fixed or {}))
    of_value = _compiled("objective", objective, fixed, options)
    of_constraints = None
    if constraints is not None:
        of_constraints = _compiled("constraints", constraints, fixed, options)
    _require_taken([f for f in (of_value, of_constraints) if f is not None], fixed)
    names = [next(iter(of_value.arguments.signature.parameters)), "obj_factor", "lagrange"]
    lagrangian = _Lagrangian(of_value, of_constraints, _signature(names, fixed))
    of_both = compile(lagrangian, wrt=names[0], name="lagrangian", **options)
    return _traced(n, fixed, Compiled(of_value, of_constraints, of_both))


def _traced(n: int, fixed: dict[str, Any], compiled: Compiled) -> Problem:
    """Trace the functions of a problem for a vector of so many numbers."""
    objective, constraints, lagrangian = compiled
    x, m = np.zeros(n), 0
    found = _result(objective, (x,), _taken(objective, fixed))
    if found != NUMBER:
        raise TypeError(f"nlp: the objective is one number, but {objective.name} returns {found}")
    if constraints is not None:
        m = _result(constraints, (x,), _taken(constraints, fixed)).size
    _result(lagrangian, (x, 1.0, np.zeros(m)), fixed)
    return Problem(n, m, fixed, compiled)


def _compiled(
    role: str, function: Any, fixed: Mapping[str, Any], options: Mapping[str, Any]
) -> CompiledFunction:
    """Compile one of the functions by its vector."""
    if not callable(function):
        given = type(function).__name__
        raise TypeError(f"nlp: {role}: expected a function of a vector, got {given}")
    if isinstance(function, CompiledFunction) and function.options.batched:
        raise ValueError(f"nlp: {role}: {function.name} is batched; write the sum over the rows")
    first, *others = inspect.signature(function).parameters.values() or (None,)
    if first is None:
        raise TypeError(f"nlp: {role}: expected a function of a vector, got one of nothing")
    single = [p for p in others if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if missing := [p.name for p in single if p.default is p.empty and p.name not in fixed]:
        raise TypeError(f"nlp: {role}: expected its other arguments {missing} in fixed=")
    is_unnamed = getattr(function, "__name__", "<lambda>") == "<lambda>"
    name = role if is_unnamed else None
    compiled: CompiledFunction = compile(function, wrt=first.name, name=name, **options)
    return compiled


def _result(function: CompiledFunction, args: tuple[Any, ...], fixed: dict[str, Any]) -> Structure:
    """The structure of what a function returns, which is traced for it."""
    traced = function.arguments.read(args, fixed).traced
    assert traced is not None
    return traced.result


def _require_taken(functions: Sequence[CompiledFunction], fixed: Mapping[str, Any]) -> None:
    """Raise an error if something is fixed that is no argument, or whose name is taken."""
    parameters = [list(function.arguments.signature.parameters) for function in functions]
    taken = {"obj_factor", "lagrange", *(first for first, *_ in parameters)}
    others = [name for _, *names in parameters for name in names]
    for name in fixed:
        if name in taken:
            raise ValueError(f"nlp: fixed: {name!r} is an argument of the Lagrangian already")
        if name not in others:
            raise ValueError(f"nlp: fixed: {name!r} is no argument of objective or constraints")


def _signature(names: Sequence[str], fixed: Mapping[str, Any]) -> inspect.Signature:
    """The signature of the Lagrangian."""
    given = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    by_name = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in fixed]
    return inspect.Signature([*given, *by_name])
