"""Rolling: a straight-line program becomes loop nests.

    forms.py   what is stored, and its form: an expression without its leaves
    groups.py  values of equal form of which none depends on another: one loop
    scans.py   groups that repeat one after the other: a loop around their loops
    arrays.py  where they lie, and what each loop reads and writes
    affine.py  addresses as strides of loop indices
    build.py   the nests: loop order, accumulation
    fuse.py    neighbouring nests over the same index become one
    views.py   matrices in the flat inputs and results

The method is known as loop rerolling; what is rerolled here is a trace, so that there is no
control flow to respect, only what reads what.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from gradcompile.ir import Const, Program
from gradcompile.nests import Array, Nest, Place, Rolled
from gradcompile.roll.arrays import Arrays, Shaped, arrange
from gradcompile.roll.build import Tables, build, build_scan
from gradcompile.roll.data import DataTables
from gradcompile.roll.forms import Forms
from gradcompile.roll.fuse import drop_dimensions, fuse
from gradcompile.roll.groups import Places, make_groups
from gradcompile.roll.scans import find_scans
from gradcompile.roll.views import make_views

SPARSE = 3
"""A program is regular if it has at least so many stored values a group."""


def is_regular(program: Program) -> bool:
    """Would loops make the program much shorter?"""
    forms = Forms(program, strict=False)
    groups = find_scans(make_groups(program, forms, Places(program)))
    instructions = len(program.instructions)
    return SPARSE * len(groups) <= len(forms.stored) or 20 * len(groups) <= instructions


def roll(program: Program, strict: bool = False) -> Rolled:
    """The program as loop nests.

    Args:
        program: a straight-line program, after every other pass.
        strict: keep the order of every sum; else the terms of a sum may be reordered.
    """
    forms = Forms(program, strict)
    places = Places(program)
    groups = find_scans(make_groups(program, forms, places))
    arrays = Arrays(program, forms, groups, places)
    shaped = [arrays.shape(number) for number in range(len(groups))]
    shaped += [arrays.shape_copy(group) for group in arrays.copies]
    data = DataTables(arrays)
    for group in shaped:
        data.replace(group)
    exchanged = arrange(shaped, arrays)
    tables = Tables()
    nests = fuse(list(_nests(shaped, tables, strict)))
    drop_dimensions(nests)
    results = [output for output in arrays.outputs if output is not None]
    make_views(nests, arrays.inputs, [var.name for var in program.inputs[: arrays.given]])
    for result in results:
        make_views(nests, result, [""] * result.size)
    order = data.order(exchanged)
    captured = tuple(program.data[k] for k in order)
    forms_of_outputs = iter(forms.outputs)
    outputs: list[Place | Const | Array] = []
    for array, output in zip(arrays.outputs, program.outputs, strict=True):
        if isinstance(output, tuple):
            assert array is not None
            outputs.append(array)
            for _ in output:
                next(forms_of_outputs)
        else:
            outputs.append(arrays.read(next(forms_of_outputs)))
    summary = {
        "instructions": len(program.instructions),
        "groups": len(groups),
        "members": sum(len(group.members) for group in groups),
        "nests": len(nests),
        "gathers": tables.count,
    }
    return Rolled(
        program.name, arrays.given, captured, tables.flat(), nests, outputs, order, summary
    )


def _nests(shaped: Iterable[Shaped], tables: Tables, strict: bool) -> Iterator[Nest]:
    for scan, body in groupby(shaped, key=lambda group: group.group.scan):
        if scan >= 0:
            yield build_scan(list(body), tables, strict)
        else:
            yield from (build(group, tables, strict) for group in body)
