"""The op table: one row an operation, and nothing about an operation anywhere else.

What the columns of a row mean, and what follows from them, is told in `op.py`.
"""

import copyreg
import math
from typing import Any

from gradcompile.ops.op import Op
from gradcompile.ops.unwritten import UNWRITTEN


def _row(name: str) -> Op:
    return TABLE.get(name) or UNWRITTEN[name]


def _one(y: Any, *operands: Any) -> float:
    return 1.0


LN2 = math.log(2.0)
LOG2_E = 1.0 / math.log(2.0)
LOG10_E = 1.0 / math.log(10.0)
TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)
SQRT_HALF = math.sqrt(0.5)
INV_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)
HALF_SQRT_PI = 0.5 * math.sqrt(math.pi)
SQRT_2 = math.sqrt(2.0)
SQRT_2PI = math.sqrt(2.0 * math.pi)
SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)

CONSTANTS: dict[float, str] = {
    LN2: "log(2)",
    LOG2_E: "1 / log(2)",
    LOG10_E: "1 / log(10)",
    math.pi: "pi",
    TWO_OVER_SQRT_PI: "2 / sqrt(pi)",
    SQRT_HALF: "sqrt(1 / 2)",
    INV_SQRT_2PI: "1 / sqrt(2 * pi)",
    HALF_SQRT_PI: "sqrt(pi) / 2",
    SQRT_2: "sqrt(2)",
    SQRT_2PI: "sqrt(2 * pi)",
    SQRT_2_OVER_PI: "sqrt(2 / pi)",
}
"""What the nearest floats to some irrational numbers stand for, as sympy and mpmath text."""

# fmt: off
# --- arithmetic --------------------------------------------------------------------------------
add = Op("add", "a b", "a + b", (_one, _one), symbol="+", commutative=True)
sub = Op("sub", "a b", "a - b", (_one, lambda y, a, b: -1.0), symbol="-", ufunc="subtract")
mul = Op("mul", "a b", "a * b", (lambda y, a, b: b, lambda y, a, b: a),
         symbol="*", commutative=True, ufunc="multiply")
div = Op("div", "a b", "a / b", (lambda y, a, b: 1.0 / b, lambda y, a, b: -y / b),
         symbol="/", domain="b != 0", ufunc="divide")
neg = Op("neg", "x", "-x", (lambda y, x: -1.0,), symbol="-", ufunc="negative")
copy = Op("copy", "x", "x", (_one,), symbol="=", ufunc="positive")
square = Op("square", "x", "x * x", (lambda y, x: 2.0 * x,), symbol="**2")
reciprocal = Op("reciprocal", "x", "1.0 / x", (lambda y, x: -y * y,), symbol="1/", domain="x != 0")
# 0**b stays 0 whatever the exponent b > 0 does, so the slope there is 0 and not 0 * log(0).
pow_ = Op("pow", "a b", "a ** b",
          (lambda y, a, b: where(b == 0.0, 0.0, b * a ** (b - 1.0)),
           lambda y, a, b: where(a == 0.0, 0.0, y * log(a))),
          symbol="**", domain="a > 0", ufunc="power")
fmod = Op("fmod", "a b", "fmod(a, b)", (_one, lambda y, a, b: (y - a) / b),
          sympy="a - b * (floor(a / b) if a / b > 0 else ceil(a / b))",
          domain="b != 0 and a / b != floor(a / b)")
# Python's a % b, which has the sign of b.
remainder = Op("remainder", "a b", "remainder(a, b)", (_one, lambda y, a, b: (y - a) / b),
               sympy="a - b * floor(a / b)", symbol="%",
               domain="b != 0 and a / b != floor(a / b)")
floor_divide = Op("floor_divide", "a b", "floor_divide(a, b)", (None, None),
                  sympy="floor(a / b)", symbol="//", domain="b != 0 and a / b != floor(a / b)")
stop_gradient = Op("stop_gradient", "x", "stop_gradient(x)", (None,), symbol="stop", domain="False")

