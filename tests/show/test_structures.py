"""Pictures of the structure of sparse matrices: every nonzero is in them, and nothing else is."""

import re
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.show.structures import MAX_CELLS, SHADES, StructurePicture


def drawn(pattern):
    """The squares that the SVG has, as rows and columns of points, with their shades."""
    found = {}
    for path in ElementTree.fromstring(pattern.svg()).iter("{http://www.w3.org/2000/svg}path"):
        if "fill-opacity" not in path.attrib:
            continue
        shade = float(path.attrib["fill-opacity"])
        for x, y, wide, high in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-\d+z", path.attrib["d"]):
            side = int(high)
            for k in range(int(wide) // side):
                found[int(y) // side, int(x) // side + k] = shade
    return found


def pixels(png):
    """The pixels of a PNG file of shades of grey, whose checksums must be right."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, rest = {}, png[8:]
    while rest:
        (size,) = struct.unpack(">I", rest[:4])
        kind, data, check = rest[4:8], rest[8 : 8 + size], rest[8 + size : 12 + size]
        assert struct.unpack(">I", check) == (zlib.crc32(kind + data),)
        chunks[kind], rest = data, rest[12 + size :]
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:]


def pattern_of(matrix):
    return StructurePicture("f", matrix.shape, *np.nonzero(matrix))


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (7, 40), (400, 2), (5, 400)])
def test_each_nonzero_is_a_square(shape):
    matrix = np.random.default_rng(0).random(shape) < 0.3
    pattern = pattern_of(matrix)
    assert drawn(pattern) == dict.fromkeys(
        zip(*map(np.ndarray.tolist, np.nonzero(matrix)), strict=True), 1.0
    )
    side = pattern.png() and pixels(pattern.png()).shape[0] // shape[0]
    assert np.array_equal(pixels(pattern.png())[::side, ::side] < 255, matrix)


def test_squares_of_many_entries_are_shaded_by_how_many_are_nonzeros():
    matrix = np.zeros((1_001, 401), bool)  # three to a square, and fewer at the edges
    matrix[:3, :3] = True
    matrix[3, 0] = True
    matrix[999:, 399:] = True
    pattern = pattern_of(matrix)
    assert max(pattern.shades.shape) <= MAX_CELLS
    assert drawn(pattern) == {(0, 0): 1.0, (1, 0): 1 / SHADES, (333, 133): 1.0}
    assert pattern.caption == "f: 1,001 × 401, 14 nonzeros (0.0035 %), 3 × 3 to a square"


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (2, 2)])
def test_nothing_is_drawn_of_no_nonzeros(shape):
    pattern = pattern_of(np.zeros(shape))
    assert drawn(pattern) == {}
    assert (pixels(pattern.png()) == 255).all()
    assert "0 nonzeros (0 %)" in pattern.svg()


def test_kernels_draw_their_structure(tmp_path):
    f = gdc.compile(lambda x: (x[1:] * x[:-1] ** 2).sum())
    assert f.hessian.sparse._repr_svg_() is None  # it has not been called
    f.arguments.read((np.ones(4),), {})
    pattern = f.hessian.sparse.draw()
    assert pattern.caption.endswith(".hessian: 4 × 4, 9 nonzeros (56 %)")
    assert set(drawn(pattern)) == set(
        zip(*(x.tolist() for x in f.hessian.sparse.structure), strict=True)
    )
    assert set(drawn(f.hessian.sparse.lower.draw())) == {x for x in drawn(pattern) if x[0] >= x[1]}
    assert f.hessian.sparse._repr_svg_() == pattern._repr_svg_() == pattern.svg()
    assert pattern.save(tmp_path / "p.svg").read_text(encoding="utf-8") == pattern.svg()
    assert pattern.save(tmp_path / "p.png").read_bytes() == pattern.png()
    with pytest.raises(ValueError, match=r"saved as \.svg or \.png, not '\.pdf'"):
        pattern.save(tmp_path / "p.pdf")


def test_the_structure_of_several_outputs_is_that_of_a_weighted_sum():
    f = gdc.compile(lambda x, y: [x * y, gdc.sin(y)])
    rows, columns = f.hessian.sparse.structure
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 1)]
    assert "2 × 2, 3 nonzeros" in f.hessian.sparse.draw().caption
    assert "2 × 2, 2 nonzeros" in f.hessian.sparse.upper.draw().caption


def test_a_name_is_text():
    assert "<b>&amp;" not in StructurePicture("<b>&", (1, 1), *np.zeros((2, 0), int)).svg()
    assert "&lt;b&gt;&amp;:" in StructurePicture("<b>&", (1, 1), *np.zeros((2, 0), int)).svg()
