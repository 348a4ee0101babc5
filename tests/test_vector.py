"""Vector math: the errors of each function, its special values, and that loops become vector code.

Errors are measured in ulp against mpmath; `pytest tests/test_vector.py -rP -k accurate` prints
them.
"""

import ast
import functools
import inspect
import itertools
import math
import random
import re
import textwrap
from collections.abc import Iterator
from unittest import mock

import mpmath
import numba
import numpy as np
import pytest
from llvmlite import binding as llvm

from gradcompile import jit as machine
from gradcompile import vector
from gradcompile.ir.signature import Bundle, Signature
from gradcompile.jit.wrapper import ROWS, Expected
from gradcompile.support import files
from tests import remez
from tests.helpers.slow import slow_but

NAMES = vector.FUNCTIONS
SLOWLY_COMPILED = {"sin", "cos", "erf", "expm1"}
UNARY = [name for name in NAMES if name != "pow"]
inf, nan = math.inf, math.nan

EXACT = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "pow": lambda x, y: mpmath.power(x, y),
}
"""What mpmath does not have by the same name."""

BOUNDS = {
    "exp": 1.0, "expm1": 1.5, "log": 1.0, "log1p": 1.0, "tanh": 1.5, "sigmoid": 2.0,
    "softplus": 2.0, "sin": 0.8, "cos": 0.8, "erf": 1.5, "sqrt": 0.5, "pow": 1.0,
}  # fmt: skip
"""The largest errors in ulp, as docs/vector-math.md states them."""

# Arguments of sin and cos nearest to a multiple of pi / 2: their reduction cancels the most.
HARD = (6381956970095103.0 * 2.0**797, 5.319372648326541e255, 1.6463979e6, 3.5e6, 11.0, 355.0)

EDGES = {
    "exp": [k * math.log(2.0) / 2 for k in (*range(-2151, 2051, 41), 1, 3, 2049, -2043, -2149)],
    "log": [math.sqrt(0.5) * 2.0**k for k in range(-1022, 1024, 15)],
    "tanh": [0.625, 22.0, 19.06, 0.3466],
    "erf": [1.0, 6.0, 5.92, 0.5],
    "sin": [*(k * math.pi / 4 for k in range(1, 60)), vector.MAX_NEAR_ANGLE, *HARD],
    "log1p": [math.sqrt(0.5) * 2.0**k - 1.0 for k in range(-50, 1000, 9)],
}
EDGES["sin"] += [k * math.pi / 4 for k in range(1001, 2**21, 30011)]
EDGES["cos"] = EDGES["sin"]
for name in ("expm1", "sigmoid", "softplus"):
    EDGES[name] = EDGES["exp"]


def near(x: float, steps: int = 3) -> Iterator[float]:
    """A number and its neighbours."""
    up = down = x
    yield x
    for _ in range(steps):
        up, down = math.nextafter(up, inf), math.nextafter(down, -inf)
        yield from (up, down)


def points(name: str, count: int) -> list[float]:
    """Numbers of every size, the edges of what a function does, and where it is of use."""
    rng = random.Random(f"{name} {count}")
    sizes = [math.ldexp(rng.uniform(1, 2), rng.randint(-1076, 1023)) for _ in range(count)]
    middle = [math.ldexp(rng.uniform(1, 2), rng.randint(-40, 11)) for _ in range(count)]
    spans = [rng.uniform(0, span) for span in (1.0, 4.0, 40.0, 760.0) for _ in range(count)]
    edges = [y for edge in EDGES.get(name, ()) for y in near(edge)]
    found = [*sizes, *middle, *spans, *edges, *near(1.0), 5e-324, 2.0**-1022, 2.0**-1074 * 3]
    return [*found, *(-x for x in found)]


def pairs(count: int) -> list[tuple[float, float]]:
    """Operands of pow: results of every size, bases near one, small whole exponents."""
    rng = random.Random(count)
    found = []
    for _ in range(count):
        wide = math.ldexp(rng.uniform(1, 2), rng.randint(-1075, 1023))
        close = 1.0 + rng.choice((-0.5, 1.0)) * rng.uniform(1, 2) * 2.0 ** -rng.randint(2, 50)
        for x in (wide, close, rng.uniform(0, 4)):
            exponent = rng.uniform(-1080, 1080) / (math.log2(x) or 1.0)
            found += [(x, exponent), (x, rng.uniform(-3, 3)), (-x, float(rng.randint(-40, 40)))]
    root = math.sqrt(1.5)
    edges = [y for edge in (root, math.sqrt(3.0), 1.0, 2.0, 4.0) for y in near(edge)]
    return found + [(x, y) for x in edges for y in (0.5, 3.0, -7.5, 500.0)]


