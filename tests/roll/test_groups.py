"""Groups: at which level sums are computed that look alike."""

import gradcompile as gdc
from gradcompile.roll.forms import Forms
from gradcompile.roll.groups import _aligned_levels, _levels
from tests.helpers.lowering import program_of


def levels_of(end_of_early, end_of_late):
    """Levels before and after alignment of two sums that begin alike, one of them needed late."""

    def function(a, b, c):
        def begin():
            return a * b + gdc.sin(c) + gdc.cos(a)

        deep = gdc.exp(gdc.tanh(c) + a) + b
        early = begin() + gdc.tanh(b) + end_of_early(b)
        late = begin() + deep * deep + end_of_late(b)
        return early * early * late * late * deep

    forms = Forms(program_of(function, "a", "b", "c"), strict=False)
    return _levels(forms), _aligned_levels(forms)


def test_sums_that_begin_and_end_alike_are_computed_together():
    assert levels_of(gdc.exp, gdc.exp) == ([0, 0, 1, 2], [1, 0, 1, 2])


def test_sums_that_end_otherwise_are_not():
    assert levels_of(gdc.exp, gdc.square) == ([0, 0, 1, 2], [0, 0, 1, 2])
