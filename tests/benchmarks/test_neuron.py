"""The neuron's value and gradient: what one call costs, beside jax in the same run."""

import inspect
import math
import os
import time
import warnings

import numpy as np
import pytest

import gradcompile as gdc
from tests.benchmarks.timing import collector_off, medians

POINT = (2.0, 0.0, -3.0, 1.0, 6.8813735870195432)
VALUE = math.sqrt(0.5)
SLOPES = [-1.5, 0.5, 1.0, 0.0, 0.5]

FRIENDLY = 3e-6
DISPATCHER = 0.8e-6
TIMES_JAX = 5.0
COLD_START = 1.2


def neuron(x1, x2, w1, w2, b):
    return gdc.tanh(x1 * w1 + x2 * w2 + b)


@pytest.fixture
def jax():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its import, which is not ours to judge
        jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


@pytest.mark.peers
@pytest.mark.slow
def test_one_call_of_the_neuron(jax):
    kernel = gdc.compile(neuron).value_and_grad
    kernel(*POINT)
    flat = np.array(POINT)
    dispatcher, emitted = kernel.dispatcher, inspect.unwrap(kernel.python)
    by_jax = jax.jit(
        jax.value_and_grad(
            lambda x1, x2, w1, w2, b: jax.numpy.tanh(x1 * w1 + x2 * w2 + b), range(5)
        )
    )
    arrays = [jax.numpy.asarray(x, dtype="float64") for x in POINT]

    def ready(*args):
        return jax.block_until_ready(by_jax(*args))

    candidates = {
        "friendly": (kernel, POINT, 200),
        "dispatcher": (dispatcher, (flat,), 400),
        "njit": (kernel.njit, POINT, 400),
        "emitted Python": (emitted, POINT, 200),
        "jax.jit": (ready, arrays, 40),
        "jax.jit, of floats": (ready, POINT, 40),
    }
    for name, (function, args, _) in candidates.items():
        value, slopes = function(*args)
        assert float(value) == pytest.approx(VALUE, rel=1e-12), name
        assert [float(x) for x in slopes] == pytest.approx(SLOPES, rel=1e-12, abs=1e-15), name

    with collector_off():
        found = medians(candidates)
    print("\nneuron, value and gradient by 5 inputs")
    for name, time_ in found.items():
        ratio = time_ / found["friendly"]
        print(f"  {name:20} {time_ * 1e6:7.2f} µs   {ratio:6.2f} × friendly")

    assert found["friendly"] <= FRIENDLY
    assert found["dispatcher"] <= DISPATCHER
    # Of jax's two ways to be called, the faster one.
    jax_time = min(found["jax.jit"], found["jax.jit, of floats"])
    assert jax_time / found["friendly"] >= TIMES_JAX


COLD = f"""
import gradcompile as gdc
f = gdc.compile(lambda x1, x2, w1, w2, b: gdc.tanh(x1 * w1 + x2 * w2 + b), name="neuron")
value, grads = f.value_and_grad{POINT}
import time
hits = sum(f.value_and_grad.njit.stats.cache_hits.values())
print(value, hits, time.process_time(), flush=True)
"""


@pytest.mark.slow
def test_from_a_cold_start_to_the_first_gradient(new_process, tmp_path):
    walls, cpus = [], []
    for attempt in range(4):
        start = time.perf_counter()
        process = new_process(COLD, GRADCOMPILE_CACHE_DIR=str(tmp_path / "cache"))
        value, hits, cpu = process.stdout.readline().split()
        walls.append(time.perf_counter() - start)
        cpus.append(float(cpu))
        assert float(value) == pytest.approx(VALUE, rel=1e-12)
        assert int(hits) == (attempt > 0)
        process.communicate()
    warm, warm_cpu = min(walls[1:]), min(cpus[1:])
    print(f"\ncold cache {walls[0]:.2f} s; warm {warm:.2f} s, of it {warm_cpu:.2f} s computing")
    # Where more processes run than there are cores, the clock measures them.
    busy = hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1)
    assert (warm_cpu if busy else warm) < COLD_START
