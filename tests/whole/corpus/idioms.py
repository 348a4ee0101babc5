"""Ways of writing Python that any field may use: closures, generators, checks, itertools, match."""

import itertools
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache, partial, reduce, wraps
from operator import add, itemgetter, mul

import numpy as np

from tests.whole.corpus.case import case

X = np.array([0.7, -0.4, 1.2])


def norm_of(*components):
    return np.sqrt(sum(c**2 for c in components))


def sum_of_peaks(x, **heights):
    return sum(h * np.exp(-((x - k) ** 2)) for k, h in enumerate(heights.values()))


def make_loss(data, targets):
    scale = len(targets)

    def loss(w):
        return ((data @ w - targets) ** 2).sum() / scale

    return loss


def with_penalty(function, rate=0.1):
    @wraps(function)
    def penalised(w):
        return function(w) + rate * np.abs(w).sum()

    return penalised


class Shape(Enum):
    SQUARE = "square"
    CIRCLE = "circle"


def area(size, shape=Shape.SQUARE):
    if shape is Shape.CIRCLE:
        return np.pi * size**2
    return size**2


def by_match(x, kind="cubic"):
    match kind:
        case "linear":
            return x
        case "cubic":
            return x**3
        case _:
            raise ValueError(kind)


def shape_of_pair(pair):
    match pair:
        case (x, y):
            return x * y
        case _:
            return 0.0


def geometric(x, n):
    return 1 if n == 0 else 1 + x * geometric(x, n - 1)


def power_by_squaring(x, n=11):
    result = 1.0
    while n:
        if n & 1:
            result = result * x
        x, n = x * x, n >> 1
    return result


def legendre(n, x):
    if n == 0:
        return 1
    if n == 1:
        return x
    return ((2 * n - 1) * x * legendre(n - 1, x) - (n - 1) * legendre(n - 2, x)) / n


def partial_sums(xs):
    total = 0
    for x in xs:
        total += x
        yield total


def sum_of_partial_sums(xs):
    return sum(s**2 for s in partial_sums(xs))


def accumulated(xs):
    return sum(itertools.accumulate(xs, mul))


def reduced(xs):
    return reduce(lambda a, b: a * 0.5 + b, xs)


def mapped(xs, ys):
    return reduce(add, map(mul, xs, ys))


def pairs(xs):
    return sum(a * b for a, b in itertools.combinations(xs, 2))


def grid_sum(x, y):
    return sum(np.sin(x * i + y * j) for i, j in itertools.product(range(3), repeat=2))


def counted_while(x):
    k = 0
    while k < 4:
        x = np.sin(x) + k
        k += 1
    return x


def first_of_iterator(xs):
    it = iter(xs)
    best = next(it)
    for x in it:
        best = np.maximum(best, x)
    return best


def grouped(values, keys=("a", "b", "a")):
    groups = defaultdict(list)
    for k, v in zip(keys, values):
        groups[k].append(v)
    return sum(np.prod(g) for g in groups.values())


def ordered_params(p):
    names = sorted(p)
    return sum((k + 1) * p[name] ** 2 for k, name in enumerate(names))


def unpacked(params):
    a, *rest = params
    return a * sum(rest)


def by_getter(p):
    a, b = itemgetter("a", "b")(p)
    return a**b


def walrus(x):
    return y * y if (y := x - 1) > 0 else -y


def checked(x, sigma):
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    return np.exp(-((x / sigma) ** 2))


def tried(params):
    try:
        return params["a"] * params["b"]
    except KeyError:
        return params["a"]


def instance_checked(x):
    if isinstance(x, (list, tuple)):
        return sum(x)
    return x


def at_least_1d(x):
    x = np.atleast_1d(x)
    return (x**2).sum()


def scalar_or_array(x):
    if np.isscalar(x) or np.ndim(x) == 0:
        return x**2
    return np.sum(x**3)


def as_array(x):
    x = np.asarray(x)
    return x @ x[::-1]


def as_array_first(x):
    x = np.asarray(x)
    return np.where(x > 0, x, 0.1 * x).sum() + np.maximum(x, 0.5).max()


def built_vector(a, b):
    v = np.array([a, b])
    return np.maximum(v, 0.1).sum() + np.sum(v[v > 0] ** 2)


def as_float_array(x):
    x = np.asarray(x, dtype=float)
    return x.sum()


def converted(x):
    return 2 * float(x)