# --- exponentials and logarithms ---------------------------------------------------------------
exp = Op("exp", "x", "exp(x)", (lambda y, x: y,))
exp2 = Op("exp2", "x", "exp2(x)", (lambda y, x: y * LN2,), sympy="2 ** x")
expm1 = Op("expm1", "x", "expm1(x)", (lambda y, x: exp(x),), sympy="exp(x) - 1")
log = Op("log", "x", "log(x)", (lambda y, x: 1.0 / x,), domain="x > 0")
log2 = Op("log2", "x", "log2(x)", (lambda y, x: LOG2_E / x,), sympy="log(x) / log(2)",
          domain="x > 0")
log10 = Op("log10", "x", "log10(x)", (lambda y, x: LOG10_E / x,), sympy="log(x) / log(10)",
           domain="x > 0")
log1p = Op("log1p", "x", "log1p(x)", (lambda y, x: 1.0 / (1.0 + x),), sympy="log(1 + x)",
           domain="x > -1")
logaddexp = Op("logaddexp", "a b", "logaddexp(a, b)",
               (lambda y, a, b: where(a == b, 0.5, sigmoid(a - b)),
                lambda y, a, b: where(a == b, 0.5, sigmoid(b - a))),
               sympy="log(exp(a) + exp(b))", commutative=True)
# 0 where a = 0 whatever b is, so that is its slope by b there.
xlogy = Op("xlogy", "a b", "xlogy(a, b)",
           (lambda y, a, b: log(b), lambda y, a, b: where(a == 0.0, 0.0, a / b)),
           sympy="a * log(b)", domain="b > 0", selects=(None, lambda y, a, b: a != 0.0))
xlog1py = Op("xlog1py", "a b", "xlog1py(a, b)",
             (lambda y, a, b: log1p(b), lambda y, a, b: where(a == 0.0, 0.0, a / (1.0 + b))),
             sympy="a * log(1 + b)", domain="b > -1",
             selects=(None, lambda y, a, b: a != 0.0))
entr = Op("entr", "x", "entr(x)", (lambda y, x: -1.0 - log(x),), sympy="-x * log(x)",
          domain="x > 0")
logit = Op("logit", "x", "logit(x)", (lambda y, x: 1.0 / (x * (1.0 - x)),),
           sympy="log(x / (1 - x))", domain="0 < x < 1")

# --- roots -------------------------------------------------------------------------------------
sqrt = Op("sqrt", "x", "sqrt(x)", (lambda y, x: 0.5 / y,), domain="x > 0")
cbrt = Op("cbrt", "x", "cbrt(x)", (lambda y, x: 1.0 / (3.0 * (y * y)),),
          sympy="x ** (1 / 3) if x > 0 else -(-x) ** (1 / 3)", domain="x != 0")
rsqrt = Op("rsqrt", "x", "1.0 / sqrt(x)", (lambda y, x: -0.5 * y / x,), domain="x > 0")
hypot = Op("hypot", "a b", "hypot(a, b)",
           (lambda y, a, b: where(abs_(a) == y, sign(a), a / y),
            lambda y, a, b: where(abs_(b) == y, sign(b), b / y)),
           sympy="sqrt(a * a + b * b)", domain="a != 0 or b != 0",
           kinks={(0.0, 0.0): (0.0, 0.0)}, commutative=True)

# --- trigonometric -----------------------------------------------------------------------------
sin = Op("sin", "x", "sin(x)", (lambda y, x: cos(x),))
cos = Op("cos", "x", "cos(x)", (lambda y, x: -sin(x),))
tan = Op("tan", "x", "tan(x)", (lambda y, x: 1.0 + y * y,), domain="cos(x) != 0")
asin = Op("asin", "x", "asin(x)", (lambda y, x: rsqrt((1.0 - x) * (1.0 + x)),),
          domain="-1 < x < 1", ufunc="arcsin")
acos = Op("acos", "x", "acos(x)", (lambda y, x: -rsqrt((1.0 - x) * (1.0 + x)),),
          domain="-1 < x < 1", ufunc="arccos")
atan = Op("atan", "x", "atan(x)", (lambda y, x: 1.0 / (1.0 + x * x),), ufunc="arctan")
# Divided twice: a * a + b * b would overflow for arguments near 1e154.
atan2 = Op("atan2", "a b", "atan2(a, b)",
           (lambda y, a, b: where(hypot(a, b) == math.inf, 0.0, b / hypot(a, b) / hypot(a, b)),
            lambda y, a, b: where(hypot(a, b) == math.inf, 0.0, -a / hypot(a, b) / hypot(a, b))),
           domain="a != 0 or b > 0", ufunc="arctan2")
