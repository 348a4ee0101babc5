"""Nests are rewritten: places, and the indices whose loops begin at a place."""

from dataclasses import replace

from gradcompile.ir.nests import Array, Assign, Index, Loop
from gradcompile.loops.rewrite import rewrite
from tests.loops.nests import at, loop, nest

A, B = Array((8, 9)), Array((8, 9))
TABLE, OTHER = Array((9,), space="tables"), Array((9,), space="tables")


def ragged():
    """Loops over the rows of A, each from a place in a table to the next one."""
    row = Index(8)
    inner = Index(9, start=at(TABLE, row))
    return row, inner, nest(loop(row, inner, Assign(at(B, row, inner), at(A, row, inner))))


def test_a_loop_begins_where_the_place_is_now():
    row, inner, before = ragged()

    def change(place):
        return replace(place, array=OTHER) if place.array is TABLE else place

    after = rewrite(before, change)
    (outer,) = after.steps
    (new,) = outer.body
    assert outer.index is row
    assert new.index.start == at(OTHER, row)
    assert new.body == (Assign(at(B, row, new.index), at(A, row, new.index)),)
    assert after.formulas[0].place == at(B, row, new.index)
    assert before.steps[0].body[0].index is inner, "the nest is left as it was"


def test_a_loop_that_begins_where_it_did_keeps_its_index():
    row, inner, before = ragged()
    after = rewrite(before, lambda place: replace(place, array=B) if place.array is A else place)
    assert after.steps[0].body[0].index is inner
    assert after.steps == (
        Loop(row, (Loop(inner, (Assign(at(B, row, inner), at(B, row, inner)),)),)),
    )
