"""Tiles: their sums, a row of one matrix and a number of the other stay in registers."""

import pytest

from gradcompile.jit.tiles import TALL_TILE_ROWS, TILE_ROWS, TILE_VECTORS


@pytest.mark.parametrize(
    ("rows", "registers"), [(TILE_ROWS, 16), (TALL_TILE_ROWS, 32)], ids=["small", "tall"]
)
def test_a_tile_fits_the_registers_and_a_taller_one_does_not(rows, registers):
    def needed(rows):
        return rows * TILE_VECTORS + TILE_VECTORS + 1

    assert needed(rows) <= registers < needed(rows + 2)
