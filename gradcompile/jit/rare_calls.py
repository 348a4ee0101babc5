"""LLVM text for a rare call inside vector code.

`vector.py` computes sines for nearly all numbers without a branch. The few that are too large need
a function with loops and branches, and a loop that calls it in some of its rounds would not become
vector code. So the function that chooses is written for one number, and also for 2, 4 and 8 at a
time: a single branch for all of them, that is hardly ever taken. LLVM's attribute
`vector-function-abi-variant` tells its vectoriser which of these replaces which (the Vector
Function ABI, as OpenMP's `declare simd` uses it).
"""

from textwrap import dedent

LANE_COUNTS = (2, 4, 8)
"""How many float64 numbers the vectors of processors hold: 128, 256 or 512 bits."""


def rare_call(symbol: str, function: str, limit: float) -> str:
    """Write a module that defines `double symbol(double x, double y)`, also in all widths.

    The result is `y`, or the result of `function(x)` where |x| is above `limit`. The function is
    one that numba compiled: it writes its result to its first operand, and never raises.

    >>> "define linkonce_odr double @sin_or(double %x, double %y)" in rare_call("sin_or", "f", 1e6)
    True
    """
    variants = ",".join(f"_ZGV_LLVM_N{n}vv_{symbol}({symbol}_{n})" for n in LANE_COUNTS)
    kept = ", ".join(f"ptr @{symbol}_{n}" for n in LANE_COUNTS)
    head = dedent(f"""\
        declare double @llvm.fabs.f64(double)
        declare i32 @"{function}"(ptr, ptr, double)

        define linkonce_odr double @{symbol}(double %x, double %y) #0 {{
          %size = call double @llvm.fabs.f64(double %x)
          %far = fcmp ogt double %size, {limit!r}
          br i1 %far, label %call, label %near
        call:
          %slot = alloca double
          %error = alloca ptr
          %status = call i32 @"{function}"(ptr %slot, ptr %error, double %x)
          %result = load double, ptr %slot
          ret double %result
        near:
          ret double %y
        }}

        attributes #0 = {{ noinline nounwind willreturn readnone
          "vector-function-abi-variant"="{variants}" }}
        attributes #1 = {{ nounwind willreturn readnone }}
        @llvm.compiler.used = appending global [{len(LANE_COUNTS)} x ptr] [{kept}],
          section "llvm.metadata"
        !0 = !{{!"branch_weights", i32 1, i32 100000}}
        """)
    return "\n".join([head, *(_at_a_time(n, symbol, limit) for n in LANE_COUNTS)])


def _at_a_time(n: int, symbol: str, limit: float) -> str:
    """Write the same for `n` numbers: one by one if any of them is large."""
    vector, bound = f"<{n} x double>", ", ".join([f"double {limit!r}"] * n)
    lines = [
        f"declare {vector} @llvm.fabs.v{n}f64({vector})",
        f"declare i1 @llvm.vector.reduce.or.v{n}i1(<{n} x i1>)",
        f"define linkonce_odr {vector} @{symbol}_{n}({vector} %x, {vector} %y) #1 {{",
        f"  %size = call {vector} @llvm.fabs.v{n}f64({vector} %x)",
        f"  %far = fcmp ogt {vector} %size, <{bound}>",
        f"  %any = call i1 @llvm.vector.reduce.or.v{n}i1(<{n} x i1> %far)",
        "  br i1 %any, label %call, label %near, !prof !0",
        "call:",
    ]
    before = "%y"
    for i in range(n):
        lines += [
            f"  %x{i} = extractelement {vector} %x, i32 {i}",
            f"  %y{i} = extractelement {vector} %y, i32 {i}",
            f"  %z{i} = call double @{symbol}(double %x{i}, double %y{i})",
            f"  %v{i} = insertelement {vector} {before}, double %z{i}, i32 {i}",
        ]
        before = f"%v{i}"
    return "\n".join([*lines, f"  ret {vector} {before}", "near:", f"  ret {vector} %y", "}\n"])
