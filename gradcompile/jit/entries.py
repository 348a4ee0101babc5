"""Numba functions around a kernel: without the constants it takes last, and on flat arrays.

Each is a few lines of text, since numba must know how many arguments there are:

    def neuron_value_and_grad_flat(inputs):
        if inputs.size != 7:
            raise ValueError("expected an array of 7 numbers")
        value, (first0, first1, ) = kernel(inputs[0:6].reshape((2, 3)), inputs[6])
        first_flat = empty(7)
        first_flat_0 = ascontiguousarray(first0).reshape(6)
        for k in range(6):
            first_flat[0 + k] = first_flat_0[k]
        first_flat[6] = first1
        return value, first_flat
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gradcompile.ir.signature import Bundle, Signature
from gradcompile.support.arrays import AnyArray


def without_constants(
    kernel: Any, name: str, signature: Signature, constants: Sequence[AnyArray]
) -> Callable[..., Any]:
    """Write the function of a kernel's parameters alone, as Python."""
    parameters = ", ".join(group.name for group in signature.parameters)
    bound = {f"_constant{k}": array for k, array in enumerate(constants)}
    given = ", ".join([*(group.name for group in signature.parameters), *bound])
    text = f"def {name}({parameters}):\n    return _kernel({given})\n"
    return _made(text, name, {"_kernel": kernel, **bound})


def on_flat_arrays(kernel: Any, name: str, signature: Signature) -> Callable[..., Any]:
    """Write the function of the flat inputs, and of matrices of rows where there are any."""
    return _made("\n".join(_flat_lines(name, signature)), name, {"kernel": kernel})


def _made(text: str, name: str, names: dict[str, Any]) -> Callable[..., Any]:
    known = {"empty": np.empty, "ascontiguousarray": np.ascontiguousarray}
    scope = {**known, **names}
    exec(compile(text, f"<{name}>", "exec"), scope)  # our own text
    function: Callable[..., Any] = scope[name]
    return function


def _flat_lines(name: str, signature: Signature) -> Iterator[str]:
    given = [group for group in signature.parameters if not group.is_row]
    size = sum(group.size for group in given)
    has_rows = len(given) < len(signature.parameters)
    yield f"def {name}(inputs{', batches' if has_rows else ''}):"
    yield f"    if inputs.size != {size}:"
    yield f'        raise ValueError("expected an array of {size} numbers")'
    rows = [group.size for group in signature.parameters if group.is_row]
    for k, width in enumerate(rows):
        yield f"    if batches[{k}].shape[1] != {width} or len(batches[{k}]) != len(batches[0]):"
        yield f'        raise ValueError("expected matrices of as many rows, of {rows} numbers")'
    call = f"kernel({', '.join(_arguments(signature))})"
    patterns, returned = [], []
    lines: list[str] = []
    for stem, (groups, is_single) in zip(
        ("value", "first", "second"), signature.parts(), strict=False
    ):
        names = [stem] if is_single else [f"{stem}{k}" for k in range(len(groups))]
        patterns.append(stem if is_single else f"({''.join(f'{name}, ' for name in names)})")
        is_flat = is_single and len(groups[0].shape or ()) <= 1
        returned.append(stem if is_flat else f"{stem}_flat")
        if not is_flat:
            lines += _joined(f"{stem}_flat", names, groups)
    yield f"    {', '.join(patterns)} = {call}"
    yield from lines
    yield f"    return {', '.join(returned)}"


def _arguments(signature: Signature) -> Iterator[str]:
    rows = 0
    for group in signature.parameters:
        if group.is_row:
            matrix = f"batches[{rows}]"
            rows += 1
            if group.shape is None:
                yield f"{matrix}[:, 0]"
            elif len(group.shape) == 1:
                yield matrix
            else:
                extents = ", ".join(map(str, group.shape))
                yield f"ascontiguousarray({matrix}).reshape((-1, {extents}))"
        elif group.shape is None:
            yield f"inputs[{group.start}]"
        else:
            part = f"inputs[{group.start}:{group.stop}]"
            yield part if len(group.shape) == 1 else f"{part}.reshape({group.shape})"


def _joined(array: str, names: Sequence[str], groups: Sequence[Bundle]) -> Iterator[str]:
    """The bundles of a part as one array."""
    size = sum(group.size for group in groups)
    rows = _rows(names, groups)
    yield f"    {array} = empty(({rows}, {size}))" if rows else f"    {array} = empty({size})"
    yield from _filled(array, names, groups)


def _rows(names: Sequence[str], bundles: Sequence[Bundle]) -> str:
    """How many rows there are, by the first result that is by row; "" if none is."""
    pairs = zip(names, bundles, strict=True)
    return next((f"len({name})" for name, bundle in pairs if bundle.is_row), "")


def _filled(array: str, names: Sequence[str], groups: Sequence[Bundle]) -> Iterator[str]:
    """The lines that put groups side by side.

    Number by number: to assign to a slice takes numba seconds to compile.
    """
    start = 0
    for name, group in zip(names, groups, strict=True):
        flat, row, indent = name, "", "    "
        if len(group.shape or ()) > 1:
            flat, extents = (
                f"{array}_{start}",
                f"(-1, {group.size})" if group.is_row else group.size,
            )
            yield f"    {flat} = ascontiguousarray({name}).reshape({extents})"
        if group.is_row:
            yield f"    for i in range(len({flat})):"
            row, indent = "i, ", "        "
        if group.shape is None:
            yield f"{indent}{array}[{row}{start}] = {flat}{'[i]' if row else ''}"
        else:
            yield f"{indent}for k in range({group.size}):"
            yield f"{indent}    {array}[{row}{start} + k] = {flat}[{row}k]"
        start += group.size
