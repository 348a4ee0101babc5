"""Dense Jacobians and Hessians that no memory would hold: refused before the work, with figures."""

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.compiler import derivatives


def chain(x):
    return sum(a * b for a, b in zip(x[1:], x, strict=False))


MANY = np.ones(20_000)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda f: f.hessian(MANY), "hessian"),
        (lambda f: f.hessian.flat(MANY), "hessian"),
        (lambda f: f.value_grad_and_hessian(MANY), "hessian"),
        (lambda f: f.jacobian.verify(), "jacobian"),
        (lambda f: f.value_and_jacobian(MANY), "jacobian"),
    ],
)
def test_entries_beyond_memory_are_refused_with_the_figures(monkeypatch, call, named):
    monkeypatch.setattr(derivatives, "present_memory", lambda: 1e9)
    shapes = {"hessian": "20,000 × 20,000", "jacobian": "60,001 × 20,000"}

    @gdc.compile
    def big(x):
        return chain(x) if named == "hessian" else [x, x, x, 1.0]

    big.arguments.read((MANY,), {})  # traces it
    with pytest.raises(MemoryError) as caught:
        call(big)
    text = str(caught.value)
    gigabytes = {"hessian": "120.0 GB", "jacobian": "360.0 GB"}[named]
    for part in (f"big has {shapes[named]} entries", gigabytes, "has 1.0 GB", f"{named}.sparse"):
        assert part in text


def test_a_matrix_of_zeros_takes_little_and_a_full_one_much(monkeypatch):
    monkeypatch.setattr(derivatives, "present_memory", lambda: 1e6)
    x = np.linspace(0.1, 1.0, 30)
    banded, full = gdc.compile(chain), gdc.compile(lambda x: chain(x) ** 2)
    for f in (banded, full):
        f.arguments.read((x,), {})  # traces it
    assert np.count_nonzero(banded.hessian.python(x)) == 58
    with pytest.raises(MemoryError, match=r"30 × 30 entries \(900 are not zero\).* 0\.0 GB"):
        full.hessian(x)


def test_a_sparse_matrix_of_that_size_is_not_refused():
    x = np.linspace(0.0, 1.0, 100_000)
    f = gdc.compile(lambda x: 2.0 * x[:3])
    f.arguments.read((x,), {})
    rows, columns = f.jacobian.sparse.structure
    assert rows.tolist() == columns.tolist() == [0, 1, 2]
