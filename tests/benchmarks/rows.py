"""What is compared with peers: the works, their numbers, and how gradcompile is asked for them.

Each work is a value and its derivatives. Most are functions of one row of data, compiled for any
number of rows. The same works, written for peers, are in `sides.py`. Everything is drawn from fixed
seeds, and everybody is fed the same arrays.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

import gradcompile as gdc
from gradcompile import nn
from gradcompile.demos import two_moons

Arrays = dict[str, np.ndarray]
Step = Callable[[], Any]

FLAT = "gradcompile"
"""The side that peers are compared with: what a user calls, from Python."""

DISPATCHER = "gradcompile, .dispatcher"
"""The machine code alone, as other compiled code calls it."""


@dataclass(frozen=True)
class Work:
    """Something to be computed.

    Attributes:
        name: what it is called on the command line.
        title: what it is called on the page.
        topic: by whom it is written in `sides.py`.
        arrays: the numbers that everybody is fed.
        ours: compiles it, calls it once, and gives the ways to call it.
        rows: how many rows of data.
        fmas: how many fused multiply-adds a step needs, if it is made of them.
        traffic: bytes that a step reads and writes at least.
        details: what else `sides.py` has to know.
    """

    name: str
    title: str
    topic: str
    arrays: Arrays
    ours: Callable[[Arrays], dict[str, Step]]
    rows: int = 1
    fmas: int = 0
    traffic: int = 0
    details: Any = None


# --- networks ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """A network, and what is minimised.

    Attributes:
        sizes: how many inputs, and how many neurons each layer has.
        activation: of all layers but the last: "relu" or "tanh".
        hinge: a hinge loss with weight decay, or else cross-entropy.
    """

    sizes: tuple[int, ...]
    activation: str
    hinge: bool

    @cached_property
    def model(self) -> nn.MLP:
        """The network before training."""
        random.seed(two_moons.SEED)
        model = nn.MLP(self.sizes[0], self.sizes[1:], activation=self.activation)
        if not self.hinge:  # so that not all of the probability goes to one class
            model.flat = model.flat / math.sqrt(self.sizes[1])
        return model

    def layers(self, flat: Any) -> list[tuple[Any, Any]]:
        """Weights and biases by layer, as `nn.MLP` orders its parameters."""
        layers, start = [], 0
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            end = start + outputs * (inputs + 1)
            rows = flat[start:end].reshape(outputs, inputs + 1)
            layers.append((rows[:, :-1], rows[:, -1]))
            start = end
        return layers

    @property
    def fmas(self) -> int:
        """How many a row needs: outputs, gradients of weights, and what is handed back."""
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        products = [inputs * outputs for inputs, outputs in pairs]
        return 2 * sum(products) + sum(products[1:])


def network_loss(network: Network) -> Any:
    """The loss of one row, compiled for any number of rows."""

    @gdc.compile(batched=("x", "y"), reduce="mean", parallel=True)
    def loss(params: Any, x: Any, y: Any) -> Any:
        scores = network.model.with_parameters(params)(list(x))
        if not network.hinge:
            return gdc.cross_entropy(scores, y)
        return gdc.relu(1.0 - y * scores) + 1e-4 * sum(p * p for p in params)

    return loss


def by_parameters(function: Any, arrays: Arrays) -> dict[str, Step]:
    """Value and gradient by `params`, of the rows of `x` and `y`."""
    params, x, y = arrays["params"], arrays["x"], arrays["y"]
    kernel = function.value_and_grad
    kernel(params, x, y)
    dispatcher, matrices = dispatcher_of(kernel), (x, y.reshape(-1, 1))
    return {
        FLAT: lambda: kernel.flat(params, x=x, y=y),
        DISPATCHER: lambda: dispatcher()(params, matrices),
    }


def dispatcher_of(kernel: Any) -> Callable[[], Any]:
    """Asks for the machine code on the first call: a kernel by itself does without."""
    return cache(lambda: kernel.dispatcher)


def network_work(name: str, title: str, network: Network, x: Any, y: Any) -> Work:
    """A work of value and gradient by all parameters."""
    arrays = {"params": network.model.flat, "x": x, "y": y}
    return Work(
        name,
        title,
        "network",
        arrays,
        lambda arrays: by_parameters(network_loss(network), arrays),
        rows=len(x),
        fmas=len(x) * network.fmas,
        traffic=sum(a.nbytes for a in arrays.values()) + arrays["params"].nbytes,
        details=network,
    )


def moons(activation: str, rows: int) -> Work:
    """The two moons, with the loss of micrograd's demo."""
    network = Network((2, 16, 16, 1), activation, hinge=True)
    says, unit = {"relu": "ReLU"}.get(activation, activation), "row" if rows == 1 else "rows"
    title = f"two moons, {says}, {rows:,} {unit}"
    name = f"moons-{activation}-{rows}"
    return network_work(name, title, network, *two_moons.points(rows))


