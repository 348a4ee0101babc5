"""Every kind of kernel is proved or confirmed: for each operation, and for random functions."""

import random

import pytest

import gradcompile as gdc
from gradcompile.ops.table import TABLE
from tests.helpers.oracles import COUNTS
from tests.helpers.several import Several
from tests.helpers.slow import slow_but

OF_ONE = (
    "jvp", "vjp", "jacobian.sparse", "value_and_jacobian", "hessian", "hessian.sparse.lower", "hvp",
    "grad_and_hvp", "hessian_diagonal", "value_grad_and_hessian",
)  # fmt: skip
OF_SEVERAL = (
    "jvp", "vjp", "jacobian", "jacobian.sparse", "hessian.weighted", "hessian.sparse.weighted",
    "value_grad_and_hessian.weighted",
)  # fmt: skip

NOT_COMPARED = {"erfcx", "polygamma"}
"""Not drawn: erfcx(-24) is 1e249, and 300 digits tell no difference of a wave of such an angle; and
`polygamma` has no derivative by its order."""

FAST = [TABLE[name] for name in ("mul", "tanh", "maximum")]


def refuted(f, paths):
    """The derivatives that are neither proved nor confirmed, by kernel."""
    found = []
    for path in paths:
        kernel = f
        for name in path.split("."):
            kernel = getattr(kernel, name)
        report = kernel.verify()
        found += [f"{path}: {x.name}" for x in report.derivatives if x.verdict == "refuted"]
        if not report.ok and not found:
            found.append(path)
    return found


@pytest.mark.parametrize("op", slow_but(FAST, TABLE.values()), ids=lambda op: op.name)
def test_every_kind_of_every_operation(op):
    names = ", ".join(op.operand_names)
    function = eval(f"lambda {names}: op({names})", {"op": op})  # a name of the table's
    wrt = [name for name in op.operand_names if (op.name, name) not in COUNTS]
    assert refuted(gdc.compile(function, cache=False, wrt=wrt), OF_ONE) == []


@pytest.mark.parametrize("seed", slow_but((0,), range(40)))
def test_every_kind_of_random_functions(seed):
    rng = random.Random(f"verdicts {seed}")
    drawn = Several.draw(rng, steps=4)
    while drawn.uses(NOT_COMPARED):
        drawn = Several.draw(rng, steps=4)
    assert refuted(gdc.compile(drawn.function(), cache=False), OF_SEVERAL) == [], drawn
