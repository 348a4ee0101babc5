"""Products of matrices in machine code: LLVM code for the functions of `products.py`.

A tile of the result, some rows by some vectors, stays in registers while the loop inside goes
through everything that is added to it; so each number that is read is used several times. It is
the innermost kernel of every matrix library (K. Goto and R. van de Geijn, Anatomy of
high-performance matrix multiplication, ACM Transactions on Mathematical Software 34(3), 2008).
The levels around it, which copy blocks of large matrices, are left out: in a batch, blocks of rows
are small.

The code of a product is a function of its own, one in each module that calls it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from llvmlite import binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

from gradcompile import products
from gradcompile.jit.flags import REASSOCIATION

TILE_ROWS = 4
"""The rows of a tile; for inner products, its columns as well."""

TILE_VECTORS = 3
"""The vectors in a row of a tile: with what is read, twelve of them fit sixteen registers."""

TALL_TILE_ROWS = 8
"""The rows of a tile where there are 32 registers, as processors have with vectors of eight."""

DOUBLE, WORD, INT = ir.DoubleType(), ir.IntType(64), ir.IntType(32)


def _lanes() -> int:
    """Count the float64 numbers that a vector register holds."""
    features = llvm.get_host_cpu_features()
    return 8 if features.get("avx512f") else 4 if features.get("avx") else 2


LANES = _lanes()
VECTOR = ir.VectorType(DOUBLE, LANES)


def register_products() -> None:
    """Tell numba what the functions of `products.py` mean."""
    kinds: dict[str, tuple[int, TileBuilder]] = {
        "set_product": (3, _product(_zero)),
        "set_affine": (4, _product(_element)),
        "add_product": (3, _product(_before)),
        "subtract_product": (3, _product(_before, "fsub")),
        "add_inner_products": (3, _inner_products("fadd")),
        "subtract_inner_products": (3, _inner_products("fsub")),
        "add_sums": (2, _sums("fadd")),
        "subtract_sums": (2, _sums("fsub")),
    }
    for name, (operands, build) in kinds.items():
        function = products.FUNCTIONS[name]
        infer_global(function)(type(name, (_OfArrays,), {}))
        lower_builtin(function, *[types.Array] * operands)(_calling(name, build))


class _OfArrays(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        """Infer the type of a call."""
        return signature(types.void, *args)


class MatrixPointer(NamedTuple):
    """A matrix in LLVM code; a vector is one of a single column.

    Attributes:
        data: where it begins.
        rows, columns: how many it has.
        down, right: how many bytes the next row and the next column are away.
    """

    data: Any
    rows: Any
    columns: Any
    down: Any
    right: Any


POINTER = ir.IntType(8).as_pointer()
TileBuilder = Callable[..., None]


def _calling(name: str, build: TileBuilder) -> Callable[..., Any]:
    """Lower a call to the function that `build` makes, once in a module, and a call of it."""

    def lower(context: Any, builder: Any, sig: Any, arrays: Sequence[Any]) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [POINTER, WORD, WORD, WORD, WORD] * len(arrays))
        function = cgutils.get_or_insert_function(builder.module, kind, f"gradcompile_{name}")
        if function.is_declaration:
            _define(function, build)
        arguments: list[Any] = []
        for array_type, array in zip(sig.args, arrays, strict=True):
            entries = context.make_array(array_type)(context, builder, array)
            extents = cgutils.unpack_tuple(builder, entries.shape)
            strides = cgutils.unpack_tuple(builder, entries.strides)
            data = builder.bitcast(entries.data, POINTER)
            arguments += [data, *[*extents, _word(1)][:2], *[*strides, _word(8)][:2]]
        builder.call(function, arguments)
        return context.get_dummy_value()

    return lower


def _define(function: Any, build: TileBuilder) -> None:
    function.linkage = "internal"
    function.attributes.add("noinline")
    matrices = [MatrixPointer(*function.args[k : k + 5]) for k in range(0, len(function.args), 5)]
    for matrix in matrices:
        matrix.data.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    build(builder, *matrices)
    builder.ret_void()


# --- products ------------------------------------------------------------------------------------


Start = Callable[..., Any]
"""What a vector of a product begins with, before anything is added to it."""


def _zero(builder: Any, row: Any, pointer: Any, mask: Any) -> Any:
    return _zeros(pointer.type.pointee)


def _before(builder: Any, row: Any, pointer: Any, mask: Any) -> Any:
    """Begin with what is there."""
    return _load(builder, pointer, mask)


def _element(builder: Any, row: Any, pointer: Any, mask: Any, d: MatrixPointer) -> Any:
    """Begin with the element of a vector that belongs to the row."""
    element = builder.load(_pointer(builder, d, row, _word(0), DOUBLE), align=8)
    return _broadcast(builder, element, LANES)


def _product(start: Start, combine: str = "fadd") -> TileBuilder:
    """Builds a product; `combine` is the instruction that adds to it, or takes away."""

    def build(
        builder: Any, c: MatrixPointer, a: MatrixPointer, b: MatrixPointer, *others: MatrixPointer
    ) -> None:
        begin = partial(start, builder, **dict(zip("d", others, strict=False)))
        _Product(builder, combine, begin, _contiguous(c), a, _contiguous(b)).build()

    return build


@dataclass(frozen=True)
class _Product:
    """A product of `a` and `b`, which goes into `c`.

    Attributes:
        combine: the instruction that adds to a tile, or takes away.
        begin: gives what a vector of a tile begins with.
    """

    builder: Any
    combine: str
    begin: Start
    c: MatrixPointer
    a: MatrixPointer
    b: MatrixPointer

    def build(self) -> None:
        columns = self.c.columns
        whole = _round_down(self.builder, columns, TILE_VECTORS * LANES)
        with _each(self.builder, _word(0), whole, TILE_VECTORS * LANES) as i:
            self._tiles(i, [None] * TILE_VECTORS)
        with _each(self.builder, whole, columns, LANES) as i:
            self._tiles(i, [_mask(self.builder, self.builder.sub(columns, i), LANES)])

    def _tiles(self, i: Any, masks: Sequence[Any]) -> None:
        """All rows of the product; a vector for each mask from column `i` on."""
        rest = _word(0)
        if LANES == 8 and len(masks) > 1:
            rest = _round_down(self.builder, self.c.rows, TALL_TILE_ROWS)
            with _each(self.builder, _word(0), rest, TALL_TILE_ROWS) as k:
                self._tile(_rows(self.builder, k, self.c.rows, TALL_TILE_ROWS), i, masks)
        with _each(self.builder, rest, self.c.rows, TILE_ROWS) as k:
            self._tile(_rows(self.builder, k, self.c.rows), i, masks)

    def _tile(self, rows: Sequence[Any], i: Any, masks: Sequence[Any]) -> None:
        """Some rows of the product; a vector for each mask from column `i` on."""
        builder, pointer = self.builder, partial(_pointer, self.builder)
        columns = [builder.add(i, _word(v * LANES)) for v in range(len(masks))]
        pointers = [[pointer(self.c, row, column) for column in columns] for row in rows]
        tile = [
            [_Variable(builder, self.begin(row, *found)) for found in zip(line, masks, strict=True)]
            for row, line in zip(rows, pointers, strict=True)
        ]
        with _each(builder, _word(0), self.b.rows, 1) as m:
            read = [
                _load(builder, pointer(self.b, m, column), mask)
                for column, mask in zip(columns, masks, strict=True)
            ]
            for row, line in zip(rows, tile, strict=True):
                factor = builder.load(pointer(self.a, row, m, DOUBLE), align=8)
                _add_products(builder, self.combine, line, _broadcast(builder, factor, LANES), read)
        # Below the last row there is none: it was computed again, and is written once more.
        for line, found in zip(pointers, tile, strict=True):
            for target, x, mask in zip(line, found, masks, strict=True):
                _store(builder, x.value, target, mask)


def _inner_products(combine: str) -> TileBuilder:
    """Builds inner products of rows."""

    def build(builder: Any, c: MatrixPointer, a: MatrixPointer, b: MatrixPointer) -> None:
        with builder.if_else(_is_one_row(builder, a), likely=False) as (one, several):
            with one:
                _outer_product(builder, combine, _contiguous(c), a, b)
            with several:
                each = partial(_each, builder, _word(0), step=TILE_ROWS)
                with each(c.rows) as k, each(c.columns) as m:
                    _inner_tile(builder, combine, c, a, b, k, m)

    return build


def _is_one_row(builder: Any, a: MatrixPointer) -> Any:
    """Is there one row of data? Then there is nothing to sum up."""
    return builder.icmp_signed("==", a.columns, _word(1))


def _outer_product(
    builder: Any, combine: str, c: MatrixPointer, a: MatrixPointer, b: MatrixPointer
) -> None:
    """Products of single numbers, of one row of data."""
    whole = _round_down(builder, c.columns, LANES)
    with _each(builder, _word(0), whole, LANES) as m:
        _outer_columns(builder, combine, c, a, b, m)
    with _each(builder, _word(0), c.rows, 1) as k, _each(builder, whole, c.columns, 1) as m:
        left, right = (_pointer(builder, x, row, _word(0), DOUBLE) for x, row in ((a, k), (b, m)))
        factors = builder.load(left, align=8), builder.load(right, align=8)
        _add_number(builder, combine, c, k, m, builder.fmul(*factors, REASSOCIATION))


def _add_number(
    builder: Any, combine: str, c: MatrixPointer, row: Any, column: Any, x: Any
) -> None:
    pointer = _pointer(builder, c, row, column, DOUBLE)
    before = builder.load(pointer, align=8)
    builder.store(getattr(builder, combine)(before, x, REASSOCIATION), pointer, align=8)


def _outer_columns(
    builder: Any, combine: str, c: MatrixPointer, a: MatrixPointer, b: MatrixPointer, m: Any
) -> None:
    """Products of single numbers: a vector of columns from column `m` on."""
    right = _zeros(VECTOR)
    for lane in range(LANES):
        row = builder.add(m, _word(lane))
        element = builder.load(_pointer(builder, b, row, _word(0), DOUBLE), align=8)
        right = builder.insert_element(right, element, ir.Constant(INT, lane))
    with _each(builder, _word(0), c.rows, 1) as k:
        element = builder.load(_pointer(builder, a, k, _word(0), DOUBLE), align=8)
        product = builder.fmul(_broadcast(builder, element, LANES), right, REASSOCIATION)
        pointer = _pointer(builder, c, k, m)
        before = builder.load(pointer, align=8)
        builder.store(getattr(builder, combine)(before, product, REASSOCIATION), pointer, align=8)


def _inner_tile(
    builder: Any, combine: str, c: MatrixPointer, a: MatrixPointer, b: MatrixPointer, k: Any, m: Any
) -> None:
    """Inner products: rows from row `k` on, as many columns from column `m` on."""
    a, b, c = _contiguous(a), _contiguous(b), _contiguous(c)
    above, below = _rows(builder, k, c.rows), _rows(builder, m, c.columns)
    tile = [[_Variable(builder, _zeros(VECTOR)) for _ in below] for _ in above]

    def add(i: Any, mask: Any) -> None:
        left = [_load(builder, _pointer(builder, a, row, i), mask) for row in above]
        right = [_load(builder, _pointer(builder, b, row, i), mask) for row in below]
        for factor, line in zip(left, tile, strict=True):
            _add_products(builder, combine, line, factor, right)

    _each_vector(builder, a.columns, add)
    mask = _mask(builder, builder.sub(c.columns, m), TILE_ROWS)
    for r, line in enumerate(tile):
        row = builder.add(k, _word(r))
        with builder.if_then(builder.icmp_signed("<", row, c.rows)):
            pointer = _pointer(builder, c, row, m, ir.VectorType(DOUBLE, TILE_ROWS))
            totals = _totals(builder, [x.value for x in line])
            before = _load(builder, pointer, mask)
            _store(builder, builder.fadd(before, totals, REASSOCIATION), pointer, mask)


def _sums(combine: str) -> TileBuilder:
    """Builds sums of rows."""

    def build(builder: Any, c: MatrixPointer, a: MatrixPointer) -> None:
        with builder.if_else(_is_one_row(builder, a), likely=False) as (one, several):
            with one, _each(builder, _word(0), c.rows, 1) as k:
                x = builder.load(_pointer(builder, a, k, _word(0), DOUBLE), align=8)
                _add_number(builder, combine, c, k, _word(0), x)
            with several, _each(builder, _word(0), c.rows, TILE_ROWS) as k:
                _sums_tile(builder, combine, c, _contiguous(a), k)

    return build


def _sums_tile(builder: Any, combine: str, c: MatrixPointer, a: MatrixPointer, k: Any) -> None:
    """The sums of some rows from row `k` on."""
    rows = _rows(builder, k, c.rows)
    tile = [_Variable(builder, _zeros(VECTOR)) for _ in rows]

    def add(i: Any, mask: Any) -> None:
        for row, x in zip(rows, tile, strict=True):
            read = _load(builder, _pointer(builder, a, row, i), mask)
            x.value = getattr(builder, combine)(x.value, read, REASSOCIATION)

    _each_vector(builder, a.columns, add)
    totals = _totals(builder, [x.value for x in tile])
    for r in range(TILE_ROWS):
        row = builder.add(k, _word(r))
        with builder.if_then(builder.icmp_signed("<", row, c.rows)):
            pointer = _pointer(builder, c, row, _word(0), DOUBLE)
            total = builder.extract_element(totals, ir.Constant(INT, r))
            before = builder.load(pointer, align=8)
            builder.store(builder.fadd(before, total, REASSOCIATION), pointer, align=8)


# --- parts of tiles ------------------------------------------------------------------------------


def _add_products(
    builder: Any, combine: str, line: "Sequence[_Variable]", factor: Any, read: Sequence[Any]
) -> None:
    for x, y in zip(line, read, strict=True):
        product = builder.fmul(factor, y, REASSOCIATION)
        x.value = getattr(builder, combine)(x.value, product, REASSOCIATION)


def _rows(builder: Any, first: Any, count: Any, height: int = TILE_ROWS) -> list[Any]:
    """Index the rows of a tile. Where there are none it is the last one, once more."""
    last = builder.sub(count, _word(1))
    rows = [builder.add(first, _word(r)) for r in range(height)]
    return [builder.select(builder.icmp_signed("<", row, last), row, last) for row in rows]


def _totals(builder: Any, x: Sequence[Any]) -> Any:
    """Sum up each of four vectors: halves are added until one number is left of each."""

    def added(a: Any, b: Any, size: int) -> Any:
        """Sums of two groups of `size` numbers side by side, of `a` and of `b` by turns."""
        starts = range(0, a.type.count, 2 * size)
        low = [s + base + k for s in starts for base in (0, a.type.count) for k in range(size)]
        return _sum(builder, a, b, low, [k + size for k in low])

    pairs = added(x[0], x[1], 1), added(x[2], x[3], 1)
    if LANES == 2:
        return builder.shuffle_vector(*pairs, _indices(range(TILE_ROWS)))
    totals = added(*pairs, 2)
    while totals.type.count > TILE_ROWS:
        half = totals.type.count // 2
        totals = _sum(builder, totals, totals, range(half), range(half, 2 * half))
    return totals


def _sum(builder: Any, a: Any, b: Any, low: Sequence[int], high: Sequence[int]) -> Any:
    """Add some elements of two vectors to as many others."""
    parts = [builder.shuffle_vector(a, b, _indices(chosen)) for chosen in (low, high)]
    return builder.fadd(*parts, REASSOCIATION)


# --- LLVM code -----------------------------------------------------------------------------------


class _Variable:
    """What a loop changes; LLVM keeps it in a register."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder = builder
        self.slot = cgutils.alloca_once(builder, value.type)
        self.value = value

    @property
    def value(self) -> Any:
        """The current value."""
        return self.builder.load(self.slot)

    @value.setter
    def value(self, value: Any) -> None:
        self.builder.store(value, self.slot)


