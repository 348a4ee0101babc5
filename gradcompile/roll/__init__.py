"""Rolling: a straight-line program becomes loop nests.

    forms.py   what is stored, and its form: an expression without its leaves
    groups.py  values of equal form of which none depends on another: one loop
    arrays.py  where they lie, and what each loop reads and writes
    affine.py  addresses as strides of loop indices
    build.py   the nests: loop order, accumulation
    fuse.py    neighbouring nests over the same index become one
    views.py   matrices in the flat inputs and results

The method is known as loop rerolling; what is rerolled here is a trace, so that there is no
control flow to respect, only what reads what.
"""

from gradcompile.ir import Const, Program
from gradcompile.nests import Array, Nest, Place, Rolled
from gradcompile.roll.arrays import Arrays, arrange
from gradcompile.roll.build import Tables, build
from gradcompile.roll.data import DataTables
from gradcompile.roll.forms import Forms
from gradcompile.roll.fuse import fuse
from gradcompile.roll.groups import make_groups
from gradcompile.roll.views import make_views


def roll(program: Program, strict: bool = False) -> Rolled:
    """The program as loop nests.

    Args:
        program: a straight-line program, after every other pass.
        strict: keep the order of every sum; else the terms of a sum may be reordered.
    """
    forms = Forms(program, strict)
    groups = make_groups(program, forms)
    arrays = Arrays(program, forms, groups)
    shaped = [arrays.shape(number) for number in range(len(groups))]
    shaped += [arrays.shape_copy(group) for group in arrays.copies]
    data = DataTables(arrays)
    for group in shaped:
        data.replace(group)
    exchanged = arrange(shaped, arrays)
    tables = Tables()
    nests = fuse([build(group, tables, strict) for group in shaped])
    results = [array for array in arrays.outputs if array is not None]
    make_views(nests, arrays.inputs, [var.name for var in program.inputs[: arrays.given]])
    for array in results:
        make_views(nests, array, [""] * array.size)
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
    return Rolled(program.name, arrays.given, captured, tables.flat(), nests, outputs, order)
