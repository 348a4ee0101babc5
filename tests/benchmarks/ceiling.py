"""What a core can do at most: its fused multiply-adds, and what it reads from memory, measured.

The first is LLVM code with nothing but independent multiply-adds in registers, so it needs no
compiler but numba's own. The second goes through more memory than any cache holds.
"""

import ctypes
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.benchmarks.timing import seconds

CHAINS = 12
"""Multiply-adds that wait for nothing but the one before: enough for two pipes of latency four."""

TURNS = 100_000

MEMORY = 2**24
"""Numbers in an array: 128 MiB, more than a cache holds."""

LOOP = """
declare {vector} @llvm.fma.{suffix}({vector}, {vector}, {vector})

define double @peak(i64 %turns, double %factor) {attributes} {{
entry:
  %one = insertelement {vector} undef, double %factor, i32 0
  %a = shufflevector {vector} %one, {vector} undef, <{width} x i32> zeroinitializer
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{phis}
{fmas}
  %next = add i64 %i, 1
  %again = icmp slt i64 %next, %turns
  br i1 %again, label %loop, label %end
end:
{sums}
  %found = extractelement {vector} %s{last}, i32 0
  ret double %found
}}
"""


def text(width: int) -> str:
    """The loop, for vectors of so many numbers."""
    vector = f"<{width} x double>"
    chains = range(CHAINS)
    # Each starts elsewhere, or LLVM would see that they are all the same.
    starts = [f"<{', '.join(f'double {k + 1}.0' for _ in range(width))}>" for k in chains]
    phis = [f"  %x{k} = phi {vector} [ {starts[k]}, %entry ], [ %y{k}, %loop ]" for k in chains]
    suffix = f"v{width}f64"
    fmas = [
        f"  %y{k} = call {vector} @llvm.fma.{suffix}({vector} %x{k}, {vector} %a, {vector} %a)"
        for k in chains
    ]
    sums = ["  %s0 = fadd " + vector + " %y0, %y0"]
    sums += [f"  %s{k} = fadd {vector} %s{k - 1}, %y{k}" for k in chains[1:]]
    attributes = f'"min-legal-vector-width"="{64 * width}" "prefer-vector-width"="{64 * width}"'
    parts = {"phis": phis, "fmas": fmas, "sums": sums}
    return LOOP.format(
        vector=vector, width=width, suffix=suffix, attributes=attributes, last=CHAINS - 1,
        **{name: "\n".join(lines) for name, lines in parts.items()},
    )  # fmt: skip


def width_of(features: dict[str, bool]) -> int:
    """Numbers in the widest vector that this core computes with."""
    return 8 if features.get("avx512f") else 4 if features.get("fma") else 2


class Peak:
    """The machine code of the loop."""

    def __init__(self) -> None:
        import numba  # noqa: F401  (makes LLVM ready)
        from llvmlite import binding

        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        features = dict(binding.get_host_cpu_features())
        self.width = width_of(features)
        target = binding.Target.from_default_triple().create_target_machine(
            cpu=binding.get_host_cpu_name(),
            features=binding.get_host_cpu_features().flatten(),
            opt=3,
        )
        self.module = binding.parse_assembly(text(self.width))
        self.engine = binding.create_mcjit_compiler(self.module, target)
        self.engine.finalize_object()
        kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64, ctypes.c_double)
        self.function = kind(self.engine.get_function_address("peak"))

    def __call__(self) -> float:
        """One run; `per_run` multiply-adds."""
        return float(self.function(TURNS, 0.5))

    @property
    def per_run(self) -> int:
        """How many multiply-adds of two numbers a run is made of."""
        return CHAINS * TURNS * self.width


def rate(function: Callable[[], Any], amount: float, turns: int) -> float:
    """How much of something a second; the median of some turns."""
    return statistics.median(amount / seconds(function, (), 1) for _ in range(turns))


def memory() -> tuple[Callable[[], Any], float, Callable[[], Any], float]:
    """To read much memory, how many bytes; to write the sum of two arrays into a third, as well."""
    import numba

    a, b, c = np.ones(MEMORY), np.ones(MEMORY), np.zeros(MEMORY)

    @numba.njit(fastmath=True)
    def read(a: Any) -> float:
        total = 0.0
        for i in range(len(a)):
            total += a[i]
        return total

    @numba.njit(fastmath=True)
    def triad(a: Any, b: Any, c: Any) -> None:
        for i in range(len(a)):
            c[i] = a[i] + 3.0 * b[i]

    read(a[:8])
    triad(a[:8], b[:8], c[:8])
    return lambda: read(a), a.nbytes, lambda: triad(a, b, c), 3 * a.nbytes


def ceiling(turns: int = 15) -> dict[str, float]:
    """Multiply-adds a second, and bytes a second: read, and read and written by a triad."""
    peak = Peak()
    peak()
    read, read_bytes, triad, triad_bytes = memory()
    return {
        "fmas": rate(peak, peak.per_run, 5 * turns),
        "width": peak.width,
        "read": rate(read, read_bytes, turns),
        "triad": rate(triad, triad_bytes, turns),
    }