@contextmanager
def _each(builder: Any, start: Any, stop: Any, step: int) -> Iterator[Any]:
    """Open a loop, and give its index."""
    with cgutils.for_range_slice(builder, start, stop, _word(step), WORD) as (index, _):
        yield index


def _each_vector(builder: Any, count: Any, body: Callable[[Any, Any], None]) -> None:
    """Loop over so many numbers, in vectors; `body` is given where one begins, and a mask."""
    whole = _round_down(builder, count, LANES)
    with _each(builder, _word(0), whole, LANES) as i:
        body(i, None)
    # Not in the loop, for what reads some numbers takes longer than what reads a whole vector.
    with builder.if_then(builder.icmp_signed("<", whole, count)):
        body(whole, _mask(builder, builder.sub(count, whole), LANES))


def _word(x: int) -> Any:
    return ir.Constant(WORD, x)


def _round_down(builder: Any, count: Any, size: int) -> Any:
    """Compute the greatest multiple of `size` that is not more than `count`."""
    return builder.sub(count, builder.urem(count, _word(size)))


def _contiguous(x: MatrixPointer) -> MatrixPointer:
    """Tell LLVM that elements of a row of the matrix are neighbours."""
    return x._replace(right=_word(8))


def _pointer(builder: Any, x: MatrixPointer, row: Any, column: Any, kind: Any = None) -> Any:
    """Point to an element, or to a vector that begins with it."""
    offset = builder.add(builder.mul(row, x.down), builder.mul(column, x.right))
    return builder.bitcast(builder.gep(x.data, [offset]), (kind or VECTOR).as_pointer())


