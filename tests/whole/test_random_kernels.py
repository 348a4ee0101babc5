"""Every kernel of random functions of several inputs and outputs: they agree with one another."""

import random

import numpy as np
import pytest

import gradcompile as gdc
from tests.helpers.flat import by_text
from tests.helpers.kernels import derivatives, matrix
from tests.helpers.several import Several
from tests.helpers.slow import slow_but


def structure_of(kernel):
    return set(zip(*(x.tolist() for x in kernel.structure), strict=True))


@pytest.mark.parametrize("seed", slow_but(range(12), range(100)))
def test_kernels_of_random_functions_agree(seed):
    drawn = Several.draw(random.Random(f"kernels {seed}"))
    f = gdc.compile(drawn.function(), cache=False)
    across = drawn.nested(drawn.across)
    found = derivatives(f, drawn.at, drawn.at, drawn.along, across)
    if not all(np.isfinite(x).all() for x in (found.value, found.jacobian, found.hessian)):
        return  # outside of a domain; whether inf or nan comes out depends on the order
    scale = max(1.0, abs(found.jacobian).max(), abs(found.hessian).max())
    for name, (given, expected) in found.others.items():
        assert np.abs(given - expected).max() <= 1e-10 * scale, f"{name}\n{drawn}"
    for mode in ("forward", "reverse"):
        jacobian = by_text(gdc.compile(drawn.function(), mode=mode).jacobian, drawn.at, {})
        by_mode = matrix(jacobian, f_value(f, drawn.at), drawn.at)
        assert np.abs(by_mode - found.jacobian).max() <= 1e-10 * scale, f"{mode}\n{drawn}"


def f_value(f, at):
    return by_text(f.value, at, {})


@pytest.mark.parametrize("seed", slow_but(range(8), range(60)))
def test_structures_are_never_smaller_than_dense_results(seed):
    rng = random.Random(f"structures {seed}")
    drawn = Several.draw(rng)
    f = gdc.compile(drawn.function(), cache=False)
    seen = {"jacobian": set(), "hessian": set()}
    for _ in range(5):
        at = tuple(rng.uniform(0.1, 0.9) for _ in range(3))
        value = f_value(f, at)
        dense = {
            "jacobian": matrix(by_text(f.jacobian, at, {}), value, at),
            "hessian": matrix(
                by_text(f.hessian.weighted, at, {}, drawn.nested(drawn.across)), at, at
            ),
        }
        for kind, found in dense.items():
            seen[kind] |= set(zip(*(x.tolist() for x in np.nonzero(found)), strict=True))
    assert seen["jacobian"] <= structure_of(f.jacobian.sparse), drawn
    assert seen["hessian"] <= structure_of(f.hessian.sparse.weighted), drawn