sinc = Op("sinc", "x", "sinc(x)", (lambda y, x: sinc_slope(x),),
          sympy=f"sin({math.pi} * x) / ({math.pi} * x)", domain="x != 0")
# The derivative of sinc, by its series near 0, where the formula would cancel.
sinc_slope = Op("sinc_slope", "x", "sinc_slope(x)",
                (lambda y, x: where(x == 0.0, -math.pi * (math.pi / 3.0),
                                    -math.pi * (math.pi * sinc(x)) - 2.0 * y / x),),
                sympy=f"(cos({math.pi} * x) - sin({math.pi} * x) / ({math.pi} * x)) / x",
                domain="x != 0")

# --- hyperbolic --------------------------------------------------------------------------------
sinh = Op("sinh", "x", "sinh(x)", (lambda y, x: cosh(x),))
cosh = Op("cosh", "x", "cosh(x)", (lambda y, x: sinh(x),))
tanh = Op("tanh", "x", "tanh(x)", (lambda y, x: 1.0 - y * y,))
asinh = Op("asinh", "x", "asinh(x)", (lambda y, x: 1.0 / hypot(x, 1.0),), ufunc="arcsinh")
acosh = Op("acosh", "x", "acosh(x)", (lambda y, x: rsqrt(x - 1.0) * rsqrt(x + 1.0),),
           domain="x > 1", ufunc="arccosh")
atanh = Op("atanh", "x", "atanh(x)", (lambda y, x: 1.0 / ((1.0 - x) * (1.0 + x)),),
           domain="-1 < x < 1", ufunc="arctanh")

# --- special functions -------------------------------------------------------------------------
erf = Op("erf", "x", "erf(x)", (lambda y, x: TWO_OVER_SQRT_PI * exp(-(x * x)),))
erfc = Op("erfc", "x", "erfc(x)", (lambda y, x: -TWO_OVER_SQRT_PI * exp(-(x * x)),))
erfcx = Op("erfcx", "x", "erfcx(x)", (lambda y, x: 2.0 * x * y - TWO_OVER_SQRT_PI,),
           sympy="exp(x * x) * erfc(x)")
erfinv = Op("erfinv", "x", "erfinv(x)", (lambda y, x: HALF_SQRT_PI * exp(y * y),),
            domain="-1 < x < 1")
ndtr = Op("ndtr", "x", "ndtr(x)", (lambda y, x: INV_SQRT_2PI * exp(-0.5 * (x * x)),),
          sympy=f"0.5 * erfc(-x * {SQRT_HALF})")
# By erfcx: exp(-x * x / 2) / ndtr(x) would be 0 / 0 in the left tail.
log_ndtr = Op("log_ndtr", "x", "log_ndtr(x)",
              (lambda y, x: SQRT_2_OVER_PI / erfcx(-x * SQRT_HALF),),
              sympy=f"log(0.5 * erfc(-x * {SQRT_HALF}))")
ndtri = Op("ndtri", "x", "ndtri(x)", (lambda y, x: SQRT_2PI * exp(0.5 * (y * y)),),
           sympy=f"{SQRT_2} * erfinv(2 * x - 1)", domain="0 < x < 1")
# As CPython computes it: the approximation of Lanczos, with the coefficients of Boost.
lgamma = Op("lgamma", "x", "lgamma(x)", (lambda y, x: digamma(x),), sympy="loggamma(x)",
            domain="x > 0", ufunc="gammaln")
# By the asymptotic series from x = 10 on (Abramowitz and Stegun, 6.3.18), and the recurrence below;
# the error is less than 2e-15 * max(1, |y|) for x > 0.
digamma = Op("digamma", "x", "digamma(x)", (lambda y, x: polygamma(1.0, x),),
             sympy="polygamma(0, x)", domain="x > 0", ufunc="psi")
# By the asymptotic series (Abramowitz and Stegun, 6.4.11); the relative error is less than 2e-15
# for x > 0 and n <= 4.
polygamma = Op("polygamma", "n x", "polygamma(n, x)",
               (None, lambda y, n, x: polygamma(n + 1.0, x)),
               domain="x > 0 and n >= 0 and n == floor(n)")
