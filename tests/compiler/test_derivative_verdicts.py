"""Every kind of kernel is proved or confirmed: for each operation, and for random functions."""

import random
from operator import attrgetter

import pytest

import gradcompile as gdc
from gradcompile.compiler import verification
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


@pytest.mark.parametrize(
    ("kernel", "right", "wrong", "name"),
    [
        ("value_and_jacobian", "value = v1 * y", "value = v1 + y", "value"),
        ("value_and_jacobian.sparse", "value = v1 * y", "value = v1 + y", "value"),
        ("value_grad_and_hessian.sparse", "x_bar = y * y", "x_bar = y", "d/dx"),
        ("jvp", "value = v1 * y", "value = v1 + y", "value"),
        ("vjp", "value = v1 * y", "value = v1 + y", "value"),
        ("value_grad_and_hessian", "value = v1 * y", "value = v1 + y", "value"),
        ("value_grad_and_hessian", "x_bar = y * y", "x_bar = y", "d/dx"),
        ("grad_and_hvp", "x_bar = y * y", "x_bar = y", "d/dx"),
    ],
)
def test_what_is_returned_beside_the_derivative_is_checked(kernel, right, wrong, name, monkeypatch):
    f = gdc.compile(lambda x, y: x * y * y, cache=False)
    verified = attrgetter(kernel)(f)
    assert verified.verify().ok
    source = verified.source
    assert right in source, source
    monkeypatch.setattr(verification, "verified_source", lambda _: source.replace(right, wrong))
    report = verified.verify()
    assert name in [x.name for x in report.derivatives if x.verdict == "refuted"]


@pytest.mark.parametrize("op", slow_but(FAST, TABLE.values()), ids=lambda op: op.name)
def test_every_kind_of_every_operation(op):
    names = ", ".join(op.operand_names)
    function = eval(f"lambda {names}: op({names})", {"op": op})  # a name of the table's
    wrt = [name for name in op.operand_names if (op.name, name) not in COUNTS]
    assert refuted(gdc.compile(function, cache=False, wrt=wrt), OF_ONE) == []


@pytest.mark.parametrize("seed", slow_but((0,), range(33)))
def test_every_kind_of_random_functions(seed):
    rng = random.Random(f"verdicts {seed}")
    drawn = Several.draw(rng, steps=4)
    while drawn.uses(NOT_COMPARED):
        drawn = Several.draw(rng, steps=4)
    assert refuted(gdc.compile(drawn.function(), cache=False), OF_SEVERAL) == [], drawn


def test_the_value_alone_has_nothing_to_verify():
    f = gdc.compile(lambda x: x * x, name="square")
    with pytest.raises(ValueError, match=r"square\.value\.verify\(\): the value is no derivative"):
        f.value.verify()
