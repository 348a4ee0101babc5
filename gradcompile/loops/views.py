"""Matrices in flat arrays: `w[j, t]` instead of `inputs[48 + 17 * j + t]`.

The inputs and the results are flat. What a nest reads there by nested strides is a part with rows:
the greatest stride is the length of a row, and parts with equal rows that overlap are one view.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from gradcompile.ir.nests import Array, Index, Nest, Place, Subscript, assignments, places
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


def make_views(nests: Sequence[Nest], flat: Array, labels: Sequence[str]) -> list[Nest]:
    """Read and write views of a flat array instead of the array.

    Args:
        nests: are left as they are.
        flat: the array.
        labels: for each element, of what it is a part; equal labels side by side are one argument.
    """
    if not flat.size:
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
    return Array((*part.shape, *own), space=flat.space, start=part.start, label=label)


def _spans(flat: Array, labels: Sequence[str]) -> list[Array]:
    """A view for each run of elements with one label."""
    spans: list[Array] = []
    if not any(labels):
        return [flat]
    for start, stop in _runs(labels):
        shape = () if stop - start == 1 else (stop - start,)
        label = labels[start]
        own = flat.shape[1:]
        spans.append(Array((*shape, *own), space=flat.space, start=start, label=label))
    return spans


def _runs(labels: Sequence[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for stop in range(1, len(labels) + 1):
        if stop == len(labels) or labels[stop] != labels[start]:
            yield start, stop
            start = stop


def _in_span(spans: Sequence[Array], place: Place, parts: dict[tuple[int, int], Array]) -> Place:
    """What no matrix has: an element, or elements side by side, of one argument."""
    (subscript,) = place.subscripts
    if subscript.table is not None:
        return place
    first = last = subscript.offset
    for index, stride in subscript.terms:
        reach = stride * index.last
        first, last = first + min(reach, 0), last + max(reach, 0)
    for span in spans:
        own = span.shape[-1:] if span.has_rows else ()
        size = prod(span.shape[: len(span.shape) - len(own)])
        if span.start <= first and last < span.start + size:
            if not span.shape:  # a number is a copy: it can be read, but not written
                return Place(span) if span.space == "inputs" else place
            if span.shape == own:
                return Place(span)
            whole = any(index.step > 1 for index, _ in subscript.terms)
            strides = [stride for _, stride in subscript.terms]
            if strides == [1] and last - first + 1 < size and not whole:
                new = Array((last - first + 1, *own), span.space, first, span.label)
                return Place(parts.setdefault((first, last), new), (Subscript(0, subscript.terms),))
            return Place(span, (Subscript(subscript.offset - span.start, subscript.terms),))
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
