"""The user's arrays, and matrices in flat ones: `w[j, t]` for `inputs[48 + 17 * j + t]`.

To rolling, all inputs are one flat array, and so is each result. What a nest reads there by nested
strides is a part with rows: the greatest stride is the length of a row, and parts with equal rows
that overlap are one view.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from gradcompile.ir.nests import Array, Index, Nest, Place, Rolled, Subscript, assignments, places
from gradcompile.ir.signature import Bundle
from gradcompile.loops.rewrite import rewrite
from gradcompile.support.names import common_label


@dataclass(frozen=True)
class _Part:
    """A region of a flat array: rows of equal length, each of nested columns.

    Attributes:
        widths: the strides, greatest first; the last one is 1.
    """

    start: int
    rows: int
    widths: tuple[int, ...]

    @property
    def stop(self) -> int:
        """Where it ends."""
        return self.start + self.rows * self.widths[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of its dimensions."""
        inner = zip(self.widths, self.widths[1:], strict=False)
        return (self.rows, *(outer // width for outer, width in inner))


_Views = Mapping[int, Sequence[tuple[_Part, Array]]]
"""The parts with their arrays, by the length of their rows."""


def make_views(
    rolled: Rolled, flat: Array, groups: Sequence[Bundle], labels: Sequence[str]
) -> Rolled:
    """Read and write arrays as the function takes and returns them, instead of a flat array.

    What lies within an array of the user's is an element of it, by its own subscripts. In a vector,
    parts that are read as matrices are views of it. What goes across several stays in the flat one.

    Args:
        rolled: nests; they are left as they are.
        flat: the array.
        groups: how it is divided.
        labels: for each element, of what it is a part; equal labels side by side are one argument.
    """
    own = flat.shape[1:]  # where an element is a number for each row of a batch
    arrays = {group: _array_of(group, flat) for group in groups}
    outputs = [arrays[groups[0]] if output is flat else output for output in rolled.outputs]
    if not flat.size:
        return replace(rolled, outputs=outputs)
    vectors = {
        group: arrays[group]
        if len(group.shape) == 1
        else Array((group.size, *own), flat.space, flat.start + group.start, group.name)
        for group in groups
        if group.shape is not None
    }

    def view(place: Place) -> Place:
        if place.array is not flat:
            return place
        first, row = place.subscripts[0], place.subscripts[1:]
        group = _group_of(first, groups, rolled)
        if group is None:
            return place
        if group.shape is None:
            return Place(arrays[group], row)
        inside = replace(first, offset=first.offset - group.start)
        subscripts = _by_dimension(inside, group.shape)
        if subscripts is not None and len(subscripts) > 1:
            return Place(arrays[group], (*subscripts, *row))
        return Place(vectors[group], (inside, *row))

    nests = [rewrite(nest, view) for nest in rolled.nests]
    for group, vector in vectors.items():
        nests = _with_matrices(nests, vector, labels[group.start : group.stop])
    nests = _with_matrices(nests, flat, labels)
    return replace(rolled, nests=nests, outputs=outputs)


def _array_of(group: Bundle, flat: Array) -> Array:
    shape = (*(group.shape or ()), *flat.shape[1:])
    return Array(shape, flat.space, flat.start + group.start, group.name)


def _group_of(subscript: Subscript, groups: Sequence[Bundle], rolled: Rolled) -> Bundle | None:
    """The group that holds all that a subscript reaches; None if it goes across several."""
    first, last = _reach(subscript, rolled)
    return next((g for g in groups if g.start <= first and last < g.stop), None)


def _reach(subscript: Subscript, rolled: Rolled) -> tuple[int, int]:
    """The least and the greatest value of a subscript."""
    first = last = subscript.offset
    for index, stride in subscript.terms:
        reach = stride * index.last
        first, last = first + min(reach, 0), last + max(reach, 0)
    if subscript.table is not None:
        array = subscript.table.array
        integers = rolled.tables[array.start : array.start + array.size]
        first, last = first + int(integers.min()), last + int(integers.max())
    return first, last


def _by_dimension(subscript: Subscript, shape: tuple[int, ...]) -> tuple[Subscript, ...] | None:
    """A flat subscript as one for each dimension; None if one of them would leave its extent."""
    if subscript.table is not None:
        return None
    found = []
    width = prod(shape)
    rest, strides = subscript.offset, dict(subscript.terms)
    for extent in shape:
        width //= extent
        offset, rest = divmod(rest, width)
        own = {}
        for index, stride in strides.items():
            own[index] = (abs(stride) // width) * (1 if stride > 0 else -1)
            strides[index] = stride - own[index] * width
        terms = tuple((index, stride) for index, stride in own.items() if stride)
        ends = [stride * index.last for index, stride in terms]
        low = offset + sum(min(end, 0) for end in ends)
        high = offset + sum(max(end, 0) for end in ends)
        if low < 0 or high >= extent:
            return None
        found.append(Subscript(offset, terms))
    return tuple(found)


def _with_matrices(nests: Sequence[Nest], flat: Array, labels: Sequence[str]) -> list[Nest]:
    """Read and write views of a vector instead of the vector.

    Args:
        nests: are left as they are.
        flat: the vector.
        labels: for each element, of what it is a part; equal labels side by side are one argument.
    """
    if not any(place.array is flat for nest in nests for place in _places(nest)):
        return list(nests)
    spans = _spans(flat, labels)
    views = _views(nests, flat, labels)
    slices: dict[tuple[int, int], Array] = {}

    def view(place: Place) -> Place:
        if place.array is not flat:
            return place
        first, row = Place(flat, place.subscripts[:1]), place.subscripts[1:]
        found = _in_part(views, first) or _in_span(spans, first, slices)
        return Place(found.array, (*found.subscripts, *row))

    return [rewrite(nest, view) for nest in nests]


def _views(nests: Sequence[Nest], flat: Array, labels: Sequence[str]) -> _Views:
    """Find the parts of a flat array that are matrices."""
    parts: dict[int, list[_Part]] = {}
    for nest in nests:
        for place in _places(nest):
            if place.array is flat:
                _note(parts, place.subscripts[0], flat.shape[0])
    return {
        row: [(part, _array(part, flat, labels)) for part in found] for row, found in parts.items()
    }


def _array(part: _Part, flat: Array, labels: Sequence[str]) -> Array:
    inside = sorted(set(labels[part.start : part.stop]))
    label = inside[0] if len(inside) == 1 else common_label(inside)
    own = flat.shape[1:]  # where an element is a number for each row of a batch
    start = flat.start + part.start
    return Array((*part.shape, *own), space=flat.space, start=start, label=label)


def _spans(flat: Array, labels: Sequence[str]) -> list[tuple[int, Array]]:
    """A view for each run of elements with one label, and where it begins."""
    if not any(labels) or len(set(labels)) == 1:
        return [(0, flat)]
    spans = []
    for start, stop in _runs(labels):
        shape = () if stop - start == 1 else (stop - start,)
        own = flat.shape[1:]
        array = Array((*shape, *own), flat.space, flat.start + start, labels[start])
        spans.append((start, array))
    return spans


def _runs(labels: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for stop in range(1, len(labels) + 1):
        if stop == len(labels) or labels[stop] != labels[start]:
            yield start, stop
            start = stop


def _in_span(
    spans: Sequence[tuple[int, Array]], place: Place, parts: dict[tuple[int, int], Array]
) -> Place:
    """What no matrix has: an element, or elements side by side, of one argument."""
    (subscript,) = place.subscripts
    if subscript.table is not None:
        return place
    first = last = subscript.offset
    for index, stride in subscript.terms:
        reach = stride * index.last
        first, last = first + min(reach, 0), last + max(reach, 0)
    for start, span in spans:
        own = span.shape[-1:] if span.has_rows else ()
        size = prod(span.shape[: len(span.shape) - len(own)])
        if start <= first and last < start + size:
            if not span.shape:  # a number is a copy: it can be read, but not written
                return Place(span) if span.space == "inputs" else place
            if span.shape == own:
                return Place(span)
            whole = any(index.step > 1 for index, _ in subscript.terms)
            strides = [stride for _, stride in subscript.terms]
            if strides == [1] and last - first + 1 < size and not whole:
                at = span.start + first - start
                new = Array((last - first + 1, *own), span.space, at, span.label)
                return Place(parts.setdefault((first, last), new), (Subscript(0, subscript.terms),))
            return Place(span, (Subscript(subscript.offset - start, subscript.terms),))
    return place


def _places(nest: Nest) -> Iterator[Place]:
    for step in assignments(nest.steps):
        yield step.place
        yield from places(step.value)


def _strides(subscript: Subscript) -> list[tuple[int, Index]]:
    """The strides, greatest first; none if they do not nest."""
    terms = sorted(((stride, index) for index, stride in subscript.terms), key=lambda x: -x[0])
    if subscript.table is not None or not terms or terms[-1][0] < 1:
        return []
    for (outer, _), (inner, index) in pairwise(terms):
        if outer % inner or inner * index.extent > outer:
            return []
    return terms


def _note(parts: dict[int, list[_Part]], subscript: Subscript, size: int) -> None:
    """Add the part that a subscript goes through, or let one of the parts be larger."""
    strides = _strides(subscript)
    if not strides or (len(strides) == 1 and strides[0][0] == 1):
        return
    row, index = strides[0]
    inner = sum(stride * i.last for stride, i in strides[1:])
    widths = {stride for stride, _ in strides} | {1}
    for number, part in enumerate(parts.setdefault(row, [])):
        start = min(part.start, subscript.offset)
        end = max(part.start, subscript.offset)
        fits = end - start + (inner if end == subscript.offset else 0) < row
        if part.rows == index.extent and fits and start + row * part.rows <= size:
            merged = sorted(widths | set(part.widths), reverse=True)
            if all(a % b == 0 for a, b in pairwise(merged)):
                parts[row][number] = _Part(start, part.rows, tuple(merged))
                return
    if subscript.offset + row * index.extent <= size:
        found = _Part(subscript.offset, index.extent, tuple(sorted(widths, reverse=True)))
        parts[row].append(found)


def _in_part(views: _Views, place: Place) -> Place | None:
    """The place in a matrix; None if no matrix has it."""
    (subscript,) = place.subscripts
    strides = _strides(subscript)
    for part, array in views.get(strides[0][0], ()) if strides else ():
        subscripts = _split(subscript, part)
        if subscripts is not None:
            return Place(array, subscripts)
    return None


def _split(subscript: Subscript, part: _Part) -> tuple[Subscript, ...] | None:
    """The flat subscript as one subscript a dimension; None if one would leave its dimension."""
    rest = subscript.offset - part.start
    if rest < 0 or not {stride for _, stride in subscript.terms} <= set(part.widths):
        return None
    found = []
    for width, extent in zip(part.widths, part.shape, strict=True):
        terms = tuple((i, 1) for i, stride in subscript.terms if stride == width)
        if rest // width + sum(i.last for i, _ in terms) >= extent:
            return None
        found.append(Subscript(rest // width, terms))
        rest %= width
    return tuple(found)