betaln = Op("betaln", "a b", "betaln(a, b)",
            (lambda y, a, b: digamma(a) - digamma(a + b),
             lambda y, a, b: digamma(b) - digamma(a + b)),
            sympy="loggamma(a) + loggamma(b) - loggamma(a + b)", domain="a > 0 and b > 0",
            commutative=True)

# --- activations -------------------------------------------------------------------------------
# Not y * (1 - y), which loses its digits where y is near 1.
sigmoid = Op("sigmoid", "x", "1.0 / (1.0 + exp(-x))", (lambda y, x: y * sigmoid(-x),),
             ufunc="expit")
softplus = Op("softplus", "x", "softplus(x)", (lambda y, x: sigmoid(x),), sympy="log(1 + exp(x))")
log_sigmoid = Op("log_sigmoid", "x", "-softplus(-x)", (lambda y, x: sigmoid(-x),),
                 sympy="-log(1 + exp(-x))", ufunc="log_expit")
silu = Op("silu", "x", "x / (1.0 + exp(-x))",
          (lambda y, x: sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))),))
# By erfc: 1 + erf(x) would cancel for negative x.
gelu = Op("gelu", "x", f"0.5 * x * erfc(-x * {SQRT_HALF})",
          (lambda y, x: 0.5 * erfc(-x * SQRT_HALF) + x * (INV_SQRT_2PI * exp(-0.5 * (x * x))),))
relu = Op("relu", "x", "max(x, 0.0)", (lambda y, x: where(y > 0.0, 1.0, 0.0),),
          symbol="ReLU", domain="x != 0", kinks={(0.0,): (0.0,)}, gate=True,
          selects=(lambda y, x: y > 0.0,))
leaky_relu = Op("leaky_relu", "x a", "x if x > 0.0 else a * x",
                (lambda y, x, a: where(x > 0.0, 1.0, a), lambda y, x, a: where(x > 0.0, 0.0, x)),
                domain="x != 0", kinks={(0.0, 0.25): (0.25, 0.0)}, defaults=(0.01,),
                selects=(None, lambda y, x, a: logical_not(x > 0.0)))
elu = Op("elu", "x a", "x if x > 0.0 else a * expm1(x)",
         (lambda y, x, a: where(x > 0.0, 1.0, a * exp(x)),
          lambda y, x, a: where(x > 0.0, 0.0, expm1(x))),
         domain="x != 0", kinks={(0.0, 0.25): (0.25, 0.0)}, defaults=(1.0,),
         selects=(None, lambda y, x, a: logical_not(x > 0.0)))

# --- piecewise ---------------------------------------------------------------------------------
abs_ = Op("abs", "x", "abs(x)", (lambda y, x: sign(x),),
          domain="x != 0", kinks={(0.0,): (0.0,)}, ufunc="absolute")
sign = Op("sign", "x", "sign(x)", (None,), sympy="1 if x > 0 else -1 if x < 0 else 0",
          domain="x != 0", kinks={(0.0,): (0.0,)})
copysign = Op("copysign", "a b", "copysign(a, b)",
              (lambda y, a, b: sign(a) * copysign(1.0, b), None),
              sympy="abs(a) if b > 0 else -abs(a)", domain="a != 0 and b != 0",
              kinks={(0.0, 1.0): (0.0, 0.0)})
floor = Op("floor", "x", "floor(x)", (None,), domain="x != floor(x)", kinks={(2.0,): (0.0,)})
ceil = Op("ceil", "x", "ceil(x)", (None,), domain="x != floor(x)", kinks={(2.0,): (0.0,)})
trunc = Op("trunc", "x", "trunc(x)", (None,), sympy="floor(x) if x > 0 else ceil(x)",
           domain="x != floor(x)", kinks={(2.0,): (0.0,)})
# Halves go to the even number, as in Python's round.
rint = Op("rint", "x", "rint(x)", (None,), sympy="floor(x + 0.5)",
          domain="2 * x != floor(2 * x)", kinks={(0.5,): (0.0,)})
