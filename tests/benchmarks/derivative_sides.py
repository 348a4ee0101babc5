"""The works of `derivative_works.py` by gradcompile, CasADi and jax.

A side compiles what it can, and gives a function without arguments that computes everything: the
first call of it may compile, too. Everybody's numbers are read afterwards, in the same order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

import gradcompile as gdc
from tests.benchmarks import derivative_works as works
from tests.benchmarks.rows import moons, network_loss
from tests.benchmarks.sides import (
    HALVES,
    Step,
    by_casadi,
    compiler,
    installed,
    jitted,
    load_jax,
    network_of,
)
from tests.helpers.pollu import SPECIES, pollu

OURS, GRADIENT, CASADI, VECTORS, JAX = (
    "gradcompile", "its gradient", "CasADi, C", "CasADi, C, vectors", "jax.jit",
)  # fmt: skip


@dataclass(frozen=True)
class Ready:
    """A side that is compiled, or compiles at the first step.

    Attributes:
        step: computes everything.
        numbers: what it returned, as flat arrays in everybody's order.
        kernels: ours, whose text may be looked at.
    """

    step: Step
    numbers: Callable[[Any], Sequence[Any]] = list
    kernels: tuple[Any, ...] = ()


def ours(*calls: tuple[Any, tuple[Any, ...]], numbers: Any = None) -> Ready:
    """Kernels of ours, each with its arguments."""
    kernels = tuple(kernel for kernel, _ in calls)
    if len(calls) == 1:
        kernel, args = calls[0]
        return Ready(lambda: kernel(*args), numbers or flat, kernels)
    return Ready(lambda: [kernel(*args) for kernel, args in calls], numbers or flat, kernels)


def flat(found: Any) -> list[Any]:
    """The arrays of a nested result, flat, one after the other."""
    if isinstance(found, tuple | list):
        return [array for part in found for array in flat(part)]
    return [np.asarray(found, np.float64).ravel()]


# --- libraries -----------------------------------------------------------------------------------


def load_casadi() -> tuple[Any, Any]:
    """CasADi, and its functions by our names."""
    import casadi as ca

    names = ("sqrt", "cos", "sin", "exp", "log", "atan2")
    functions = {name: getattr(ca, name) for name in names}
    ndtr = partial(_ndtr, ca.erf)
    return ca, SimpleNamespace(**functions, where=ca.if_else, ndtr=ndtr)


def load_jax_numpy() -> tuple[Any, Any]:
    """Give jax, and its functions by our names."""
    jax = load_jax()
    names = ("sqrt", "cos", "sin", "exp", "log", "where")
    functions = {name: getattr(jax.numpy, name) for name in names}
    ndtr = jax.scipy.special.ndtr
    return jax, SimpleNamespace(**functions, atan2=jax.numpy.arctan2, ndtr=ndtr)


def _ndtr(erf: Any, x: Any) -> Any:
    return 0.5 * (1.0 + erf(x * HALVES))


def casadi_side(
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    arrays: Sequence[Any],
    rows: int = 1,
    filled: bool = False,
) -> Ready:
    """The C code of a CasADi function, which reads and writes numpy arrays.

    Args:
        inputs: its symbols.
        outputs: its expressions; of matrices it writes the nonzeros.
        arrays: what it reads.
        rows: how many times it is called, for as many rows of the arrays.
        filled: are whole matrices compared, with their zeros?
    """
    import casadi as ca

    function = ca.Function("work", list(inputs), list(outputs))
    sparsities = [function.sparsity_out(k) for k in range(function.n_out())]
    step = by_casadi(function.map(rows) if rows > 1 else function, *arrays, compiled=True)

    def numbers(found: Any) -> list[Any]:
        parts = zip((found[0], *found[1]), sparsities, strict=True)
        return [row_by_row(x.reshape(rows, -1), sparsity, filled).ravel() for x, sparsity in parts]

    return Ready(step, numbers)


def row_by_row(nonzeros: np.ndarray, sparsity: Any, filled: bool) -> np.ndarray:
    """The nonzeros of matrices row by row, with all zeros or without: CasADi goes by columns."""
    rows, columns = map(np.asarray, sparsity.get_triplet())
    if not filled:
        return nonzeros[:, np.lexsort((columns, rows))]
    found = np.zeros((len(nonzeros), *sparsity.shape))
    found[:, rows, columns] = nonzeros
    return found


def _elements(symbols: Any) -> Any:
    """The symbols of a vector as a list; one alone as it is."""
    count = symbols.numel()
    return symbols if count == 1 else [symbols[k] for k in range(count)]


# --- bundle adjustment ---------------------------------------------------------------------------

BY = ("camera", "point", "weight")


def ba_by_us(rows: int) -> Ready:
    arrays = works.observations(rows)
    function = gdc.compile(
        partial(works.residuals, gdc), batched=tuple(arrays), reduce=None, wrt=BY
    )
    kernel = function.value_and_jacobian.sparse.values
    return ours((kernel, tuple(arrays.values())), numbers=_by_row)


def _by_row(found: Any) -> list[Any]:
    """The residuals and the nonzeros of the Jacobian: those of a row of data together."""
    value, nonzeros = found
    return [np.stack(list(map(np.asarray, value)), axis=1).ravel(), np.asarray(nonzeros).ravel()]


def _nonzeros(jacobian: Any) -> np.ndarray:
    """The nonzeros of a dense Jacobian for each row of data, in the order of `by_row`.

    An image's x does not depend on the y of the principal point, nor y on its x; and the weight's
    residual on nothing but the weight.
    """
    rows = [
        np.concatenate([np.reshape(part, (len(part), -1)) for part in residual], axis=1)
        for residual in jacobian
    ]
    columns = np.arange(15)
    kept = (columns != 8, columns != 7, columns == 14)
    return np.concatenate([row[:, keep] for row, keep in zip(rows, kept, strict=True)], axis=1)


def ba_by_casadi(rows: int) -> Ready:
    ca, m = load_casadi()
    arrays = works.observations(rows)
    sizes = {"camera": 11, "point": 3, "weight": 1, "feature": 2}
    symbols = {name: ca.SX.sym(name, size) for name, size in sizes.items()}
    found = ca.vertcat(*works.residuals(m, *map(_elements, symbols.values())))
    jacobian = ca.jacobian(found, ca.vertcat(*[symbols[name] for name in BY]))
    outputs = [found, jacobian]
    return casadi_side(symbols.values(), outputs, arrays.values(), rows)


def ba_by_jax(rows: int) -> Ready:
    jax, m = load_jax_numpy()
    arrays = works.observations(rows)

    def row(*args: Any) -> Any:
        found = works.residuals(m, *args)
        return found, found

    def both(*args: Any) -> Any:
        jacobian, value = jax.jacfwd(row, (0, 1, 2), has_aux=True)(*args)
        return value, jacobian

    def numbers(found: Any) -> list[Any]:
        value, jacobian = found
        return _by_row((value, _nonzeros(jacobian)))

    return Ready(jitted(jax.vmap(both), *arrays.values()), numbers)


# --- Rosenbrock ----------------------------------------------------------------------------------


def rosenbrock_gradient_by_us(n: int) -> Ready:
    return ours((gdc.compile(works.rosenbrock).grad, (works.chain(n),)))


def rosenbrock_gradient_by_casadi(n: int, vectors: bool = False) -> Ready:
    ca, _ = load_casadi()
    x = (ca.MX if vectors else ca.SX).sym("x", n)
    value = works.rosenbrock_by_vectors(ca.sum1, x)
    return casadi_side([x], [ca.gradient(value, x)], [works.chain(n)])


def rosenbrock_gradient_by_jax(n: int) -> Ready:
    jax, _ = load_jax_numpy()
    value = partial(works.rosenbrock_by_vectors, jax.numpy.sum)
    return Ready(jitted(jax.grad(value), works.chain(n)), flat)


def rosenbrock_hessian_by_us(n: int) -> Ready:
    return ours((gdc.compile(works.rosenbrock).hessian.sparse.values, (works.chain(n),)))


def rosenbrock_hessian_by_casadi(n: int, vectors: bool = False) -> Ready:
    ca, _ = load_casadi()
    x = (ca.MX if vectors else ca.SX).sym("x", n)
    hessian, _ = ca.hessian(works.rosenbrock_by_vectors(ca.sum1, x), x)
    return casadi_side([x], [hessian], [works.chain(n)])


def rosenbrock_hessian_by_jax(n: int) -> Ready:
    jax, _ = load_jax_numpy()
    value = partial(works.rosenbrock_by_vectors, jax.numpy.sum)
    rows, columns = np.nonzero(abs(np.subtract.outer(np.arange(n), np.arange(n))) <= 1)
    step = jitted(jax.hessian(value), works.chain(n))
    return Ready(step, lambda found: [np.asarray(found)[rows, columns]])


# --- Lukšan and Vlček ----------------------------------------------------------------------------


def chain_by_us(n: int) -> Ready:
    x, y = works.chain(n), np.ones(n - 2)
    held = gdc.compile(partial(_constraints, gdc))
    lagrangian = gdc.compile(partial(works.lagrangian, gdc), wrt="x")
    return ours(
        (gdc.compile(works.rosenbrock).value_and_grad, (x,)),
        (held.value, (x,)),
        (held.jacobian.sparse.values, (x,)),
        (lagrangian.hessian.sparse.values, (x, 1.0, y)),
    )


def _constraints(m: Any, x: Any) -> Any:
    return np.array(works.constraints(m, x))


def chain_by_casadi(n: int) -> Ready:
    ca, m = load_casadi()
    x, y, scale = ca.SX.sym("x", n), ca.SX.sym("y", n - 2), ca.SX.sym("scale")
    objective, held = works.rosenbrock(x), ca.vertcat(*works.constraints(m, x))
    hessian, _ = ca.hessian(scale * objective + ca.dot(y, held), x)
    outputs = [objective, ca.gradient(objective, x), held, ca.jacobian(held, x), hessian]
    return casadi_side([x, scale, y], outputs, [works.chain(n), np.ones(1), np.ones(n - 2)])


# --- small ones ----------------------------------------------------------------------------------

CONCENTRATIONS = np.random.default_rng(0).uniform(0.01, 0.3, SPECIES)


def pollu_by_us(_: int) -> Ready:
    return ours((gdc.compile(pollu).jacobian.sparse.values, (CONCENTRATIONS,)))


def pollu_by_casadi(_: int) -> Ready:
    ca, _m = load_casadi()
    y = ca.SX.sym("y", SPECIES)
    jacobian = ca.jacobian(ca.vertcat(*pollu(_elements(y))), y)
    return casadi_side([y], [jacobian], [CONCENTRATIONS])


def pose_by_us(_: int) -> Ready:
    def pose(q: Any) -> Any:
        return np.array(works.pose(gdc, q))

    return ours((gdc.compile(pose).value_and_jacobian, (works.JOINTS["q"],)), numbers=_by_joint)


def torques_by_us(_: int) -> Ready:
    def torques(q: Any, speed: Any, acceleration: Any) -> Any:
        return np.array(works.torques(gdc, q, speed, acceleration))

    kernel = gdc.compile(torques).value_and_jacobian
    return ours((kernel, tuple(works.JOINTS.values())), numbers=_by_joint)


def _by_joint(found: Any) -> list[Any]:
    """What the arm does, and its Jacobian row by row."""
    value, jacobian = found
    return [value, np.concatenate(jacobian, axis=1).ravel()]


def arm_by_casadi(function: Any, names: Sequence[str]) -> Ready:
    ca, m = load_casadi()
    symbols = [ca.SX.sym(name, 7) for name in names]
    found = ca.vertcat(*function(m, *map(_elements, symbols)))
    outputs = [found, ca.jacobian(found, ca.vertcat(*symbols))]
    arrays = [works.JOINTS[name] for name in names]
    return casadi_side(symbols, outputs, arrays, filled=True)


# --- options, and a product with a Hessian -------------------------------------------------------


def greeks_by_us(rows: int) -> Ready:
    market = works.market(rows)
    function = gdc.compile(partial(works.price, gdc), batched=tuple(market), reduce=None)
    return ours((function.value_grad_and_hessian, tuple(market.values())))


def greeks_by_jax(rows: int) -> Ready:
    jax, m = load_jax_numpy()
    market = works.market(rows)
    by = tuple(range(len(market)))
    price = partial(works.price, m)

    def greeks(*row: Any) -> Any:
        return price(*row), jax.grad(price, by)(*row), jax.hessian(price, by)(*row)

    return Ready(jitted(jax.vmap(greeks), *market.values()), flat)


def moons_by_us(rows: int) -> Ready:
    work = moons("relu", rows)
    params, x, y = work.arrays.values()
    kernel = network_loss(work.details).hvp
    direction = _direction(params)
    kernel((params, x, y), (direction,))
    return Ready(lambda: kernel.flat(params, direction, x=x, y=y), flat, (kernel,))


def moons_gradient(rows: int) -> Ready:
    work = moons("relu", rows)
    params, x, y = work.arrays.values()
    kernel = network_loss(work.details).grad
    kernel(params, x, y)
    return Ready(lambda: kernel.flat(params, x=x, y=y), flat, (kernel,))


def moons_by_jax(rows: int) -> Ready:
    work = moons("relu", rows)
    jax, network = load_jax(), work.details
    params, x, y = work.arrays.values()

    def product(params: Any, direction: Any, x: Any, y: Any) -> Any:
        def loss(params: Any) -> Any:
            return network_of(jax.numpy, network, network.layers(params), x, y)

        return jax.jvp(jax.grad(loss), (params,), (direction,))[1]

    return Ready(jitted(product, params, _direction(params), x, y), flat)


def _direction(params: np.ndarray) -> np.ndarray:
    return np.cos(np.arange(float(len(params))))


# --- who has what --------------------------------------------------------------------------------

JOINTS = tuple(works.JOINTS)

SIDES: dict[str, dict[str, Callable[[int], Ready]]] = {
    "ba1": {OURS: ba_by_us, CASADI: ba_by_casadi, JAX: ba_by_jax},
    "rosenbrock-gradient": {
        OURS: rosenbrock_gradient_by_us,
        CASADI: rosenbrock_gradient_by_casadi,
        VECTORS: partial(rosenbrock_gradient_by_casadi, vectors=True),
        JAX: rosenbrock_gradient_by_jax,
    },
    "rosenbrock-hessian": {
        OURS: rosenbrock_hessian_by_us,
        CASADI: rosenbrock_hessian_by_casadi,
        VECTORS: partial(rosenbrock_hessian_by_casadi, vectors=True),
        JAX: rosenbrock_hessian_by_jax,
    },
    "luksan-vlcek": {OURS: chain_by_us, CASADI: chain_by_casadi},
    "pollu": {OURS: pollu_by_us, CASADI: pollu_by_casadi},
    "arm-pose": {
        OURS: pose_by_us,
        CASADI: lambda _: arm_by_casadi(works.pose, JOINTS[:1]),
    },
    "arm-dynamics": {
        OURS: torques_by_us,
        CASADI: lambda _: arm_by_casadi(works.torques, JOINTS),
    },
    "greeks": {OURS: greeks_by_us, JAX: greeks_by_jax},
    "moons-hvp": {OURS: moons_by_us, GRADIENT: moons_gradient, JAX: moons_by_jax},
}


def sides(name: str, size: int) -> dict[str, Callable[[], Ready]]:
    """Who computes this work, and how it is made ready; peers that are not there are left out."""
    return {
        side: partial(maker, size)
        for side, maker in SIDES[name].items()
        if installed(side.partition(",")[0]) and (not side.startswith("CasADi") or compiler())
    }