def operands(name: str, count: int) -> list[tuple[float, ...]]:
    return pairs(count // 2) if name == "pow" else [(x,) for x in points(name, count)]


def ulps(found: float, exact: mpmath.mpf) -> float:
    """The error in units in the last place of the exact result."""
    if math.isinf(found):
        # Rounding gives inf from half a unit above the largest number on.
        largest = mpmath.mpf(2) ** 1024 - mpmath.mpf(2) ** 970
        return 0.0 if abs(exact) >= largest and (exact > 0) == (found > 0) else inf
    nearest = float(exact)
    unit = math.ulp(nearest) if math.isfinite(nearest) else 2.0**971
    return float(abs(mpmath.mpf(found) - exact) / unit)


def worst(name: str, count: int) -> tuple[float, tuple[float, ...]]:
    """The largest error of a function, and where."""
    function, exact = getattr(vector, name), EXACT.get(name) or getattr(mpmath, name)
    largest, place, compared = 0.0, (), 0
    with mpmath.workdps(60):
        for at in operands(name, count):
            found = float(function(*at))
            if math.isnan(found) or (math.isinf(found) and at in ((0.0,), (-1.0,))):
                continue  # special values have a test of their own
            error = ulps(found, exact(*map(mpmath.mpf, at)))
            compared += 1
            if error > largest:
                largest, place = error, at
    assert compared > count
    return largest, place


@pytest.mark.parametrize("name", NAMES)
def test_accurate(name):
    error, place = worst(name, 250)
    print(f"{name}: {error:.3f} ulp at {place}")
    assert error <= BOUNDS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_accurate_densely(name):
    error, place = worst(name, 20_000)
    print(f"{name}: {error:.3f} ulp at {place}")
    assert error <= BOUNDS[name]


def test_a_difference_of_ulps_is_found():
    with mpmath.workdps(60):
        assert 2.0 < ulps(math.exp(0.5) + 3 * math.ulp(1.6), mpmath.exp("0.5")) < 4.0
        assert ulps(inf, mpmath.mpf(2) ** 1023) == inf


# --- special values ------------------------------------------------------------------------------

SPECIAL = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0),
        (709.782712893384, 1.7976931348622732e308), (709.782712893385, inf),
        (-745.1332191019412, 0.0), (-745.1332191019411, 5e-324), (1e300, inf), (-1e300, 0.0)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -1.0), (5e-324, 5e-324), (710.0, inf),
        (-1e300, -1.0)],
    "log": [(0.0, -inf), (-0.0, -inf), (1.0, 0.0), (inf, inf), (-inf, nan), (-5e-324, nan)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -inf), (inf, inf), (-inf, nan), (-1.5, nan),
        (-5e-324, -5e-324)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (-5e-324, -5e-324), (1e300, 1.0)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (inf, 1.0), (-inf, 0.0), (-746.0, 0.0), (40.0, 1.0)],
    "softplus": [(0.0, math.log(2.0)), (inf, inf), (-inf, 0.0), (1e300, 1e300), (-746.0, 0.0)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan), (-5e-324, -5e-324)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (inf, nan), (-inf, nan), (5e-324, 1.0)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (6.0, 1.0), (-1e300, -1.0)],
    "sqrt": [(0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, nan), (-1.0, nan),
        (5e-324, 2.2227587494850775e-162)],
}  # fmt: skip


def same(a: float, b: float) -> bool:
    """Equal to the bit; every nan is the same."""
    return (a != a and b != b) or (a == b and math.copysign(1.0, a) == math.copysign(1.0, b))


@pytest.mark.parametrize("name", UNARY)
def test_special_values(name):
    function = getattr(vector, name)
    for x, expected in [*SPECIAL[name], (nan, nan)]:
        assert same(float(function(x)), expected), (x, float(function(x)))
        assert type(function(x)) is np.float64


