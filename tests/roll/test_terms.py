"""Terms of totals: which are summed up over the rows on their own, and which stay together."""

from gradcompile.ir.nests import Apply, Array, Index
from gradcompile.loops.rewrite import added
from gradcompile.ops import table
from gradcompile.roll.terms import own_sums
from tests.loops.nests import at

ROW, K, M = Index(20), Index(5), Index(6)
TOTAL = at(Array((5, 6)), K, M)
A, B = at(Array((5, 20)), K, ROW), at(Array((6, 20)), M, ROW)

PRODUCT = Apply(table.mul, (A, B))
WAVE = Apply(table.sin, (A,))
OTHER_WAVE = Apply(table.cos, (B,))
SAME = at(Array((5,)), K)


def parts(*expressions):
    """What is summed up on its own of the terms of a total."""
    terms = [((ROW,), x) for x in expressions]
    own = own_sums(terms, TOTAL, [K, M], ROW)
    assert all(sums == (ROW,) for sums, _ in own)
    return [x for _, x in own]


def test_a_product_of_matrices_is_summed_on_its_own():
    assert parts(WAVE, PRODUCT, SAME) == [PRODUCT, WAVE, SAME]


def test_without_one_everything_stays_together():
    assert parts(WAVE, OTHER_WAVE, SAME) == [added([WAVE, OTHER_WAVE, SAME])]
    assert parts(WAVE) == [WAVE]
