"""`gdc.nlp`: an objective and constraints, compiled for solvers.

>>> import gradcompile as gdc
>>> problem = gdc.nlp(lambda x: x[0] ** 2 + x[1], lambda x: [x[0] * x[1], x[1] ** 2], n=2)
>>> problem.constraints([2.0, 3.0]), problem.jacobian([2.0, 3.0])
(array([6., 9.]), array([3., 2., 6.]))
>>> problem.jacobianstructure()
(array([0, 0, 1]), array([0, 1, 1]))
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from gradcompile.api import compile
from gradcompile.problems.functions import Function, compiled_by_vector, require_taken
from gradcompile.problems.lagrangian import FACTORS, Lagrangian, signature_of
from gradcompile.problems.problem import Compiled, Problem, traced


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
    of_value = compiled_by_vector("objective", objective, fixed, options)
    of_constraints = None
    if constraints is not None:
        of_constraints = compiled_by_vector("constraints", constraints, fixed, options)
    functions = [f for f in (of_value, of_constraints) if f is not None]
    require_taken(functions, fixed, FACTORS)
    x = next(iter(of_value.arguments.signature.parameters))
    lagrangian = Lagrangian(of_value, of_constraints, signature_of(x, fixed))
    of_both = compile(lagrangian, wrt=x, name="lagrangian", **options)
    return traced(n, fixed, Compiled(of_value, of_constraints, of_both))
