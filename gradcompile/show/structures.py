"""Pictures of the structure of sparse matrices: where their nonzeros are.

A square of the picture is an entry, or, in a matrix of more than `MAX_CELLS` rows or columns, a
square of entries, which is the darker the more of them are nonzeros.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np

from gradcompile.support.arrays import IntArray

MAX_CELLS = 400
"""The most squares in a row or a column of the picture."""

SIDE = 400
"""The length of the longer side, in points; a small matrix has a shorter one."""

MAX_SQUARE = 24
"""The most points of the side of a square."""

GRID_FROM = 6
"""From so many points on, squares are told apart by a grid."""

SHADES = 5
"""In so many shades squares are drawn, all darker than the paper."""


@dataclass(frozen=True, eq=False)
class StructurePicture:
    """A drawing of where the nonzeros of a matrix are; notebooks show it.

    Attributes:
        name: what has that structure.
        shape: of the matrix.
        rows: the row of each nonzero.
        columns: the column of each.

    Example:
        >>> rows, columns = np.array([0, 1, 2]), np.array([0, 1, 0])
        >>> picture = StructurePicture("f.hessian", (3, 3), rows, columns)
        >>> picture.caption
        'f.hessian: 3 × 3, 3 nonzeros (33 %)'
        >>> picture.svg()[:4], picture.png()[1:4]
        ('<svg', b'PNG')
    """

    name: str
    shape: tuple[int, int]
    rows: IntArray
    columns: IntArray

    @property
    def caption(self) -> str:
        """What stands below the picture: the size of the matrix, and how full it is."""
        (height, width), count = self.shape, len(self.rows)
        share = 100 * count / max(height * width, 1)
        text = f"{self.name}: {height:,} × {width:,}, {count:,} nonzeros ({share:.2g} %)"
        return text if self._step == 1 else f"{text}, {self._step} × {self._step} to a square"

    @property
    def _step(self) -> int:
        """How many rows and columns there are in a square."""
        return -(-max(*self.shape, 1) // MAX_CELLS)

    @cached_property
    def shades(self) -> IntArray:
        """The shade of each square: 0 for no nonzero, `SHADES` for nothing else."""
        step = self._step
        height, width = (-(-size // step) for size in self.shape)
        cells = (self.rows // step) * width + self.columns // step
        counts = np.bincount(cells, minlength=height * width).reshape(height, width)
        # Squares at the right and at the bottom may hold fewer entries.
        rows, columns = (np.diff([*range(0, size, step), size]) for size in self.shape)
        shades: IntArray = np.ceil(SHADES * counts / np.outer(rows, columns)).astype(np.int64)
        return shades

    @property
    def _square(self) -> int:
        """The side of a square, in points."""
        return int(min(max(SIDE // max(*self.shades.shape, 1), 1), MAX_SQUARE))

    def svg(self) -> str:
        """Write the picture as an SVG document."""
        side, (rows, columns) = self._square, self.shades.shape
        width, height = columns * side, rows * side
        paths = [
            f'<path fill="#3d7eb8" fill-opacity="{shade / SHADES:g}" '
            f'd="{"".join(self._runs(shade))}"/>'
            for shade in range(1, SHADES + 1)
            if (self.shades == shade).any()
        ]
        grid = ""
        if side >= GRID_FROM:
            lines = [f"M0 {k * side}h{width}" for k in range(1, rows)]
            lines += [f"M{k * side} 0v{height}" for k in range(1, columns)]
            grid = f'<path stroke="#ffffff" stroke-width="1" d="{"".join(lines)}"/>'
        # The caption may be wider than the matrix.
        full = max(width + 2, 7 * len(self.caption))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{full}" height="{height + 24}" '
            f'viewBox="-1 -1 {full} {height + 24}">'
            f'<rect width="{width}" height="{height}" fill="#f7f8fa" stroke="#8896a5"/>'
            f'<g shape-rendering="crispEdges">{"".join(paths)}{grid}</g>'
            f'<text x="0" y="{height + 16}" font-family="Helvetica, sans-serif" font-size="12" '
            f'fill="#1f2933">{escape(self.caption)}</text></svg>'
        )

    def _runs(self, shade: int) -> Iterator[str]:
        """The squares of a shade, as rectangles: one for each run in a row."""
        side = self._square
        padded = np.pad(self.shades == shade, ((0, 0), (1, 1))).astype(np.int8)
        edges = np.diff(padded, axis=1)
        starts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
        for (row, start), (_, stop) in zip(starts.tolist(), stops.tolist(), strict=True):
            wide = (stop - start) * side
            yield f"M{start * side} {row * side}h{wide}v{side}h-{wide}z"

    def png(self) -> bytes:
        """Make a PNG file of the squares, without the caption."""
        grey = (255 - self.shades * (200 // SHADES)).astype(np.uint8)
        pixels = np.kron(grey, np.ones((self._square, self._square), np.uint8))
        pixels = pixels if pixels.size else np.full((1, 1), 255, np.uint8)
        height, width = pixels.shape
        lines = np.pad(pixels, ((0, 0), (1, 0)))  # each line begins with its filter, 0
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, shades of grey
        parts = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in parts
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file and return its path.

        Args:
            path: its suffix says the format: .svg or .png.

        Raises:
            ValueError: it has another suffix.
            OSError: the file cannot be written.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in (".svg", ".png"):
            raise ValueError(f"a structure is saved as .svg or .png, not {suffix!r}")
        path.write_bytes(self.png() if suffix == ".png" else self.svg().encode())
        return path

    _repr_svg_ = svg

    def __repr__(self) -> str:
        return f"<picture of {self.caption}>"
