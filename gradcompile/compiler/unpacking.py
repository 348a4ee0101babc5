"""Python text that puts what machine code returns into the user's form.

__value, (__g0, __g1) = __machine(x, w)
return __value, __make(__Gradient, (__g0, __g1.tolist()))
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from gradcompile.compiler.conversion import restored, travel_alike
from gradcompile.graph.nested import Structure, travelling
from gradcompile.graph.records import is_record, record
from gradcompile.ir.signature import Bundle, Signature

Refer = Callable[[Any], str]
"""Gives a thing of the user's, such as a key or a class, a name in the text."""


@dataclass(frozen=True)
class Returned:
    """What a kernel gives the user.

    Attributes:
        signature: what machine code returns.
        value: the structure of the value; None for a gradient alone.
        gradient: the structures of the gradient, by its fields; None if there is none.
        computed: the structures in which machine code returns these.
        gradient_type: the namedtuple of the gradient.
    """

    signature: Signature
    value: Structure | None
    gradient: Sequence[Structure] | None = None
    computed: Sequence[Structure] | None = None
    gradient_type: type[Any] | None = None


def unpack_lines(returned: Returned, result: str, refer: Refer) -> list[str]:
    """Write the lines that take a result, an expression, apart and return it in the user's form."""
    values = [returned.value] if returned.value else []
    value, value_forms = _part("v", returned.signature.value, values, values, refer)
    if returned.gradient is None:
        return [f"{value} = {result}", f"return {value_forms[0]}"]
    groups = returned.signature.gradient or ()
    gradient, forms = _part("g", groups, returned.gradient, returned.computed or (), refer)
    gradient = gradient if len(groups) != 1 else f"({gradient},)"
    if forms == [f"__g{k}" for k in range(len(groups))]:
        gradient = made = "__g"  # each field is a bundle as it came
    else:
        made = _tuple(forms)
    made = f"__make({refer(returned.gradient_type)}, {made})"
    if returned.value is None:
        return [f"{gradient} = {result}", f"return {made}"]
    return [f"{value}, {gradient} = {result}", f"return {value_forms[0]}, {made}"]


def _part(
    stem: str,
    groups: Sequence[Bundle],
    structures: Sequence[Structure],
    computed: Sequence[Structure],
    refer: Refer,
) -> tuple[str, list[str]]:
    """The pattern that binds bundles to names; and each structure, made of these."""
    names = [f"__{stem}{k}" for k in range(len(groups))]
    pattern = names[0] if len(names) == 1 else _tuple(names)
    supply = _numbers(names, groups)
    pairs = zip(structures, computed, strict=True)
    return pattern, [_converted(structure, other, supply, refer) for structure, other in pairs]


def _numbers(names: Sequence[str], groups: Sequence[Bundle]) -> Iterator[tuple[str, Bundle]]:
    """The bundles as they were before numbers of several arguments were merged."""
    for name, group in zip(names, groups, strict=True):
        if group.is_merged:
            yield from ((f"{name}.item({k})", group) for k in range(group.size))
        else:
            yield name, group


def _converted(
    structure: Structure, computed: Structure, groups: Iterator[tuple[str, Bundle]], refer: Refer
) -> str:
    """The form of a structure, made of the bundles of another one."""
    if structure == computed:
        return _form(structure, groups, refer)
    found = list(islice(groups, len(list(travelling(computed)))))
    by_row = any(group.is_row for _, group in found)
    if travel_alike(structure, computed) and not by_row:
        return _form(structure, iter(found), refer)
    names = ", ".join(name for name, _ in found)
    return f"{refer(partial(restored, structure, by_row))}({names})"


def _form(structure: Structure, groups: Iterator[tuple[str, Bundle]], refer: Refer) -> str:
    if structure.kind in ("leaf", "array"):
        name, group = next(groups)
        other = structure.kind == "array" and not group.is_row and structure.keys != group.shape
        return f"{name}.reshape({tuple(structure.keys)})" if other else name
    if structure.holds_arrays or not structure.size:
        return _made(structure, [_form(part, groups, refer) for part in structure.parts], refer)
    name, group = next(groups)
    if group.shape is None:  # the arrays of rows are never one bundle
        apart = iter([name, *(next(groups)[0] for _ in range(structure.size - 1))])
        return _of_numbers(structure, apart, refer)
    flat = name if len(group.shape) == 1 else f"{name}.ravel()"
    listed = f"__list({flat}.T)" if group.is_row else f"{flat}.tolist()"
    if structure.is_vector:
        return listed if structure.kind is list else f"__tuple({listed})"
    leaves = iter([f"__r[{k}]" for k in range(structure.size)])
    return f"(lambda __r: {_of_numbers(structure, leaves, refer)})({listed})"


def _of_numbers(structure: Structure, leaves: Iterator[str], refer: Refer) -> str:
    if structure.kind == "leaf":
        return next(leaves)
    return _made(structure, [_of_numbers(part, leaves, refer) for part in structure.parts], refer)


def _made(structure: Structure, parts: Sequence[str], refer: Refer) -> str:
    if structure.kind == "static":
        return refer(structure.keys[0].value)
    if structure.kind is dict:
        pairs = zip(map(refer, structure.keys), parts, strict=True)
        return f"{{{', '.join(f'{key}: {part}' for key, part in pairs)}}}"
    if structure.kind is list:
        return f"[{', '.join(parts)}]"
    if structure.kind is tuple:
        return _tuple(parts)
    if is_record(structure.kind):
        made = refer(partial(record, structure.kind, structure.keys))
        return f"{made}({_tuple(parts)})"
    return f"{refer(structure.kind)}([{', '.join(parts)}])"


def _tuple(parts: Sequence[str]) -> str:
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
