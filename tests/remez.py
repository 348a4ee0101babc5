"""Where the polynomials of `gradcompile/vector.py` that are our own come from.

`python -m tests.remez` finds each by the exchange algorithm of Remez, with 60 digits, rounds its
coefficients to float64, and prints them with the error that is left: of the rounded polynomial,
evaluated exactly, weighted as it counts in the function.
"""

from collections.abc import Callable
from dataclasses import dataclass

import mpmath
from mpmath import mpf

DIGITS = 60
Function = Callable[[mpf], mpf]


@dataclass(frozen=True)
class Problem:
    """What a polynomial approximates, where, and how much an error counts.

    Attributes:
        function: what is approximated.
        weight: the error of the polynomial times this is the error of the result.
        low, high: the interval.
        degree: of the polynomial.
    """

    function: Function
    weight: Function
    low: str
    high: str
    degree: int

    def error(self, coefficients: list[mpf], x: mpf) -> mpf:
        """The weighted error at a point."""
        value = mpmath.polyval(coefficients[::-1], x)
        return (value - self.function(x)) * self.weight(x)


def _exp_tail(r: mpf) -> mpf:
    """(exp(r) - 1 - r) / r²."""
    if abs(r) < mpf("1e-3"):
        return mpmath.fsum(r**n / mpmath.factorial(n + 2) for n in range(20))
    return (mpmath.exp(r) - 1 - r) / r**2


def _erf_over_x(z: mpf) -> mpf:
    """erf(x) / x - 1, of z = x²."""
    x = mpmath.sqrt(z)
    return mpmath.erf(x) / x - 1 if x else 2 / mpmath.sqrt(mpmath.pi) - 1


PROBLEMS = {
    "EXP": Problem(_exp_tail, lambda r: max(r**2, mpf("1e-6")), "-0.34662", "0.34662", 9),
    "ERF": Problem(_erf_over_x, lambda z: 1 / (1 + _erf_over_x(z)), "0", "1", 11),
    "ERFC": Problem(
        lambda u: -mpmath.log(mpmath.erfc(u)), mpmath.erfc, "1", "6", 16
    ),
}  # fmt: skip
"""The polynomials, by their names in `vector.py`."""


def solve(problem: Problem, rounds: int = 12, grid: int = 1200) -> list[mpf]:
    """The coefficients, lowest power first: at the extremes the error is equal, with turns."""
    low, high, count = mpf(problem.low), mpf(problem.high), problem.degree + 2

    def spread(k: int, n: int) -> mpf:
        return (low + high) / 2 - (high - low) / 2 * mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * n))

    points = [spread(k, count) for k in range(count)]
    dense = [spread(k, grid) for k in range(grid)]
    values = [(problem.function(x), problem.weight(x)) for x in dense]
    for _ in range(rounds):
        coefficients = _levelled(problem, points)
        reversed_ = coefficients[::-1]
        errors = [
            (mpmath.polyval(reversed_, x) - value) * weight
            for x, (value, weight) in zip(dense, values, strict=True)
        ]
        points = _extremes(dense, errors, count)
        sizes = [abs(problem.error(coefficients, x)) for x in points]
        if max(sizes) < 1.001 * min(sizes):
            break
    return coefficients


def _levelled(problem: Problem, points: list[mpf]) -> list[mpf]:
    """The polynomial whose weighted errors at the points are equal, with alternating signs."""
    n = problem.degree + 1
    rows, right = mpmath.matrix(n + 1, n + 1), mpmath.matrix(n + 1, 1)
    for i, x in enumerate(points):
        for j in range(n):
            rows[i, j] = x**j
        rows[i, n] = (-1) ** i / problem.weight(x)
        right[i] = problem.function(x)
    return list(mpmath.lu_solve(rows, right))[:n]


def _extremes(dense: list[mpf], errors: list[mpf], count: int) -> list[mpf]:
    """The largest errors of each sign in a row; of too many, those without the smallest end."""
    found: list[tuple[mpf, mpf]] = []
    for x, error in zip(dense, errors, strict=True):
        if found and (error > 0) == (found[-1][1] > 0):
            if abs(error) > abs(found[-1][1]):
                found[-1] = x, error
        else:
            found.append((x, error))
    while len(found) > count:
        found.pop(0 if abs(found[0][1]) < abs(found[-1][1]) else -1)
    assert len(found) == count, "the grid misses extremes"
    return [x for x, _ in found]


def rounded(name: str) -> tuple[list[float], float]:
    """The float64 coefficients of a polynomial, lowest power first, and the error left."""
    problem = PROBLEMS[name]
    with mpmath.workdps(DIGITS):
        coefficients = [float(c) for c in solve(problem)]
        low, high = mpf(problem.low), mpf(problem.high)
        exact = [mpf(c) for c in coefficients]
        points = (low + (high - low) * k / 997 for k in range(998))
        return coefficients, float(max(abs(problem.error(exact, x)) for x in points))


def main() -> None:
    """Print every polynomial."""
    for name in PROBLEMS:
        coefficients, error = rounded(name)
        print(f"{name} = (  # error {error:.1e}")
        for c in coefficients:
            print(f"    {c!r},")
        print(")")


if __name__ == "__main__":
    main()
