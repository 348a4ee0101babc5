"""Machine code of functions that kernels call: kept where the kernel is, and nowhere else."""

import pytest

from gradcompile.jit.cache import FunctionCache, KernelCache, keeping


@pytest.fixture
def asked(monkeypatch):
    """What reaches the cache of kernels, which reads and writes files."""
    calls = []
    monkeypatch.setattr(KernelCache, "save_overload", lambda self, *given: calls.append(given))
    monkeypatch.setattr(
        KernelCache, "load_overload", lambda self, *given: calls.append(given) or "loaded"
    )
    return calls


@pytest.mark.parametrize("keeps", [True, False])
def test_functions_are_kept_for_kernels_that_are(asked, keeps, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADCOMPILE_CACHE_DIR", str(tmp_path))
    cache = FunctionCache("sin")
    with keeping(keeps):
        cache.save_overload("sig", "data")
        loaded = cache.load_overload("sig", "context")
    assert asked == ([("sig", "data"), ("sig", "context")] if keeps else [])
    assert loaded == ("loaded" if keeps else None)


def test_afterwards_nothing_is_kept(asked):
    with keeping(True):
        pass
    FunctionCache("sin").save_overload("sig", "data")
    assert asked == []
