"""What scipy's `minimize` takes of an objective and of constraints.

Both are given as three functions: the values, their first derivatives, and second ones; the last of
constraints is of a vector, and of their weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcompile.support.arrays import FloatArray, IntArray

METHODS = {"trust-constr": ("jac", "hess"), "SLSQP": ("jac",)}
"""The methods that take constraints, and the derivatives that they take."""

MISSING = 'constraints for scipy need scipy: pip install "gradcompile[solvers]"'
"""What to do where there is no scipy."""

Functions = tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]


def minimize_arguments(
    method: str,
    objective: Functions,
    constraints: Functions | None,
    lb: FloatArray,
    ub: FloatArray,
) -> dict[str, Any]:
    """Give the arguments by name.

    Args:
        method: of `minimize`.
        objective: its functions.
        constraints: theirs, if there are any.
        lb: what each constraint is at least.
        ub: what it is at most.

    Raises:
        ValueError: it is a method that takes no constraints with derivatives.
        ModuleNotFoundError: scipy is missing.
    """
    if method not in METHODS:
        raise ValueError(
            f"scipy: method: expected one of {list(METHODS)}, which take constraints with "
            f"derivatives, got {method!r:.60}; others take .flat of the objective's kernels"
        )
    fun, jac, hess = objective
    arguments = {"fun": fun, "method": method, **_derivatives(method, jac, hess)}
    if constraints is None:
        return arguments
    try:
        from scipy.optimize import NonlinearConstraint  # loads on first use
    except ModuleNotFoundError:
        raise ModuleNotFoundError(MISSING) from None
    limited = []
    for rows in (np.flatnonzero(lb == ub), np.flatnonzero(lb != ub)):
        some = _Rows(rows, len(lb), constraints)
        derivatives = _derivatives(method, some.jacobian, some.hessian)
        if len(rows):
            limited.append(NonlinearConstraint(some.values, lb[rows], ub[rows], **derivatives))
    return {**arguments, "constraints": limited}


def _derivatives(method: str, jac: Any, hess: Any) -> dict[str, Any]:
    """Those that a method takes."""
    return {k: x for k, x in {"jac": jac, "hess": hess}.items() if k in METHODS[method]}


@dataclass(frozen=True)
class _Rows:
    """Some of the constraints.

    Attributes:
        rows: which.
        m: how many there are in all.
        of_all: the functions of all.
    """

    rows: IntArray
    m: int
    of_all: Functions

    def values(self, x: Any) -> Any:
        return self.of_all[0](x)[self.rows]

    def jacobian(self, x: Any) -> Any:
        return self.of_all[1](x)[self.rows]

    def hessian(self, x: Any, v: Any) -> Any:
        weights = np.zeros(self.m)
        weights[self.rows] = v
        return self.of_all[2](x, weights)
