"""Every kernel is open in the same way: text, program, machine code, vectors, checks, caches."""

import itertools
import threading

import numba
import numpy as np
import pytest

import gradcompile as gdc
from tests.helpers.flat import by_text
from tests.helpers.kernels import vector

KERNELS = (
    "jvp", "vjp", "jacobian", "value_and_jacobian", "hessian", "value_grad_and_hessian", "hvp",
    "grad_and_hvp", "hessian_diagonal", "jacobian.sparse", "hessian.sparse", "hessian.sparse.lower",
    "hessian.sparse.upper.values", "hessian.weighted", "value_grad_and_hessian.weighted",
)  # fmt: skip

DIRECTIONS = {"jvp": (0.5, -1.0), "hvp": (0.5, -1.0), "grad_and_hvp": (0.5, -1.0), "vjp": 2.0}
AT = (0.5, 1.5)


def smooth(x, y):
    return x * gdc.exp(x * y) + gdc.sin(y)


def kernel_of(f, path):
    for name in path.split("."):
        f = getattr(f, name)
    return f


def direction_of(path):
    return 2.0 if path.endswith("weighted") else DIRECTIONS.get(path)


def inputs(path):
    """All that the emitted function takes."""
    direction = direction_of(path)
    return [*AT, *np.ravel([] if direction is None else direction).tolist()]


def numbers(result):
    return result.data if hasattr(result, "data") and hasattr(result, "nnz") else vector(result)


@pytest.fixture(scope="module")
def f():
    return gdc.compile(smooth)


@pytest.mark.parametrize("path", KERNELS)
def test_text_program_and_interpreter_say_the_same(f, path):
    kernel = kernel_of(f, path)
    assert f"def smooth_{kernel._kind.name}(x, y" in kernel.source
    module = {}
    exec(compile(kernel.source, "<emitted>", "exec"), module)
    by_source = module[f"smooth_{kernel._kind.name}"](*inputs(path))
    by_python = kernel.python(*inputs(path))
    checked = gdc.compile(smooth, check_domain=True)
    direction = direction_of(path)
    call = kernel_of(checked, path)
    interpreted = call(*AT) if direction is None else call(AT, direction)
    for result in (by_source, by_python):
        np.testing.assert_allclose(vector(result), numbers(interpreted), 1e-13, 1e-15)
    assert len(kernel.program) > 0


@pytest.mark.parametrize("path", ["jvp", "hessian.sparse", "value_grad_and_hessian"])
def test_check_domain_names_the_line_that_left_it(path):
    f = gdc.compile(lambda x, y: gdc.sqrt(x) * y, check_domain=True)
    direction = DIRECTIONS.get(path)
    with pytest.raises(FloatingPointError, match="sqrt"):
        kernel_of(f, path)(-1.0, 2.0) if direction is None else f.jvp((-1.0, 2.0), direction)


@pytest.mark.parametrize("path", ["jvp", "hessian", "hessian.sparse"])
def test_machine_code_is_called_from_machine_code(f, path):
    kernel = kernel_of(f, path)
    direction = direction_of(path)
    expected = numbers(kernel(*AT) if direction is None else kernel(AT, direction))

    @numba.njit
    def through(dispatcher, point):
        return dispatcher(point)

    given = through(kernel.dispatcher, np.array(inputs(path)))
    np.testing.assert_allclose(vector(given), expected, 1e-13)
    by_parameters = kernel.njit(*inputs(path))
    np.testing.assert_allclose(vector(by_parameters), expected, 1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("path", KERNELS)
def test_dispatchers_take_one_flat_array(f, path):
    kernel = kernel_of(f, path)
    given = kernel.dispatcher(np.array(inputs(path)))
    np.testing.assert_allclose(vector(given), vector(kernel.python(*inputs(path))), 1e-13)


def test_results_are_put_into_an_array_of_the_caller(f):
    f.hessian(*AT)
    x = np.array(AT)
    expected = f.hessian.flat(x)
    out = np.empty((2, 2))
    assert f.hessian.flat(x, out=out) is out
    assert np.array_equal(out, expected)
    part = np.zeros((2, 4))[:, ::2]  # no rows in one piece
    assert f.hessian.flat(x, out=part) is part
    assert np.array_equal(part, expected)
    value, gradient = f.vjp.flat(x, [2.0], out=(held := np.empty(2)))
    assert gradient is held
    assert value == f(*AT)


def test_sparse_matrices_share_their_index_arrays(f):
    one, other = f.hessian.sparse(*AT), f.hessian.sparse(1.0, 2.0)
    assert np.shares_memory(one.indices, other.indices)
    assert np.shares_memory(one.indptr, other.indptr)
    with pytest.raises(ValueError, match="read-only"):
        one.indices[0] = 5
    assert (one + other).nnz == one.nnz  # arithmetic makes arrays of its own
    rows, columns = f.hessian.sparse.structure
    rows[0] = 7  # a copy
    assert f.hessian.sparse.structure[0][0] == 0
    assert one.has_sorted_indices
    assert len(columns) == one.nnz


@pytest.mark.parametrize("path", KERNELS)
def test_every_kernel_is_proved(f, path):
    report = kernel_of(f, path).verify()
    assert report.ok
    assert {x.verdict for x in report.derivatives} == {"proved"}


def test_modes_make_other_texts_and_the_same_numbers():
    def three(x, y):
        return [gdc.sin(x * y) * x, gdc.exp(x - y), x * y**2]

    texts = set()
    for mode in ("forward", "reverse", "auto"):
        kernel = gdc.compile(three, mode=mode).jacobian
        found = by_text(kernel, AT, {})
        np.testing.assert_allclose(found[2], (AT[1] ** 2, 2 * AT[0] * AT[1]), 1e-14)
        texts.add(kernel.source)
    assert len(texts) == 2  # auto is one of both


def test_threads_may_ask_for_a_kernel_at_the_same_time():
    f = gdc.compile(smooth)
    results, start = [], threading.Barrier(4)

    def work(path):
        start.wait()
        results.append((path, f.hessian(*AT) if path == "hessian" else f.jvp(AT, AT)))

    threads = [threading.Thread(target=work, args=(path,)) for path in ["hessian", "jvp"] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for (path, one), (other_path, other) in itertools.combinations(results, 2):
        assert path != other_path or one == other


CODE = """
import numpy as np, gradcompile as gdc
f = gdc.compile(lambda x: (x[1:] * x[:-1] ** 2).sum(), name="kept")
print(f.hessian.sparse(np.arange(3.0)).toarray().tolist(), f.jvp((np.ones(3),), (np.ones(3),)))
"""


@pytest.mark.slow
def test_another_process_finds_text_and_machine_code(run_python, tmp_path):
    cache = {"GRADCOMPILE_CACHE_DIR": str(tmp_path)}
    first = run_python(CODE, **cache)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert run_python(CODE, **cache) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == made
