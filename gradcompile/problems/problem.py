"""A problem: what solvers call, by the names that cyipopt and pounce have for it."""

from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gradcompile.compiler.function import CompiledFunction
from gradcompile.graph.nested import NUMBER
from gradcompile.problems.functions import result_of, taken
from gradcompile.problems.last import Last
from gradcompile.problems.minimize import minimize_arguments
from gradcompile.support.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from gradcompile.verify.report import Report

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
        of_objective = taken(objective, fixed)
        self._objective = Last(objective.value_and_grad.flat, of_objective)
        self._hessian = Last(lagrangian.hessian.sparse.lower.values.flat, fixed)
        if constraints is not None:
            of_constraints = taken(constraints, fixed)
            self._constraints = Last(constraints.value.flat, of_constraints)
            self._jacobian = Last(constraints.jacobian.sparse.values.flat, of_constraints)

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
        objective, constraints, _ = self.compiled
        hessian = partial(objective.hessian.sparse.flat, **taken(objective, self.fixed))
        of_objective = self.objective, self.gradient, hessian
        lb, ub = np.broadcast_to(lb, self.m), np.broadcast_to(ub, self.m)
        if constraints is None:
            return minimize_arguments(method, of_objective, None, lb, ub)
        given = taken(constraints, self.fixed)
        jacobian = partial(constraints.jacobian.sparse.flat, **given)
        hessian = partial(constraints.hessian.sparse.flat, **given)
        of_constraints = self.constraints, jacobian, hessian
        return minimize_arguments(method, of_objective, of_constraints, lb, ub)

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
        return traced, (self.n, self.fixed, self.compiled)

    def __repr__(self) -> str:
        objective, constraints, _ = self.compiled
        of = f", {self.m} constraints {constraints.name}" if constraints is not None else ""
        return f"<Problem of {self.n} variables: {objective.name}{of}>"


def traced(n: int, fixed: dict[str, Any], compiled: Compiled) -> Problem:
    """Trace the functions of a problem for a vector of so many numbers."""
    objective, constraints, lagrangian = compiled
    x, m = np.zeros(n), 0
    found = result_of(objective, (x,), taken(objective, fixed))
    if found != NUMBER:
        raise TypeError(f"nlp: the objective is one number, but {objective.name} returns {found}")
    if constraints is not None:
        m = result_of(constraints, (x,), taken(constraints, fixed)).size
    result_of(lagrangian, (x, 1.0, np.zeros(m)), fixed)
    return Problem(n, m, fixed, compiled)
