"""What `derivatives.py` measures: functions that anybody's numbers go through, and their data.

Each function takes the library whose `cos`, `exp` and so on fit the numbers it is given.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.benchmarks.rows import PANDA, TOOL

Arrays = dict[str, np.ndarray]

# --- bundle adjustment ---------------------------------------------------------------------------

CAMERA = (-0.758453, -1.109613, -0.845551, 34.556073, 39.676747, 53.881673, 419.194514,
          5.864426, -8.518870, 0.087812, 0.002739)  # fmt: skip
POINT, WEIGHT, FEATURE = (7.203245, 0.001144, 3.023326), 0.417022, (271.760969, 834.209256)
"""The one observation that ADBench's problem `ba1` repeats."""

CAMERAS, POINTS, OBSERVATIONS = 49, 7_776, 31_843
"""The size of `ba1`."""


def observations(count: int) -> Arrays:
    """The arguments of `residuals` for each observation, unlike each other by a little."""
    rng = np.random.default_rng(0)
    which = np.arange(count)
    cameras = np.tile(CAMERA, (CAMERAS, 1)) * rng.uniform(0.99, 1.01, (CAMERAS, 1))
    points = np.tile(POINT, (POINTS, 1)) * rng.uniform(0.99, 1.01, (POINTS, 1))
    return {
        "camera": cameras[which % CAMERAS],
        "point": points[which % POINTS],
        "weight": np.full(count, WEIGHT),
        "feature": np.tile(FEATURE, (count, 1)),
    }


def rotated(m: Any, rotation: Any, v: Any) -> list[Any]:
    """Rodrigues' formula, which divides by the angle; to first order where that is 0."""
    square = rotation[0] * rotation[0] + rotation[1] * rotation[1] + rotation[2] * rotation[2]
    theta = m.sqrt(square)
    c, s = m.cos(theta), m.sin(theta)
    axis = [x * (1.0 / theta) for x in rotation]
    along = (axis[0] * v[0] + axis[1] * v[1] + axis[2] * v[2]) * (1.0 - c)
    turned = crossed(axis, v)
    large = [v[k] * c + turned[k] * s + axis[k] * along for k in range(3)]
    small = [a + b for a, b in zip(v, crossed(rotation, v), strict=True)]
    return [m.where(square == 0.0, a, b) for a, b in zip(small, large, strict=True)]


def residuals(m: Any, camera: Any, point: Any, weight: Any, feature: Any) -> list[Any]:
    """How far a camera sees a point from where it was found, and how far its weight is from 1."""
    seen = rotated(m, camera[0:3], [point[k] - camera[3 + k] for k in range(3)])
    x, y = seen[0] / seen[2], seen[1] / seen[2]
    r2 = x * x + y * y
    radial = 1.0 + camera[9] * r2 + camera[10] * r2 * r2
    u, v = x * radial * camera[6] + camera[7], y * radial * camera[6] + camera[8]
    return [weight * (u - feature[0]), weight * (v - feature[1]), 1.0 - weight * weight]


# --- sums and constraints along a chain ----------------------------------------------------------


def rosenbrock(x: Any) -> Any:
    """Rosenbrock's function of many numbers, one by one."""
    terms = range(1, x.shape[0])
    return sum(100.0 * (x[i - 1] ** 2 - x[i]) ** 2 + (x[i - 1] - 1.0) ** 2 for i in terms)


def rosenbrock_by_vectors(sum_of: Any, x: Any) -> Any:
    """The same, all terms at once."""
    return sum_of(100.0 * (x[:-1] ** 2 - x[1:]) ** 2 + (x[:-1] - 1.0) ** 2)


def constraints(m: Any, x: Any) -> list[Any]:
    """The constraints of Lukšan and Vlček, whose objective is Rosenbrock's function."""
    found = []
    for i in range(x.shape[0] - 2):
        waves = m.sin(x[i + 1] - x[i + 2]) * m.sin(x[i + 1] + x[i + 2])
        bulge = x[i] * m.exp(x[i] - x[i + 1])
        found.append(
            3.0 * x[i + 1] ** 3 + 2.0 * x[i + 2] - 5.0 + waves + 4.0 * x[i + 1] - bulge - 3.0
        )
    return found


def lagrangian(m: Any, x: Any, scale: Any, y: Any) -> Any:
    """The objective and the constraints with their multipliers."""
    of = constraints(m, x)
    return scale * rosenbrock(x) + sum(y[i] * of[i] for i in range(len(of)))


def chain(n: int) -> np.ndarray:
    """Where these functions are evaluated."""
    return np.linspace(0.5, 1.5, n)


# --- an arm with seven joints --------------------------------------------------------------------

TWISTS = {0: (1.0, 0.0), 1: (0.0, 1.0), -1: (0.0, -1.0)}
"""Cosine and sine of the twists of the links, in right angles."""

MASSES = (4.97, 0.65, 3.23, 3.59, 1.23, 1.67, 0.74)
CENTRES = ((0.004, 0.002, -0.18), (-0.003, -0.03, 0.004), (0.03, 0.04, -0.07), (-0.05, 0.1, 0.03),
           (-0.01, 0.04, -0.04), (0.06, -0.01, -0.01), (0.01, 0.004, 0.06))  # fmt: skip
INERTIAS = ((0.7, 0.71, 0.009), (0.008, 0.03, 0.03), (0.04, 0.04, 0.01), (0.03, 0.02, 0.03),
            (0.04, 0.03, 0.01), (0.003, 0.004, 0.005), (0.01, 0.01, 0.005))  # fmt: skip