BASES = (0.0, 5e-324, 0.3, 1.0 - 2.0**-53, 1.0, 1.5, 2.0, 1e300, inf)
EXPONENTS = (0.0, 5e-324, 0.5, 1.0, 2.0, 3.0, 2.5, 1e300, 2.0**52 + 1, 2.0**53 - 1, 2.0**53, inf)


def signed(numbers):
    return [*numbers, *(-x for x in numbers), nan]


def test_special_values_of_pow():
    for x, y in itertools.product(signed(BASES), signed(EXPONENTS)):
        try:
            expected = math.pow(x, y)
        except OverflowError:
            expected = math.copysign(inf, x) if y % 2.0 == 1.0 else inf
        except ValueError:
            odd = math.isfinite(y) and y % 2.0 == 1.0
            expected = nan if x else math.copysign(inf, x) if odd else inf
        found = float(vector.pow(x, y))
        close = math.isfinite(expected) and abs(found - expected) <= math.ulp(expected)
        assert same(found, expected) or (close and found), (x, y)


# --- machine code --------------------------------------------------------------------------------

LOOP = """
from gradcompile.vector import {name}
from numpy import empty


def f(inputs):
    results = empty(inputs.size // {count})
    for i in range(results.size):
        results[i] = {name}({arguments}){tail}
    return results
"""


FLAT = Signature((Bundle("inputs", (1,), 0),), (Bundle("results", (1,), 0),))
"""What the loops take and return, of any length here."""


def of_any_length(function, **options):
    with mock.patch.object(machine, "expected", return_value=Expected(((ROWS,),), "an array")):
        return machine.jit(function, FLAT, loops=True, use_cache=False, **options)


@functools.cache
def kernel(name, tail="", strict=False):
    """A loop over a function as emitted code has it, compiled as rolled code is."""
    count = 2 if name == "pow" else 1
    arguments = ", ".join(["inputs[i]", "inputs[results.size + i]"][:count])
    text = LOOP.format(name=name, count=count, arguments=arguments, tail=tail)
    function = files.load(text, f"vector_{name}", use_cache=False).f
    return of_any_length(function, strict=strict)


@pytest.mark.parametrize("name", slow_but({*NAMES} - SLOWLY_COMPILED, NAMES))
def test_machine_code_equals_cpython_to_the_bit(name):
    specials = list(itertools.product(signed(BASES), signed(EXPONENTS)))
    more = specials if name == "pow" else [(x,) for x in signed(BASES)]
    ats = [*operands(name, 200), *more]
    function = getattr(vector, name)
    expected = [float(function(*at)) for at in ats]
    inputs = np.array(ats).T.ravel().copy()
    found = kernel(name)(inputs)
    assert [at for at, a, b in zip(ats, expected, found, strict=True) if not same(a, b)] == []


@pytest.mark.parametrize("name", slow_but(["tanh"], ["tanh", "sin"]))
def test_flags_of_a_loop_do_not_reach_what_is_inlined(name):
    inputs = np.linspace(-3.0, 3.0, 501)
    beside = kernel(name, " * 0.5")(inputs) * 2.0
    assert beside.tolist() == kernel(name, strict=True)(inputs).tolist()
    assert beside.tolist() == [float(getattr(vector, name)(x)) for x in inputs]


def packed(asm: str) -> list[str]:
    """The instructions on several float64 at a time that have to do with arithmetic."""
    return re.findall(r"\bv?(?:mul|add|sub|div|sqrt|fmadd\w*)pd\b", asm)


def calls(asm: str) -> set[str]:
    """The functions of the C library that are called."""
    return {name for name in NAMES if re.search(rf"[$]{name}\b|call\w*\s+{name}\b", asm)}


@pytest.mark.skipif(
    not llvm.get_host_cpu_features().get("avx2"), reason="the processor has no AVX2"
)
@pytest.mark.parametrize("name", slow_but({*NAMES} - SLOWLY_COMPILED, NAMES))
def test_loops_become_vector_code(name):
    dispatcher = kernel(name)
    asm = dispatcher.inspect_asm(dispatcher.signatures[0])
    assert len(packed(asm)) > (0 if name == "sqrt" else 15)
    assert calls(asm) == set()


