"""Two rows that differentiation knows and emitted text does not: they carry rules of one's own.

`held(x)` is `x`, which derivatives take for a constant. `with_slope(v, x, s)` is `v`, which by `x`
has the slope `s`, beside those that it has already. `passes/erase.py` takes both away.
"""

from gradcompile.ops.op import Op

held = Op("held", "x", "x", (None,), domain="False")
with_slope = Op(
    "with_slope", "v x s", "v", (lambda y, v, x, s: 1.0, lambda y, v, x, s: s, None), domain="False"
)

UNWRITTEN: dict[str, Op] = {op.name: op for op in (held, with_slope)}
"""Both by their names."""
