"""Python text that puts what machine code returns into the user's form.

__a0, (__b0, __b1) = __machine(x, w)
return __a0, __make(__Gradient, (__b0, __b1.tolist()))
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from gradcompile.compiler.conversion import restored, travel_alike
from gradcompile.graph.nested import Structure, travelling
from gradcompile.graph.records import has_attributes, is_record, record
from gradcompile.ir.signature import Bundle, Signature

Refer = Callable[[Any], str]
"""Gives a thing of the user's, such as a key or a class, a name in the text."""


@dataclass(frozen=True)
class ReturnedPart:
    """The value, the gradient or another derivative, as a kernel gives it to the user.

    Attributes:
        structures: of what it consists of: one, or one for each field.
        computed: the structures in which machine code returns these.
        kind: the namedtuple that holds the fields; None for one structure alone.
    """

    structures: Sequence[Structure]
    computed: Sequence[Structure]
    kind: type[Any] | None = None


@dataclass(frozen=True)
class Returned:
    """What a kernel gives the user.

    Attributes:
        signature: what machine code returns.
        parts: what the user gets of each part of that.
        wrap: makes something else of the last part.
    """

    signature: Signature
    parts: Sequence[ReturnedPart]
    wrap: Callable[[Any], Any] | None = None


def unpack_lines(returned: Returned, result: str, refer: Refer) -> list[str]:
    """Write the lines that take a result, an expression, apart and return it in the user's form."""
    pairs = zip(returned.signature.parts(), returned.parts, strict=True)
    patterns, forms = [], []
    for number, ((groups, is_single), part) in enumerate(pairs):
        pattern, form = _part(f"__{'abc'[number]}", groups, is_single, part, refer)
        patterns.append(pattern)
        forms.append(form)
    if returned.wrap is not None:
        forms[-1] = f"{refer(returned.wrap)}({forms[-1]})"
    return [f"{', '.join(patterns)} = {result}", f"return {', '.join(forms)}"]


def _part(
    name: str, groups: Sequence[Bundle], is_single: bool, part: ReturnedPart, refer: Refer
) -> tuple[str, str]:
    """The pattern that binds the bundles of a part to names; and its form, made of these."""
    names = [f"{name}{k}" for k in range(len(groups))]
    supply = _numbers(names, groups)
    if is_single and part.kind is None and len(list(travelling(part.computed[0]))) > 1:
        whole = refer(partial(restored, part.structures[0], False))
        return names[0], f"{whole}({names[0]})"  # a matrix of many gradients
    pairs = zip(part.structures, part.computed, strict=True)
    forms = [_converted(structure, computed, supply, refer) for structure, computed in pairs]
    pattern = names[0] if is_single else _tuple(names)
    if part.kind is None:
        return pattern, forms[0]
    if forms == names and not is_single:
        pattern = made = name  # each field is a bundle as it came
    else:
        made = _tuple(forms)
    return pattern, f"__make({refer(part.kind)}, {made})"


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
        if not has_attributes(structure.kind):  # a namedtuple, whose fields are all there
            return f"__make({refer(structure.kind)}, {_tuple(parts)})"
        made = refer(partial(record, structure.kind, structure.keys))
        return f"{made}({_tuple(parts)})"
    return f"{refer(structure.kind)}([{', '.join(parts)}])"


def _tuple(parts: Sequence[str]) -> str:
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