def test_vector_code_is_found_missing(monkeypatch):
    text = (
        "from gradcompile.ieee import exp\nfrom numpy import empty\n\n" + LOOP[LOOP.find("def") :]
    )
    text = text.format(name="exp", count=1, arguments="inputs[i]", tail="")
    function = files.load(text, "scalar", False).f
    dispatcher = of_any_length(function)
    asm = dispatcher.inspect_asm(dispatcher.signatures[0])
    assert packed(asm) == []
    assert calls(asm) == {"exp"}


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_large_numbers_among_others(name):
    x = np.linspace(-10.0, 10.0, 1003)
    x[::7] *= 1e9
    x[::101] = nan
    x[5], x[6] = inf, -inf
    expected = [float(getattr(vector, name)(at)) for at in x]
    assert all(map(same, expected, kernel(name)(x)))
    library = [getattr(math, name)(at) for at in x[7:50:7]]
    assert expected[7:50:7] == pytest.approx(library, rel=1e-15)


def test_other_code_can_use_them():
    machine.register_numba()
    gaussian = numba.njit(lambda x: vector.exp(-0.5 * x * x), fastmath=True)
    assert gaussian(1.5) == float(vector.exp(-1.125))


# --- the cache -----------------------------------------------------------------------------------

PROCESS = """
import numpy as np
from gradcompile import vector
from gradcompile.support import files
from gradcompile.ir.signature import Bundle, Signature
from gradcompile.jit import jit, meanings

text = '''
from gradcompile.vector import exp, sin
from numpy import empty

def f(inputs):
    results = empty(inputs.size)
    for i in range(inputs.size):
        results[i] = sin(exp(inputs[i])) + {number}
    return results
'''
signature = Signature((Bundle("inputs", (1,), 0),), (Bundle("results", (1,), 0),))
dispatcher = jit(files.load(text, "f").f, signature, loops=True)
print(dispatcher(np.array([0.5]))[0] - {number})
count = lambda counter: sum(counter.values())
stats = dispatcher.stats
print(count(stats.cache_hits), count(stats.cache_misses))
for function in (vector.exp, vector.sin):
    stats = meanings._compiled[function].stats
    print(count(stats.cache_hits), count(stats.cache_misses))
"""


@pytest.mark.slow
def test_a_later_process_does_not_compile_them_again(run_python, tmp_path):
    def run(number):
        printed = run_python(PROCESS.format(number=number), GRADCOMPILE_CACHE_DIR=str(tmp_path))
        return printed.splitlines()

    value = str(float(vector.sin(vector.exp(0.5))))
    assert run(0.0) == [value, "0 1", "0 1", "0 1"]
    (damaged,) = tmp_path.glob("vector_exp.*.machine")
    damaged.write_bytes(b"damaged")
    assert run(1.0)[1:] == ["0 1", "0 1", "1 0"], "another kernel loads the functions"


@pytest.mark.slow
def test_without_a_cache_nothing_is_written(run_python, tmp_path):
    code = PROCESS.format(number=0.0).replace("loops=True", "loops=True, use_cache=False")
    code = code.replace('load(text, "f")', 'load(text, "f", False)')
    run_python(code, GRADCOMPILE_CACHE_DIR=str(tmp_path))
    assert list(tmp_path.glob("*.machine")) == []


# --- coefficients --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "function"),
    [("ERF", "_erf_tail"),
     pytest.param("EXP", "_exp_tail", marks=pytest.mark.slow),
     pytest.param("ERFC", "_log_erfc", marks=pytest.mark.slow)],
)  # fmt: skip
def test_coefficients_are_those_of_remez(name, function):
    tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(vector, function))))
    written = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    coefficients, error = remez.rounded(name)
    assert {abs(c) for c in coefficients} <= written
    assert error < 2.0**-53


def test_digits_of_two_over_pi():
    with mpmath.workprec(2000):
        left = 2 / mpmath.pi
        for digit in vector.TWO_OVER_PI_DIGITS.tolist():
            left *= 2**24
            assert digit == int(left)
            left -= digit


def test_parts_of_half_a_turn():
    written = ast.parse(inspect.getsource(vector._sine_near))
    parts = [n.value for n in ast.walk(written) if isinstance(n, ast.Constant)]
    parts = sorted((x for x in parts if isinstance(x, float)), reverse=True)
    with mpmath.workprec(200):
        assert abs(mpmath.fsum(parts) - mpmath.pi / 2) < 2.0**-150
    assert [int(math.frexp(x)[0] * 2**53) % 2**20 for x in parts[:3]] == [0, 0, 0]
