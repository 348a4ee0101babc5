"""Size: graphs of any depth, and an import that stays light."""

import gc
import json
import weakref

import pytest

import gradcompile as gdc
from gradcompile.compiler import programs
from gradcompile.support.collector import collector_paused

# Builds a chain, and measures what is asked of it. Every step goes through the public pipeline.
CHAIN = """
import json, math, resource, sys, time
from gradcompile import Value
from gradcompile.emit.straight import emit
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import verify_program
from gradcompile.ir.signature import flat_signature
from gradcompile.graph.lower import lower
from gradcompile.passes import run_passes
from gradcompile.autodiff.reverse import reverse

length = {length}
sys.setrecursionlimit({limit})
seconds = {{}}
last = time.process_time()

def took(step):
    global last
    now = time.process_time()  # what others do on a shared machine does not count
    seconds[step] = now - last
    last = now

x, w = Value(0.5, label="x"), Value(1.0 + 2.0**-40, label="w")
y = x
for k in range(length):
    y = {step}
took("build")
y.backward()
eager = [y.data, x.grad, w.grad]
took("backward")
program = lower([y], [x, w], ["x", "w"], "chain").program
took("lower")
both = reverse(program, [0, 1])
took("reverse")
size = len(program), len(both)
rest = {rest}
if rest:
    verify_program(both)
    both = verify_program(run_passes(both))
    value, gradient = interpret(both, [x.data, w.data])
    namespace = {{}}
    exec(compile(emit(both, flat_signature(both), "chain"), "chain.py", "exec"), namespace)
    import numpy as np
    python = namespace["chain"](np.array([x.data, w.data]))
    rest = [[value, *gradient], [float(python[0]), *map(float, python[1][0])]]
    took("rest")
    y.zero_grad()
    assert x.grad == w.grad == 0.0

def most():  # ru_maxrss would count what the process that started this one has used
    try:
        status = open("/proc/self/status").read()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

print(json.dumps({{
    "eager": eager, "size": size, "rest": rest, "seconds": seconds,
    "bytes": most(),
}}))
"""


def chain(run_python, length, step, limit=1000, rest=False):
    return json.loads(run_python(CHAIN.format(length=length, step=step, limit=limit, rest=rest)))


@pytest.mark.parametrize("length", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_chain_of_additions_needs_no_recursion(run_python, length):
    found = chain(run_python, length, "y + w", limit=120, rest=True)
    # Additions and halves are exact up to the last bits: x + length * w.
    expected = [0.5 + length * (1.0 + 2.0**-40), 1.0, float(length)]
    assert found["eager"] == pytest.approx(expected, rel=1e-10)
    for result in found["rest"]:
        assert result == pytest.approx(expected, rel=1e-10)
    assert found["size"][0] == length


@pytest.mark.slow
@pytest.mark.parametrize("length", [2_000, 20_000])
def test_a_chain_of_products_needs_no_recursion(run_python, length):
    found = chain(run_python, length, "y * w", limit=120, rest=True)
    w = 1.0 + 2.0**-40
    expected = [0.5 * w**length, w**length, 0.5 * length * w ** (length - 1)]
    assert found["eager"] == pytest.approx(expected, rel=1e-10)
    for result in found["rest"]:
        assert result == pytest.approx(found["eager"], rel=1e-10)
    assert found["size"][1] > 2 * length


@pytest.mark.slow
@pytest.mark.parametrize("step", ["y + w", "y + 1.0"])
def test_a_chain_of_a_million_additions(run_python, step):
    length = 1_000_000
    found = chain(run_python, length, step)
    slope = length if "w" in step else 0
    assert found["eager"][1:] == [1.0, slope]
    assert found["eager"][0] == pytest.approx(0.5 + length, rel=1e-10)
    assert found["size"][0] == length
    seconds = {name: round(time, 1) for name, time in found["seconds"].items()}
    print(f"\n1,000,000 × `{step}`: {seconds} s, {found['bytes'] / 2**30:.2f} GiB at most")
    assert sum(found["seconds"].values()) < 60.0
    assert found["bytes"] < 4 * 10**9


# --- the import ----------------------------------------------------------------------------------

HEAVY = ("numba", "llvmlite", "sympy", "mpmath", "graphviz", "rich", "pygments")

IMPORT = f"""
import json, sys, time
start = time.thread_time()  # without what others do on a shared machine
import gradcompile as gdc
seconds = time.thread_time() - start
heavy = [name for name in {HEAVY} if name in sys.modules]
v = gdc.Value(2.0, label="v")
(v * 3 + 1).tanh().backward()
f = gdc.compile(lambda x: gdc.exp(x) * x)
f.source
heavy_after = [name for name in {HEAVY} if name in sys.modules]
print(json.dumps([seconds, heavy, heavy_after]))
"""


def test_the_import_is_light(run_python):
    _, heavy, heavy_after = json.loads(run_python(IMPORT))
    assert heavy == []
    assert heavy_after == []  # neither eager values nor emitted source need them


@pytest.mark.slow
def test_the_import_is_fast(run_python):
    fastest = min(json.loads(run_python(IMPORT))[0] for _ in range(5))
    print(f"\nimport gradcompile: {fastest:.3f} s")
    assert fastest < 0.2


# --- the garbage collector -----------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_paused_and_left_as_it_was(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with collector_paused(), collector_paused():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
        with pytest.raises(ZeroDivisionError), collector_paused():
            1 / 0  # noqa: B018
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_a_build_pauses_the_collector(monkeypatch):
    enabled = []
    monkeypatch.setattr(programs, "run_passes", lambda p, **_: enabled.append(gc.isenabled()) or p)
    assert gdc.compile(lambda x: x * x).source
    assert enabled == [False, False]


def test_a_traced_graph_is_gone_without_the_collector():
    made = []

    def f(x, y):
        product = x * y
        made.append(weakref.ref(product))
        return {"product": [product]}

    with collector_paused():
        gdc.compile(f).arguments.read((1.0, 2.0), {})
        assert made[0]() is None
