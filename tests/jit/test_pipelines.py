"""The pipeline for the widest vectors: every function asks LLVM for them."""

import numba
import pytest

from gradcompile.jit.pipelines import pipeline
from gradcompile.jit.tiles import LANES
from gradcompile.jit.wrapper import Expected

A_NUMBER = Expected((None,), "expected a float")


def half(x):
    return 0.5 * x


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ({"pipeline_class": pipeline(True, A_NUMBER)}, True),
        ({"pipeline_class": pipeline(False, A_NUMBER)}, False),
        ({}, False),
    ],
)
def test_functions_ask_for_the_widest_vectors(options, asks):
    function = numba.njit("float64(float64)", **options)(half)
    (llvm,) = function.inspect_llvm().values()
    assert (f'"prefer-vector-width"="{64 * LANES}"' in llvm) == asks
    assert function(3.0) == 1.5