def mlp(rows: int = 1000, hidden: int = 128) -> Work:
    """A classifier of ten classes."""
    rng = np.random.default_rng(2)
    network = Network((64, hidden, hidden, 10), "relu", hinge=False)
    x, y = rng.normal(size=(rows, 64)), rng.integers(0, 10, rows).astype(np.float64)
    title = f"MLP {'-'.join(map(str, network.sizes))}, {rows:,} rows"
    return network_work("mlp", title, network, x, y)


def logistic(rows: int = 100_000, features: int = 30) -> Work:
    """Logistic regression: value and gradient by the weights and the offset."""
    rng = np.random.default_rng(3)
    x, weights = rng.normal(size=(rows, features)), rng.normal(size=features)
    y = np.where(x @ weights + rng.normal(size=rows) > 0, 1.0, -1.0)
    arrays = {"params": 0.1 * rng.normal(size=features + 1), "x": x, "y": y}

    @gdc.compile(batched=("x", "y"), reduce="mean", parallel=True)
    def loss(params: Any, x: Any, y: Any) -> Any:
        return gdc.softplus(-y * (gdc.dot(params[:-1], x) + params[-1]))

    title = f"logistic regression, {features} features, {rows:,} rows"
    traffic = sum(a.nbytes for a in arrays.values())
    return Work(
        "logistic", title, "logistic", arrays, lambda arrays: by_parameters(loss, arrays),
        rows=rows, fmas=2 * rows * features, traffic=traffic,
    )  # fmt: skip


# --- a price -------------------------------------------------------------------------------------

GREEKS = ("s", "t", "r", "v")
"""Delta, theta (of time that is left), rho and vega are the derivatives by these."""


