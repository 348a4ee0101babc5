"""Rows of an argument: arrays of them, however the argument holds them."""

import numpy as np
import pytest

from gradcompile.batch.rows import rows_of
from gradcompile.graph.nested import NUMBER


@pytest.mark.parametrize("argument", [[1.0, 2.0, 3.0], np.array([1.0, 2.0, 3.0])])
def test_numbers_are_an_array_of_them(argument):
    rows = rows_of(argument)
    assert rows.structure == NUMBER
    (array,) = rows.arrays
    assert array.tolist() == [1.0, 2.0, 3.0]


def test_a_dict_has_an_array_for_each_of_its_own():
    rows = rows_of({"a": [1.0, 2.0], "b": np.arange(12.0).reshape(2, 2, 3)})
    assert rows.structure.keys == ("a", "b")
    assert [part.keys for part in rows.structure.parts] == [(), (2, 3)]
    assert [array.shape for array in rows.arrays] == [(2,), (2, 2, 3)]
