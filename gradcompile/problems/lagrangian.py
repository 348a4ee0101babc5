"""The Lagrangian of a problem, as one function."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gradcompile.compiler.function import CompiledFunction
from gradcompile.graph.nested import flatten
from gradcompile.graph.value import Value
from gradcompile.problems.functions import taken

FACTORS = "obj_factor", "lagrange"
"""The names of the factors: of the objective, and of the constraints."""


@dataclass(frozen=True)
class Lagrangian:
    """The objective times its factor, and the sum of the constraints times theirs."""

    objective: CompiledFunction
    constraints: CompiledFunction | None
    __signature__: inspect.Signature

    def __call__(self, x: Any, obj_factor: Any, lagrange: Any, **fixed: Any) -> Any:
        """Compute it; of Values, as it is traced."""
        total = obj_factor * self.objective(x, **taken(self.objective, fixed))
        if self.constraints is None:
            return total
        returned = self.constraints(x, **taken(self.constraints, fixed))
        values, _ = flatten(returned, is_leaf=lambda leaf: isinstance(leaf, Value))
        return total + sum(factor * x for factor, x in zip(lagrange, values, strict=True))


def signature_of(x: str, fixed: Iterable[str]) -> inspect.Signature:
    """Make the signature of the Lagrangian: its vector, the factors, what is fixed."""
    given = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in (x, *FACTORS)
    ]
    by_name = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in fixed]
    return inspect.Signature([*given, *by_name])
