"""Points at which statements are checked: near the constants of a text, among others."""

from gradcompile.emit.reader import read_kernel
from gradcompile.verify.points import _near_constants

TEXT = """
def f(a):
    value = a * 0.5 + (3.0 if a > 20.0 else 1e9) + 1e-7 + 2.0
    # reverse sweep, from value_bar = 1.0
    a_bar = 1.0 * 0.5
    return value, (a_bar,)
"""


def test_ranges_lie_around_the_constants_that_a_condition_may_depend_on():
    assert _near_constants(read_kernel(TEXT)) == [
        (-6.0, 6.0), (1.0, 5.0), (-5.0, -1.0), (-40.0, 40.0), (18.0, 22.0), (-22.0, -18.0),
    ]  # fmt: skip
