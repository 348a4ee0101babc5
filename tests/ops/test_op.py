"""Operations called with numbers: a plain float stays one, and so does numpy's."""

import numpy as np
import pytest

import gradcompile as gdc


@pytest.mark.parametrize("kind", [float, int, np.float64])
def test_a_result_is_a_numpy_number_if_an_operand_is(kind):
    expected = np.float64 if kind is np.float64 else float
    assert type(gdc.maximum(kind(1), 2.0)) is expected
    assert type(gdc.exp(kind(1))) is expected
