"""Rows of an argument: matrices of columns, however the argument holds them."""

import numpy as np
import pytest

from gradcompile.batch.rows import rows_of
from gradcompile.graph.nested import NUMBER


@pytest.mark.parametrize("argument", [[1.0, 2.0, 3.0], np.array([1.0, 2.0, 3.0])])
def test_numbers_are_a_matrix_of_one_column(argument):
    rows = rows_of(argument)
    assert rows.structure == NUMBER
    (matrix,) = rows.matrices
    assert matrix.tolist() == [[1.0], [2.0], [3.0]]
    assert rows.shapes == ((3,),)
