"""Every kernel of random functions of several inputs and outputs, beside jax.

Where the two differ, mpmath says which of them is wrong.
"""

import random
from typing import Any

import mpmath
import numpy as np
import pytest

import gradcompile as gdc
from tests.helpers.kernels import derivatives
from tests.helpers.several import Several
from tests.whole.test_fuzz_jax import NOT_TWICE, functions, jax_function  # noqa: F401

pytestmark = pytest.mark.peers

PROGRAMS = 300
PART = 50
CLOSE = 1e-10


def by_jax(drawn: Several, known: dict[str, Any]) -> dict[str, Any]:
    """What jax gives, as vectors and matrices."""
    import jax
    import jax.numpy as jnp

    runs = [jax_function(recipe, known) for recipe in drawn.recipes]

    def f(x: Any) -> Any:
        return jnp.stack([run(*x) for run in runs])

    at, along, across = map(jnp.array, (drawn.at, drawn.along, drawn.across))
    _, tangent = jax.jvp(f, (at,), (along,))
    _, back = jax.vjp(f, at)
    return {
        "jvp": tangent,
        "vjp": back(across)[0],
        "jacfwd": jax.jacfwd(f)(at),
        "jacrev": jax.jacrev(f)(at),
        "hessian": jax.hessian(lambda x: across @ f(x))(at),
    }


def exact(drawn: Several, kind: str, place: tuple[int, ...]) -> Any:
    """The number at a place of what jax gives; None where there is none to compare with."""

    def sums(by: list[list[int]], weights: Any) -> Any:
        parts = [drawn.exactly(output, b) for output, b in by]
        if any(part is None for part in parts):
            return None
        with mpmath.workdps(40):
            return mpmath.fsum(w * part for w, part in zip(weights, parts, strict=True))

    match kind:
        case "jvp":
            return sums([(place[0], [k]) for k in range(3)], drawn.along)
        case "vjp":
            return sums([(row, [place[0]]) for row in range(3)], drawn.across)
        case "hessian":
            return sums([(row, list(place)) for row in range(3)], drawn.across)
    return drawn.exactly(place[0], [place[1]])


def wrong_entries(drawn: Several, known: dict[str, Any]) -> tuple[int, list[str]]:
    """How many numbers were compared, and those of ours that are wrong."""
    f = gdc.compile(drawn.function(), cache=False)
    ours = derivatives(f, drawn.at, drawn.at, drawn.along, drawn.nested(drawn.across))
    given = {
        "jvp": ours.others["jvp"][0], "vjp": ours.others["vjp"][0], "jacfwd": ours.jacobian,
        "jacrev": ours.jacobian, "hessian": ours.hessian,
    }  # fmt: skip
    if not all(np.isfinite(x).all() for x in (ours.value, *given.values())):
        return 0, []
    compared, wrong = 0, []
    for kind, theirs in by_jax(drawn, known).items():
        for place, peer in np.ndenumerate(np.asarray(theirs)):
            number = given[kind][place]
            compared += 1
            if abs(number - peer) <= CLOSE * max(1.0, abs(peer)):
                continue
            truth = exact(drawn, kind, place)
            if truth is None or abs(number - truth) <= CLOSE * max(1.0, abs(truth)):
                continue
            if abs(number - truth) <= 2 * abs(peer - truth):
                continue  # the digits are lost in jax as well
            wrong.append(f"{kind}{place}: {number!r}, jax {peer!r}, exactly {truth}\n{drawn}")
    return compared, wrong


@pytest.mark.parametrize("part", range(PROGRAMS // PART))
def test_kernels_of_random_functions_are_those_of_jax(part, functions):  # noqa: F811
    import jax

    jax.clear_caches()  # or what was compiled stays
    rng = random.Random(f"kernels beside jax {part}")
    total, failures = 0, []
    for _ in range(PART):
        drawn = Several.draw(rng)
        if drawn.uses(NOT_TWICE):
            continue
        compared, wrong = wrong_entries(drawn, functions)
        total += compared
        failures += wrong
    assert not failures, "\n\n".join(failures)
    assert total > 10 * PART