def price(s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
    """What a European call is worth by Black and Scholes."""
    root = v * gdc.sqrt(t)
    d1 = (gdc.log(s / k) + (r + 0.5 * v * v) * t) / root
    d2 = d1 - root
    return s * normal_cdf(d1) - k * gdc.exp(-r * t) * normal_cdf(d2)


def normal_cdf(x: Any) -> Any:
    """By erf, because CasADi has no erfc."""
    return 0.5 * (1.0 + gdc.erf(x * math.sqrt(0.5)))


def black_scholes(rows: int = 1_000_000) -> Work:
    """A price and four Greeks, for each row."""
    rng = np.random.default_rng(4)
    ranges = {"s": (80, 120), "k": (80, 120), "t": (0.1, 2), "r": (0.0, 0.05), "v": (0.1, 0.5)}
    arrays = {name: rng.uniform(*ends, rows) for name, ends in ranges.items()}

    def ours(arrays: Arrays) -> dict[str, Step]:
        batched = gdc.compile(price, batched=tuple(arrays), reduce=None, wrt=GREEKS, parallel=True)
        kernel, columns = batched.value_and_grad, tuple(arrays.values())
        kernel(*(column[:2] for column in columns))
        dispatcher, nothing = dispatcher_of(kernel), np.empty(0)
        matrices = tuple(column.reshape(-1, 1) for column in columns)
        return {
            FLAT: lambda: kernel(*columns),
            DISPATCHER: lambda: dispatcher()(nothing, matrices),
        }

    title = f"Black–Scholes and Greeks, {rows:,} rows"
    traffic = 10 * 8 * rows  # five numbers of a row are read, five written
    return Work("black-scholes", title, "black_scholes", arrays, ours, rows=rows, traffic=traffic)


# --- scalars -------------------------------------------------------------------------------------


def neuron() -> Work:
    """The neuron of the lecture, differentiated by its five inputs."""
    arrays = {"inputs": np.array([2.0, 0.0, -3.0, 1.0, 6.8813735870195432])}

    def ours(arrays: Arrays) -> dict[str, Step]:
        function = gdc.compile(lambda x1, x2, w1, w2, b: gdc.tanh(x1 * w1 + x2 * w2 + b))
        kernel, flat = function.value_and_grad, arrays["inputs"]
        numbers = flat.tolist()
        kernel(*numbers)
        dispatcher = dispatcher_of(kernel)
        return {FLAT: lambda: kernel(*numbers), DISPATCHER: lambda: dispatcher()(flat)}

    return Work("neuron", "neuron with five inputs", "neuron", arrays, ours)


PANDA = (
    (0.0, 0.333, 0),
    (0.0, 0.0, -1),
    (0.0, 0.316, 1),
    (0.0825, 0.0, 1),
    (-0.0825, 0.384, -1),
    (0.0, 0.0, 1),
    (0.088, 0.107, 1),
)
"""Length, offset and twist of each link, in right angles: an arm with seven joints.

The parameters are those of Denavit and Hartenberg as Craig modified them.
"""

TOOL = (0.05, 0.02, 0.1)
"""Where in the frame of the last link the hand is."""


def position(angles: Any, cos: Any, sin: Any) -> list[Any]:
    """Where the hand is; by anyone's numbers, with their cos and sin."""
    x, y, z = TOOL
    # From the hand to the foot, a vector has three numbers where a frame would have twelve.
    for (length, offset, twist), angle in reversed(list(zip(PANDA, angles, strict=True))):
        c, s = cos(angle), sin(angle)
        x, y, z = c * x - s * y + length, s * x + c * y, z + offset
        if twist:
            y, z = -twist * z, twist * y
    return [x, y, z]


def robot_arm() -> Work:
    """The position of the hand, and its Jacobian by seven angles.

    There is no kernel for a Jacobian: each row of it is a gradient, and three kernels are called.
    """
    arrays = {"angles": np.array([0.3, -0.5, 0.2, -1.8, 0.4, 1.6, 0.7])}

    def ours(arrays: Arrays) -> dict[str, Step]:
        angles = arrays["angles"]
        kernels = []
        for axis in range(3):
            kernels.append(_component(axis).value_and_grad)
            kernels[-1](angles)
        dispatchers = [dispatcher_of(kernel) for kernel in kernels]
        return {
            FLAT: lambda: _stacked([kernel.flat(angles) for kernel in kernels]),
            DISPATCHER: lambda: [dispatcher()(angles) for dispatcher in dispatchers],
        }

    return Work("robot-arm", "robot arm, position and Jacobian", "robot_arm", arrays, ours)


def _stacked(found: Any) -> Any:
    values, rows = zip(*found, strict=True)
    return values, rows


def _component(axis: int) -> Any:
    @gdc.compile
    def component(angles: Any) -> Any:
        return position(angles, gdc.cos, gdc.sin)[axis]

    return component


WORKS: dict[str, Callable[[], Work]] = {
    "neuron": neuron,
    **{
        f"moons-{activation}-{rows}": lambda activation=activation, rows=rows: moons(
            activation, rows
        )
        for activation in ("relu", "tanh")
        for rows in (1, 100, 10_000, 1_000_000)
    },
    "mlp": mlp,
    "black-scholes": black_scholes,
    "robot-arm": robot_arm,
    "logistic": logistic,
}

SMALL: dict[str, Callable[[], Work]] = {
    "mlp": lambda: mlp(rows=100, hidden=16),
    "black-scholes": lambda: black_scholes(rows=1_000),
    "logistic": lambda: logistic(rows=1_000),
}
"""Smaller ones, for a quick look."""

WIDTHS = (16, 32, 64)
"""Of other hidden layers than 128 neurons: somewhere matrix libraries become faster."""


def make(name: str, quick: bool = False) -> Work:
    """A work by its name; `mlp-32` has other hidden layers than `mlp`."""
    kind, _, width = name.partition("-")
    if kind == "mlp" and width:
        return mlp(hidden=int(width))
    return (SMALL if quick and name in SMALL else WORKS)[name]()