heaviside = Op("heaviside", "x h", "heaviside(x, h)",
               (None, lambda y, x, h: where(x == 0.0, 1.0, 0.0)),
               sympy="1 if x > 0 else 0", domain="x != 0", kinks={(0.0, 0.5): (0.0, 1.0)},
               selects=(None, lambda y, x, h: x == 0.0))
maximum = Op("maximum", "a b", "maximum(a, b)",
             (lambda y, a, b: where(a > b, 1.0, where(a == b, 0.5, 0.0)),
              lambda y, a, b: where(b > a, 1.0, where(a == b, 0.5, 0.0))),
             sympy="a if a > b else b", symbol="max",
             domain="a != b", kinks={(1.5, 1.5): (0.5, 0.5)}, commutative=True, gate=True,
             selects=(lambda y, a, b: a >= b, lambda y, a, b: b >= a))
minimum = Op("minimum", "a b", "minimum(a, b)",
             (lambda y, a, b: where(a < b, 1.0, where(a == b, 0.5, 0.0)),
              lambda y, a, b: where(b < a, 1.0, where(a == b, 0.5, 0.0))),
             sympy="a if a < b else b", symbol="min",
             domain="a != b", kinks={(1.5, 1.5): (0.5, 0.5)}, commutative=True, gate=True,
             selects=(lambda y, a, b: a <= b, lambda y, a, b: b <= a))
# At its two bounds the slope is the one from inside: 1 by x.
clip = Op("clip", "x a b", "minimum(maximum(x, a), b)",
          (lambda y, x, a, b: where(x < a, 0.0, where(x > b, 0.0, 1.0)),
           lambda y, x, a, b: where(x < a, where(a < b, 1.0, 0.0), 0.0),
           lambda y, x, a, b: where(x > b, 1.0, where(a < b, 0.0, 1.0))),
          domain="a < b and x != a and x != b",
          kinks={(0.0, 0.0, 1.0): (1.0, 0.0, 0.0), (1.0, 0.0, 1.0): (1.0, 0.0, 0.0)}, gate=True,
          selects=(lambda y, x, a, b: logical_not(logical_or(x < a, x > b)),
                   lambda y, x, a, b: logical_and(x < a, a < b),
                   lambda y, x, a, b: logical_or(x > b, logical_not(a < b))))
where = Op("where", "c a b", "a if c else b",
           (None, lambda y, c, a, b: where(c, 1.0, 0.0), lambda y, c, a, b: where(c, 0.0, 1.0)),
           selects=(None, lambda y, c, a, b: c, lambda y, c, a, b: logical_not(c)), gate=True)

# --- comparisons and logic: 1.0 where it holds, 0.0 where not; what is not 0.0 is true ----------
greater = Op("greater", "a b", "float64(a > b)", (None, None), symbol=">", domain="a != b")
greater_equal = Op("greater_equal", "a b", "float64(a >= b)", (None, None), symbol=">=",
                   domain="a != b")
less = Op("less", "a b", "float64(a < b)", (None, None), symbol="<", domain="a != b")
less_equal = Op("less_equal", "a b", "float64(a <= b)", (None, None), symbol="<=",
                domain="a != b")
equal = Op("equal", "a b", "float64(a == b)", (None, None), symbol="==",
           domain="a != b", commutative=True)
not_equal = Op("not_equal", "a b", "float64(a != b)", (None, None), symbol="!=",
               domain="a != b", commutative=True)
logical_and = Op("logical_and", "c d", "float64(bool(c) and bool(d))", (None, None), symbol="and",
                 domain="c != 0 and d != 0", commutative=True)
logical_or = Op("logical_or", "c d", "float64(bool(c) or bool(d))", (None, None), symbol="or",
                domain="c != 0 and d != 0", commutative=True)
logical_not = Op("logical_not", "c", "float64(not c)", (None,), symbol="not", domain="c != 0")
# fmt: on

TABLE: dict[str, Op] = {op.name: op for op in list(vars().values()) if isinstance(op, Op)}
"""Every operation by its name."""

# A copy of an operation is its row, found by its name.
copyreg.pickle(Op, lambda op: (_row, (op.name,)))

UFUNCS: dict[str, Op] = {op.ufunc or op.name: op for op in TABLE.values()}
"""Every operation by numpy's name for it."""
