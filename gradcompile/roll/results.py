"""Results: a group whose members are all returned writes into the result; the rest is copied."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from gradcompile.ir.program import Output, Program
from gradcompile.ir.sweeps import FORWARD_SWEEP, REVERSE_SWEEP, Sweep
from gradcompile.roll.arrays import Storage
from gradcompile.roll.families import Families, Layout
from gradcompile.roll.forms import Form, Forms, Template
from gradcompile.roll.groups import Group, Shape


@dataclass(frozen=True)
class Results:
    """What is returned, and who writes it.

    Attributes:
        outputs: for each output, its flat array; the form of an output that is a number.
        totals: those of the arrays in which the rows of a batch are summed up.
        copies: groups that copy into an array; the members are elements of it.
        layout: of groups that share an array, of scans, and of those that write into results.
    """

    outputs: tuple[Storage | Form, ...]
    totals: frozenset[Storage]
    copies: tuple[tuple[Storage, Group], ...]
    layout: Layout


def place_results(
    program: Program,
    forms: Forms,
    groups: Sequence[Group],
    families: Families,
    totals: Collection[int],
    names: Sequence[str],
) -> Results:
    """Let groups write into results where they can; copy the rest.

    Args:
        program: a program.
        forms: its stored values.
        groups: their groups.
        families: the arrays of some groups; no group that has one writes into a result.
        totals: the numbers of the outputs in which the rows of a batch are summed up.
        names: what each output is called.
    """
    supply = iter(forms.outputs)
    read = _read_by_row(forms) if totals else set()
    layout = families.layout
    storage_of, shapes = dict(layout.storage_of), dict(layout.shapes)
    positions = layout.positions.copy()
    outputs: list[Storage | Form] = []
    copies: list[tuple[Storage, Group]] = []
    for number, output in enumerate(program.outputs):
        returned = [next(supply) for _ in (output if isinstance(output, tuple) else (output,))]
        if not isinstance(output, tuple) and not program.rows:
            outputs += returned
            continue
        result = _result(number, output, names[number], total=number in totals)
        outputs.append(result)
        shapes[result] = (len(output),) if isinstance(output, tuple) else ()
        elements = _elements(forms, returned, read)
        writers = _writers(groups, families, elements, storage_of)
        taken = {member for writer in writers for member in groups[writer].members}
        for writer in writers:
            members = groups[writer].members
            storage_of[writer] = result
            positions[members] = [elements[member] for member in members]
        written = {elements[member] for member in taken}
        rest = [(k, form) for k, form in enumerate(returned) if k not in written]
        copies += [(result, group) for group in _copies(forms, families, rest)]
    is_total = frozenset(x for k, x in enumerate(outputs) if k in totals and isinstance(x, Storage))
    return Results(tuple(outputs), is_total, tuple(copies), Layout(storage_of, shapes, positions))


def _result(number: int, output: Output, name: str, total: bool) -> Storage:
    if isinstance(output, tuple):
        return Storage(f"output {number}", label=name)
    # A number of a batched function: one number if it is a sum, else one for each row.
    return Storage("" if total else f"output {number}", label=name)


def _read_by_row(forms: Forms) -> set[int]:
    """The stored values that are needed by row, and not only summed up.

    Others read them, or they are returned twice: the second result would read the sum that the
    first one is.
    """
    read = set(chain.from_iterable([value.leaves for value in forms.stored]))
    returned = Counter[int]()
    for template, leaves in forms.outputs:
        (returned if template.kind == "stored" else read).update(leaves)
    read.update(leaf for leaf, times in returned.items() if times > 1)
    return {leaf - forms.first for leaf in read if leaf >= forms.first}


def _elements(forms: Forms, returned: Sequence[Form], read: Collection[int]) -> dict[int, int]:
    """Which element of a result each stored value is that may be written there at once."""
    elements: dict[int, int] = {}
    for element, (template, leaves) in enumerate(returned):
        if template.kind == "stored" and leaves[0] - forms.first not in read:
            elements.setdefault(leaves[0] - forms.first, element)
    return elements


def _writers(
    groups: Sequence[Group],
    families: Families,
    elements: Collection[int],
    taken: Collection[int],
) -> list[int]:
    """The groups without an array whose members are all elements of a result."""
    found = sorted({int(families.group_of[member]) for member in elements})
    return [
        number
        for number in found
        if number not in taken and all(member in elements for member in groups[number].members)
    ]


def _copies(forms: Forms, families: Families, rest: Sequence[tuple[int, Form]]) -> list[Group]:
    """The groups that copy elements of a result: one loop copies from one array."""
    by_source: dict[tuple[Template, int], list[tuple[int, tuple[int, ...]]]] = {}
    for element, (template, reads) in rest:
        is_stored = template.kind == "stored"
        source = families.first[families.group_of[reads[0] - forms.first]] if is_stored else -1
        by_source.setdefault((template, source), []).append((element, reads))
    last = max(forms.sweep_of.values(), default=FORWARD_SWEEP)
    sweep = Sweep(1, REVERSE_SWEEP) if last == FORWARD_SWEEP else last
    shape = Shape(sweep, is_sum=False, counts=(), sources=None)
    copies = []
    for (template, _), found in by_source.items():
        elements = [element for element, _ in found]
        leaves = [reads for _, reads in found]
        copies.append(Group(elements, [(template, 1)], leaves, False, sweep, -1, shape))
    return copies