@lru_cache
def binomials(n):
    return [reduce(lambda c, k: c * (n - k) // (k + 1), range(j), 1) for j in range(n + 1)]


def bernstein(t, n=3):
    return sum(k * c * t**k * (1 - t) ** (n - k) for k, c in enumerate(binomials(n)))


def any_large(x):
    if any(abs(v) > 1 for v in x):
        return sum(x)
    return 2 * sum(x)


def all_positive(a, b):
    return a * b if all(v > 0 for v in (a, b)) else a - b


def chained(x):
    return x if 0 < x < 1 and not x == 0.5 else x**2


def clamp(x, low=-1.0, high=1.0):
    return low if x < low else high if x > high else x


def sort_by_key(points):
    nearest = sorted(points, key=lambda p: p[0] ** 2 + p[1] ** 2)[0]
    return nearest[0] + 2 * nearest[1]


def index_of_largest(a, b):
    return [a**2, b][a < b]


def loop_with_break(xs, limit=1.0):
    total = 0.0
    for x in xs:
        if total > limit:
            break
        total += x**2
    return total


def loop_with_continue(xs):
    total = 0.0
    for x in xs:
        if x < 0:
            continue
        total += np.sqrt(x)
    return total


def nested_dicts(p):
    return sum(v["w"] * v["x"] + v.get("b", 0.0) for v in p.values())


def merged(p):
    return sum(v**2 for v in {**p, "extra": p["a"] * 3}.values())


def f_string(x):
    label = f"{1 + 1}"
    return x * int(label)


@dataclass
class Config:
    rate: float
    name: str = "default"
    sizes: list = field(default_factory=lambda: [2.0, 3.0])

    @property
    def total(self):
        return self.rate * sum(self.sizes)

    def __mul__(self, other):
        return Config(self.rate * other, self.name, self.sizes)


def configured(config, x):
    return (config * 2).total * x


class Polynomial:
    def __init__(self, *coefficients):
        self.coefficients = coefficients

    def __call__(self, x):
        return sum(c * x**k for k, c in enumerate(self.coefficients))

    def __add__(self, other):
        return Polynomial(*(a + b for a, b in zip(self.coefficients, other.coefficients)))


def fitted(c0, c1, x):
    return (Polynomial(c0, c1) + Polynomial(1.0, 2.0))(x)


class Vec:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __add__(self, other):
        return Vec(self.x + other.x, self.y + other.y)

    def __rmul__(self, k):
        return Vec(k * self.x, k * self.y)

    def __abs__(self):
        return np.hypot(self.x, self.y)


def vector_length(a, b):
    return abs(a * Vec(1.0, 2.0) + b * Vec(-0.5, 1.0))


class Dual:
    def __init__(self, re, eps):
        self.re, self.eps = re, eps

    def __mul__(self, other):
        return Dual(self.re * other.re, self.re * other.eps + self.eps * other.re)


def slope_by_duals(x):
    d = Dual(x, 1.0)
    return (d * d * d).eps


def vectorised(x):
    return np.vectorize(lambda v: v**2 + 1)(x).sum()


def along_axis(m):
    return np.apply_along_axis(lambda row: row[0] * row[-1], 1, m).sum()


def outer_and_trace(x):
    return np.trace(np.outer(x, x)) + np.diag(np.outer(x, x))[1]


def ufunc_methods(x):
    return np.add.reduce(x) * np.multiply.reduce(x)


def stacked(x, y):
    return np.hstack([x, 2 * y]) @ np.tile(y, 2)


def kronecker(x, y):
    return np.kron(x, y).sum()


def meshed(x, y):
    gx, gy = np.meshgrid(x, y)
    return np.sum(np.sin(gx) * gy)


def powers_of(x):
    return np.vander(x, 3)[:, 0].sum()


def padded(x):
    return np.pad(x, 1) @ np.arange(5.0)


def degrees_of(x):
    return np.rad2deg(np.arctan2(x[0], x[1])) + np.deg2rad(90) * x[2]


def guarded_division(a, b):
    return np.divide(a, b) if b != 0 else np.float64(0)


def eps_of_floats(x):
    return np.log(np.maximum(x, np.finfo(float).eps)).sum()


def isnan_filled(x):
    return np.where(np.isnan(x), 0.0, x).sum()


def isfinite_checked(x):
    if not np.isfinite(x):
        return 0.0
    return x**2


def close_to_zero(x):
    return 1.0 if np.isclose(x, 0) else np.sin(x) / x


def boolean_arithmetic(x):
    return (x > 0.5) * x + (x <= 0.5) * x**2


def in_place(x):
    y = x * 1.0
    y += 1
    y *= x
    y[0] = y[1] ** 2
    y[1:] /= 2
    return y.sum()


def rows_and_columns(m):
    return sum(row.sum() ** 2 for row in m) + sum(col.max() for col in m.T)


def tensor_contraction(m):
    return np.tensordot(m, m, axes=2) + np.einsum("ij,ij->", m, m)


CASES = (
    case(norm_of, 0.3, 0.4, 1.2),
    case(sum_of_peaks, 0.3, first=0.4, second=1.2),
    case(make_loss(np.outer(X, X[:2]), X), X[:2]),
    case(with_penalty(make_loss(np.outer(X, X[:2]), X)), X[:2]),
    case(area, 1.3),
    case(area, 1.3, Shape.CIRCLE),
    case(by_match, 1.3),
    case(by_match, 1.3, kind="linear"),
    case(shape_of_pair, (1.3, 0.2)),
    case(geometric, 0.4, 4, static=("n",)),
    case(power_by_squaring, 1.1),
    case(legendre, 4, 0.3, static=("n",)),
    case(sum_of_partial_sums, [0.3, 0.5, -0.2]),
    case(accumulated, [0.3, 0.5, -0.2]),
    case(reduced, [0.3, 0.5, -0.2]),
    case(mapped, [0.3, 0.5], [1.1, 2.0]),
    case(pairs, X),
    case(grid_sum, 0.3, 0.8),
    case(counted_while, 0.3),
    case(first_of_iterator, X),
    case(grouped, X),
    case(ordered_params, {"b": 0.3, "a": 0.8}),
    case(ordered_params, OrderedDict(b=0.3, a=0.8)),
    case(unpacked, [0.3, 0.5, -0.2]),
    case(by_getter, {"b": 0.3, "a": 0.8}),
    case(walrus, 1.7),
    case(checked, 0.3, 0.8),
    case(tried, {"a": 0.8}),
    case(tried, {"b": 0.3, "a": 0.8}),
    case(instance_checked, [0.3, 0.5]),
    case(at_least_1d, 0.3),
    case(scalar_or_array, 0.3),
    case(scalar_or_array, X),
    case(as_array, [0.3, 0.5]),
    case(as_array_first, X[:2]),
    case(built_vector, 0.3, 0.5),
    case(as_float_array, [0.3, 0.5], refusal="float"),
    case(converted, 0.3, refusal="float"),
    case(bernstein, 0.3),
    case(any_large, [0.3, 0.5, -1.2]),
    case(all_positive, 0.3, 0.5),
    case(chained, 0.3),
    case(clamp, 0.3),
    case(sort_by_key, [(0.3, 0.5), (-0.2, 0.1)]),
    case(index_of_largest, 0.3, 0.5, refusal="index"),
    case(loop_with_break, [0.3, 0.9, 0.7, 0.4]),
    case(loop_with_continue, [0.3, -0.9, 0.7]),
    case(nested_dicts, {"a": {"w": 0.3, "x": 0.5}, "b": {"w": 1.2, "x": -0.5, "b": 2.0}}),
    case(merged, {"a": 0.3, "b": 0.5}),
    case(f_string, 0.3),
    case(configured, Config(0.3, "other", [1.0, 0.5]), 2.0),
    case(fitted, 0.3, 0.5, 0.8),
    case(Polynomial(0.3, 0.5, -0.2), 1.2),
    case(vector_length, 0.3, 0.5),
    case(slope_by_duals, 0.3),
    case(vectorised, X),
    case(along_axis, np.outer(X, X + 1)),
    case(outer_and_trace, X),
    case(ufunc_methods, X),
    case(stacked, X, X**2),
    case(kronecker, X, X**2),
    case(meshed, X, X[:2]),
    case(powers_of, X),
    case(padded, X),
    case(degrees_of, X),
    case(guarded_division, 0.3, 0.5),
    case(eps_of_floats, np.abs(X)),
    case(isnan_filled, X),
    case(isfinite_checked, 0.3),
    case(close_to_zero, 0.3),
    case(boolean_arithmetic, 0.3),
    case(in_place, X),
    case(rows_and_columns, np.outer(X, X[:2] + 1)),
    case(tensor_contraction, np.outer(X, X[:2])),
    case(partial(checked, sigma=0.8), 0.3),
)