"""Of each link: its mass, its centre of mass, and its moments of inertia about that."""

GRAVITY = 9.81

JOINTS = {
    "q": np.array([0.3, -0.5, 0.2, -1.8, 0.4, 1.6, 0.7]),
    "speed": np.array([0.5, -0.2, 0.1, 0.4, -0.3, 0.2, 0.6]),
    "acceleration": np.array([0.1, 0.3, -0.2, 0.5, 0.2, -0.4, 0.3]),
}


def frames(m: Any, q: Any) -> list[tuple[list[list[Any]], list[float]]]:
    """Of each link: its rotation and its place in the frame of the link before it."""
    found = []
    for k, (length, offset, twist) in enumerate(PANDA):
        c, s = m.cos(q[k]), m.sin(q[k])
        ct, st = TWISTS[twist]
        twisted = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]
        rotation = [
            twisted[0],
            [minus(product(ct, y), product(st, z)) for y, z in zip(*twisted[1:], strict=True)],
            [plus(product(st, y), product(ct, z)) for y, z in zip(*twisted[1:], strict=True)],
        ]
        found.append((rotation, [length, -st * offset, ct * offset]))
    return found


def pose(m: Any, q: Any) -> list[Any]:
    """Where the hand is, and its roll, pitch and yaw."""
    place: list[Any] = list(TOOL)
    columns: list[list[Any]] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    for rotation, origin in reversed(frames(m, q)):
        place = added(origin, times(rotation, place))
        columns = [times(rotation, column) for column in columns]
    x, y, z = columns
    pitch = m.atan2(-x[2], m.sqrt(x[0] * x[0] + x[1] * x[1]))
    return [*place, m.atan2(y[2], z[2]), pitch, m.atan2(x[1], x[0])]


# IEEE's arithmetic does not let a compiler drop a product with zero: the other factor may be
# infinite. CasADi drops them. So the zeros of frames are left out here, for everybody.


def times(matrix: Any, v: Sequence[Any]) -> list[Any]:
    """A matrix times a vector."""
    found = []
    for row in matrix:
        total: Any = 0.0
        for a, b in zip(row, v, strict=True):
            total = plus(total, product(a, b))
        found.append(total)
    return found


def is_zero(x: Any) -> bool:
    """Is it a number that is known to be zero?"""
    return isinstance(x, float) and x == 0.0


def product(a: Any, b: Any) -> Any:
    """The product, without those with zero."""
    return 0.0 if is_zero(a) or is_zero(b) else a * b


def plus(a: Any, b: Any) -> Any:
    """The sum, without zeros."""
    return b if is_zero(a) else a if is_zero(b) else a + b


def minus(a: Any, b: Any) -> Any:
    """The difference, without zeros."""
    return a if is_zero(b) else -b if is_zero(a) else a - b


def crossed(a: Any, b: Any) -> list[Any]:
    """The vector product."""
    pairs = ((1, 2), (2, 0), (0, 1))
    return [minus(product(a[i], b[j]), product(a[j], b[i])) for i, j in pairs]


def added(a: Any, b: Any) -> list[Any]:
    """The sum of two vectors."""
    return [plus(x, y) for x, y in zip(a, b, strict=True)]


def torques(m: Any, q: Any, speed: Any, acceleration: Any) -> list[Any]:
    """The torques of the joints: the recursive algorithm of Newton and Euler."""
    links = frames(m, q)
    turn, twist, rise = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, GRAVITY]
    loads = []
    for k, (rotation, origin) in enumerate(links):
        back = list(zip(*rotation, strict=True))
        rise = times(back, added(rise, swung(turn, twist, origin)))
        before = times(back, turn)
        twist = times(back, twist)
        twist = added(twist, crossed(before, [0.0, 0.0, speed[k]]))
        twist[2] = plus(twist[2], acceleration[k])
        turn = [*before[:2], plus(before[2], speed[k])]
        at_centre = added(rise, swung(turn, twist, CENTRES[k]))
        force = [product(MASSES[k], a) for a in at_centre]
        spin = list(map(product, INERTIAS[k], turn))
        moment = list(map(product, INERTIAS[k], twist))
        loads.append((force, added(moment, crossed(turn, spin))))
    found: list[Any] = []
    force, moment = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    for k in reversed(range(len(links))):
        own, own_moment = loads[k]
        if k + 1 < len(links):
            rotation, origin = links[k + 1]
            force = times(rotation, force)
            moment = added(times(rotation, moment), crossed(origin, force))
        moment = added(added(moment, own_moment), crossed(CENTRES[k], own))
        force = added(force, own)
        found.append(moment[2])
    return found[::-1]


def swung(turn: Any, twist: Any, arm: Any) -> list[Any]:
    """The acceleration at the end of an arm that turns."""
    return added(crossed(twist, arm), crossed(turn, crossed(turn, arm)))


# --- options -------------------------------------------------------------------------------------


def price(m: Any, s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
    """The price of a call by Black and Scholes."""
    d1 = (m.log(s / k) + (r + 0.5 * v * v) * t) / (v * m.sqrt(t))
    return s * m.ndtr(d1) - k * m.exp(-r * t) * m.ndtr(d1 - v * m.sqrt(t))


def market(rows: int) -> Arrays:
    """Options of all kinds."""
    rng = np.random.default_rng(0)
    ranges = {"s": (80, 120), "k": (80, 120), "t": (0.1, 2), "r": (0, 0.05), "v": (0.1, 0.5)}
    return {name: rng.uniform(*bounds, rows) for name, bounds in ranges.items()}
