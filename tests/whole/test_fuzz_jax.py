"""Random programs over the whole op table, differentiated by jax and by gradcompile."""

import math
import random
from typing import Any

import pytest

from gradcompile.autodiff.forward import forward
from gradcompile.autodiff.jacobian import jacobian
from gradcompile.autodiff.reverse import reverse
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Const
from gradcompile.ops.table import TABLE
from gradcompile.passes import run_passes
from tests.helpers.engines import exact_gradient
from tests.helpers.programs import INPUTS, Recipe, random_points, random_recipe

pytestmark = pytest.mark.peers

PROGRAMS = 400
SECOND_ORDER = 30
NOT_TWICE = {"polygamma", "sinc_slope"}
"""Of these jax has no second derivative, or about 9 digits of it."""

CLOSE = 1e-9


@pytest.fixture(scope="module")
def functions() -> dict[str, Any]:
    """jax's function for every operation of the table."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    special, nn, numpy = jax.scipy.special, jax.nn, jax.numpy
    found: dict[str, Any] = {
        "rsqrt": jax.lax.rsqrt, "stop_gradient": jax.lax.stop_gradient,
        "erf": special.erf, "erfc": special.erfc, "lgamma": special.gammaln,
        "digamma": special.digamma, "polygamma": lambda n, x: special.polygamma(int(n), x),
        "sigmoid": nn.sigmoid, "softplus": nn.softplus, "silu": nn.silu, "relu": nn.relu,
        "gelu": lambda x: nn.gelu(x, approximate=False),
        "erfcx": lambda x: numpy.exp(x * x) * special.erfc(x),
        "sinc_slope": jax.grad(numpy.sinc), "log_sigmoid": nn.log_sigmoid,
        "leaky_relu": nn.leaky_relu, "elu": nn.elu, "copy": lambda x: x,
    }  # fmt: skip
    for op in TABLE.values():
        if op.name not in found:
            name = op.ufunc or op.name
            found[op.name] = getattr(numpy, name, None) or getattr(special, name)
    return found


def jax_function(recipe: Recipe, functions: dict[str, Any]) -> Any:
    import jax.numpy as jnp

    def run(*inputs: Any) -> Any:
        values = list(inputs)
        for step in recipe.steps:
            given = [values[x] if type(x) is int else x for x in step.operands]
            values.append(jnp.asarray(functions[step.op](*given), jnp.float64))
        return values[-1]

    return run


def test_every_operation_has_a_counterpart(functions):
    assert set(functions) == set(TABLE)


def test_gradients_of_random_programs_are_those_of_jax(functions):
    import jax

    rng = random.Random(2026)
    compared, wrong = 0, []
    for number in range(PROGRAMS):
        if number % 50 == 0:
            jax.clear_caches()  # or what was compiled stays: 600 MB in the end
        recipe = random_recipe(rng).pruned()
        if any(step.op == "polygamma" for step in recipe.steps):
            continue  # jax has about 9 digits of it
        at = random_points(rng, tame=1, special=0)[0]
        program = recipe.program()
        exact = exact_gradient(program, at)
        if exact is None:
            continue
        ours = interpret(run_passes(reverse(run_passes(program), range(INPUTS))), at)[1]
        theirs = jax.grad(jax_function(recipe, functions), argnums=tuple(range(INPUTS)))(*at)
        for given, peer, truth in zip(ours, map(float, theirs), map(float, exact), strict=True):
            scale = CLOSE * max(1e-6, abs(truth))
            if abs(peer - truth) <= scale:  # where jax has lost its digits, it is no judge
                compared += 1
                if not abs(given - peer) <= 2 * scale:
                    wrong.append(f"{given!r}, jax {peer!r}, exactly {truth!r} at {at}:\n{recipe}")
    assert not wrong, "\n\n".join(wrong)
    assert compared > PROGRAMS // 2


def test_jacobians_tangents_and_hessians_of_random_programs_are_those_of_jax(functions):
    import jax

    rng = random.Random(2028)
    wrong, compared = [], 0
    for number in range(SECOND_ORDER):
        if number % 10 == 0:
            jax.clear_caches()
        recipe = random_recipe(rng).pruned()
        if any(step.op in NOT_TWICE for step in recipe.steps):
            continue
        at = random_points(rng, tame=1, special=0)[0]
        by = tuple(range(INPUTS))
        program = run_passes(recipe.program())
        if not all(map(math.isfinite, interpret(program, at))):
            continue  # outside of a domain
        gradient = run_passes(reverse(program, by, keep_value=False, again=True))
        peer = jax_function(recipe, functions)
        direction = tuple(rng.uniform(-1.0, 1.0) for _ in by)
        tangents = [Const(x) for x in direction]
        _, tangent = jax.jvp(peer, at, direction)
        pairs = [
            (interpret(forward(program, by, tangents, keep_value=False), at), [float(tangent)]),
            *(
                (interpret(run_passes(jacobian(each, by, mode=mode)), at), theirs)
                for each, theirs in (
                    (program, list(map(float, jax.jacfwd(peer, by)(*at)))),
                    (gradient, [float(x) for row in jax.hessian(peer, by)(*at) for x in row]),
                )
                for mode in ("forward", "reverse")
            ),
        ]
        for ours, theirs in pairs:
            if all(map(math.isfinite, theirs)):
                compared += 1
                scale = 1e-7 * max(1.0, *map(abs, theirs))
                if any(not abs(a - b) <= scale for a, b in zip(ours, theirs, strict=True)):
                    wrong.append((str(recipe), at, ours, theirs))
    assert compared > 2 * SECOND_ORDER
    assert not wrong, wrong[:3]
