"""Random functions of several inputs and outputs, whose kernels are compared."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import mpmath

from gradcompile.ir.program import Program
from tests.helpers.engines import NotExact, deadline, exact_values, is_smooth
from tests.helpers.oracles import NUMBERS
from tests.helpers.programs import INPUTS, Recipe, random_points, random_recipe

Point = tuple[float, ...]

POINT_DIGITS = 40


@dataclass(frozen=True)
class Several:
    """A random function of three numbers that returns a list of one number and a pair.

    Attributes:
        recipes: of its outputs.
        at: an ordinary point.
        along: a direction there.
        across: weights of the outputs.
    """

    recipes: tuple[Recipe, ...]
    at: Point
    along: Point
    across: Point

    @classmethod
    def draw(cls, rng: random.Random, steps: int = 7) -> "Several":
        drawn = (random_recipe(rng, steps).pruned() for _ in count())
        recipes = tuple(islice(filter(_reads_inputs, drawn), 3))
        (at,) = random_points(rng, tame=1, special=0)
        along, across = (tuple(rng.uniform(-1.0, 1.0) for _ in range(3)) for _ in range(2))
        return cls(recipes, at, along, across)

    def uses(self, names: set[str]) -> bool:
        return any(step.op in names for recipe in self.recipes for step in recipe.steps)

    def function(self, of: Callable[[Recipe, Sequence[Any]], Any] = Recipe.of) -> Any:
        """The function to compile; its outputs are nested."""

        def several(x0: Any, x1: Any, x2: Any) -> Any:
            first, second, third = (of(recipe, (x0, x1, x2)) for recipe in self.recipes)
            return [first, (second, third)]

        return several

    def nested(self, numbers: Sequence[float]) -> Any:
        """Three numbers as the function returns them."""
        first, second, third = numbers
        return [first, (second, third)]

    def exactly(self, output: int, by: Sequence[int]) -> Any:
        """A derivative of an output by some inputs to many digits; None where it is not smooth."""
        program = self.recipes[output].program()
        try:
            with mpmath.workdps(POINT_DIGITS), deadline(20):
                if not is_smooth(program, self.at):
                    return None
                exact_values(program, self.at)
                orders = tuple(by.count(k) for k in range(INPUTS))
                return mpmath.mpmathify(mpmath.diff(_run(program), self.at, orders)).real
        except (NotExact, TimeoutError, ArithmeticError, ValueError, TypeError):
            return None

    def __str__(self) -> str:
        texts = "\n".join(str(recipe) for recipe in self.recipes)
        return f"{texts}\nat {self.at} along {self.along} across {self.across}"


def _reads_inputs(recipe: Recipe) -> bool:
    return any(type(x) is int and x < INPUTS for step in recipe.steps for x in step.operands)


def _run(program: Program) -> Callable[..., Any]:
    return lambda *at: NUMBERS.run(program, at)[0]