def _mask(builder: Any, count: Any, width: int) -> Any:
    """Tell which elements of a vector are among the first so many."""
    lanes = ir.Constant(ir.VectorType(WORD, width), list(range(width)))
    return builder.icmp_signed("<", lanes, _broadcast(builder, count, width))


def _load(builder: Any, pointer: Any, mask: Any) -> Any:
    """Load a vector; 0 where there is a mask that leaves an element out."""
    if mask is None:
        return builder.load(pointer, align=8)
    vector = pointer.type.pointee
    kind = ir.FunctionType(vector, [pointer.type, INT, mask.type, vector])
    name = f"llvm.masked.load.v{vector.count}f64.p0"
    load = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(load, [pointer, ALIGNED, mask, _zeros(vector)])


def _store(builder: Any, x: Any, pointer: Any, mask: Any) -> None:
    if mask is None:
        builder.store(x, pointer, align=8)
        return
    kind = ir.FunctionType(ir.VoidType(), [x.type, pointer.type, INT, mask.type])
    name = f"llvm.masked.store.v{x.type.count}f64.p0"
    store = cgutils.get_or_insert_function(builder.module, kind, name)
    builder.call(store, [x, pointer, ALIGNED, mask])


def _zeros(vector: Any) -> Any:
    return ir.Constant(vector, [0.0] * vector.count)


ALIGNED = ir.Constant(INT, 8)


def _broadcast(builder: Any, x: Any, count: int) -> Any:
    """Fill a vector with one number."""
    nothing = ir.Constant(ir.VectorType(x.type, count), ir.Undefined)
    first = builder.insert_element(nothing, x, ir.Constant(INT, 0))
    return builder.shuffle_vector(first, nothing, _indices([0] * count))


def _indices(chosen: Sequence[int]) -> Any:
    return ir.Constant(ir.VectorType(INT, len(chosen)), list(chosen))
