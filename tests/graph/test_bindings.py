"""Traced values know the variables that they are bound to."""

import functools
import inspect
import sys
import textwrap
import threading

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.compiler.code import key
from gradcompile.graph import bindings
from gradcompile.graph.nested import flatten
from gradcompile.graph.trace import trace_function, trace_graph
from gradcompile.graph.value import Value
from gradcompile.passes import run_passes


class Box:
    """Something with attributes."""


def lowered_from(function, *args):
    """What `function` is traced to for these arguments."""
    call = inspect.signature(function).bind(*args)
    structures = {name: flatten(x)[1] for name, x in call.arguments.items()}
    return trace_function(function, "f", call, structures).lowered


def names_in(function, *args):
    """For each instruction its operation, and behind a colon the variable."""
    program = lowered_from(function, *args).program
    pairs = [(op.name, program.bound.get(result, "")) for result, op, *_ in program.instructions]
    return [f"{operation}:{name}".rstrip(":") for operation, name in pairs]


def function_of(source):
    """A function whose source text no file holds."""
    names = {"gdc": gdc, "np": np, "functools": functools, "Box": Box}
    exec(textwrap.dedent(source), names)
    return names["f"]


X = [1.0, 2.0]
SQUARE = np.ones((2, 2))

CASES = {
    "assignment": ("t = x[0] * x[1]; return t + 1", (X,), "mul:t add"),
    "inner values": ("t = x[0] * x[1] + x[0]; return t", (X,), "mul add:t"),
    "second name": ("t = x[0] * 2; u = t; return u", (X,), "mul:t"),
    "rebound": ("t = x[0] * 2; t = t + 1; return t", (X,), "mul:t add:t"),
    "chained": ("a = b = x[0] * 2; return a + b", (X,), "mul:a add"),
    "annotated": ("a: float = x[0] * 2; return -a", (X,), "mul:a neg"),
    "walrus": ("return (a := x[0] * 2) + a", (X,), "mul:a add"),
    "walrus in a call": ("return gdc.exp(a := x[0] * 2)", (X,), "mul:a exp"),
    "augmented": ("t = x[0] * 2; t += x[1]; return t", (X,), "mul:t add:t"),
    "loop": ("t = 0.0\nfor v in x: t += v * v\nreturn t", (X,), "mul add:t mul add:t"),
    "conditional": ("t = x[0] * 2 if len(x) else x[1]; return -t", (X,), "mul:t neg"),
    "two": ("a, b = x[0] * 2, x[1] * 3; return a + b", (X,), "mul:a mul:b add"),
    "four": (
        "a, b, c, d = x[0] * 2, x[0] * 3, x[0] * 4, -x[0]; return a + b + c + d",
        (X,),
        "mul:a mul:b add mul:c add neg:d add",
    ),
    "list": ("h = [x[0] * 2, -x[1]]; return h[0] + h[1]", (X,), "mul:h neg:h add"),
    "comprehension": ("h = [gdc.tanh(v) for v in x]; return h", (X,), "tanh:h tanh:h"),
    "filtered": ("h = [-v for v in x if len(x)]; return h", (X,), "neg:h neg:h"),
    "nested": ("h = [[v * w for w in (2, 3)] for v in x]; return h", (X,), "mul:h " * 4),
    "two loops": ("h = [v * w for w in (2, 3) for v in x]; return h", (X,), "mul:h " * 4),
    "dict": ("h = {k: -v for k, v in enumerate(x)}; return h[0]", (X,), "neg:h"),
    "generator": ("h = list(-v for v in x); return h", (X,), "neg:h neg:h"),
    "array of a comprehension": ("h = np.array([-v for v in x]); return h", (X,), "neg:h neg:h"),
    "sum": ("t = sum(v * v for v in x); return t", (X,), "mul add mul add:t"),
    "sum of an array": ("t = np.array(x).sum(); return t", (X,), "add:t"),
    "reduce": (
        "t = functools.reduce(lambda a, b: a * b, [*x, *x]); return t",
        (X,),
        "mul mul mul:t",
    ),
    "reduce by an operation": ("t = functools.reduce(gdc.hypot, x); return t", (X,), "hypot:t"),
    "map": ("h = list(map(lambda v: v * 2, x)); return h", (X,), "mul:h mul:h"),
    "for over map": ("for v in map(lambda v: v * 2, x): pass\nreturn v", (X,), "mul:v"),
    "subscript": ("h = [0, 0]; h[1] = x[0] * 2; return h[1]", (X,), "mul:h"),
    "subscripts": ("h = [[0, 0]]; h[0][1] = x[0] * 2; return h[0][1]", (X,), "mul:h"),
    "array subscript": ("h = np.zeros((1, 2), object); h[0, 1] = -x[0]; return h[0, 1]",
                        (X,), "neg:h"),
    "augmented subscript": ("h = [1.0]; h[0] += x[0]; return h[0]", (X,), "add:h"),
    "attribute": ("n = Box(); n.score = x[0] * 2; return n.score", (X,), "mul:score"),
    "augmented attribute": ("n = Box(); n.s = 1.0; n.s += x[0]; return n.s", (X,), "add:s"),
    "append": ("h = []; h.append(gdc.tanh(x[0])); return h", (X,), "tanh:h"),
    "append to an attribute": ("n = Box(); n.h = []; n.h.append(-x[0]); return n.h", (X,), "neg:h"),
    "append to an item": ("h = [[]]; h[0].append(-x[0]); return h[0]", (X,), "neg:h"),
    "append a row": ("h = []; h.append([-v for v in x]); return h[0]", (X,), "neg:h neg:h"),
    "helper": ("def g(v): return v * 2\nh = g(x[0]); return h", (X,), "mul:h"),
    "helper with its own name": (
        "def g(v):\n  t = v * 2\n  return t\nh = g(x[0]); return h", (X,), "mul:t",
    ),
    "helper again and again": (
        "def g(t, v): return t + v\nt = 0.0\nfor v in x: t = g(t, v)\nreturn t",
        (X,), "add:t add:t",
    ),
    "helper of lists": (
        "def g(xs): return [-v for v in xs]\nh = g(x); h = g(h); return h", (X,), "neg:h " * 4,
    ),
    "helper of two": (
        "def g(v): return v * 2, v * 3\na, b = g(x[0]); return a + b", (X,), "mul:a mul:b add",
    ),
    "lambda": ("g = lambda v: v * 2\nh = g(x[0]); return h", (X,), "mul:h"),
    "wrapped": (
        "def twice(g):\n  @functools.wraps(g)\n  def w(*a, **k): return g(*a, **k)\n  return w\n"
        "@twice\ndef g(v): return v * 2\nh = g(x[0]); return h", (X,), "mul:h",
    ),
    "method": (
        "class A:\n  def __call__(self, v): return v * 2\n"
        "  @property\n  def p(self): return -x[0]\n"
        "h = A()(x[0]); q = A().p; return h + q", (X,), "mul:h neg:q add",
    ),
    "generator function": ("def g():\n  yield -x[0]\nfor v in g(): pass\nreturn v", (X,), "neg:v"),
    "closure": ("def g():\n  nonlocal t\n  t = x[0] * 2\nt = 0\ng()\nreturn -t", (X,), "mul:t neg"),
    "global": ("global t_bound\nt_bound = x[0] * 2\nreturn -t_bound", (X,), "mul:t_bound neg"),
    "ufunc": ("h = np.tanh(x @ x + x); return h", (np.ones(2),),
              "mul mul add add tanh:h add tanh:h"),
    "product": ("s = x @ x; s = s * 2; return s", (np.ones(2),), "mul mul add:s mul:s"),
    "products": ("h = x[0]; h = x @ h; h = x @ h; return h", (SQUARE,), None),
    "composite": ("m = gdc.mean(x); return m", (X,), "add div:m"),
    "composite of several": ("p = gdc.softmax(x); return p[0]", (X,), None),
    "no names": ("_ = x[0] * 2; __ = -_; self = __ * 3; return self", (X,), "mul neg mul"),
    "dunder": ("__a__ = x[0] * 2; return __a__", (X,), "mul"),
    "argument": ("return gdc.exp(x[0] * 2)", (X,), "mul exp"),
    "dict display": ("d = {'a': x[0] * 2}; return d['a']", (X,), "mul"),
}  # fmt: skip
"""The body of `def f(x)`, its argument, and the operations with the names that they have."""


@pytest.mark.parametrize("case", [name for name, (_, _, names) in CASES.items() if names])
def test_values_have_the_names_of_variables(case):
    body, args, names = CASES[case]
    f = function_of("def f(x):\n" + textwrap.indent(body, "    "))
    assert names_in(f, *args) == names.split()


def test_products_name_sums_alone():
    body, args, _ = CASES["products"]
    f = function_of("def f(x):\n" + textwrap.indent(body, "    "))
    assert names_in(f, *args).count("add:h") == 4
    assert set(names_in(f, *args)) == {"add:h", "mul"}


def test_composites_name_what_is_left():
    body, args, _ = CASES["composite of several"]
    f = function_of("def f(x):\n" + textwrap.indent(body, "    "))
    named = [x for x in names_in(f, *args) if ":" in x]
    assert named == ["div:p"]


def test_no_name_comes_from_outside_of_the_trace():
    def f(x):
        return x * 2

    value = lowered_from(f, 1.0)
    assert not value.bound


def test_code_of_any_size_is_followed():
    lines = [f"v{k} = x * {k}.5" for k in range(400)]  # indices above 255 have a prefix
    body = "; ".join(lines) + "; return v0 + v399"
    assert names_in(function_of(f"def f(x): {body}"), 1.0) == ["mul:v0", "mul:v399", "add"]


def test_graphs_have_none():
    x = Value(2.0, label="x")
    y = x * 2
    assert not trace_graph(y, [x], "f").lowered.bound


def test_unknown_instructions_give_no_name(monkeypatch):
    def f(x):
        t = x * 2
        return t

    code = f.__code__
    unknown = code.replace(co_code=code.co_code)  # as another version might have compiled it
    g = type(f)(unknown, globals())
    monkeypatch.setattr("gradcompile.graph.bytecode._HANDLERS", {})
    assert names_in(g, 1.0) == ["mul"]


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(bindings, "MAX_SITES", 8)
    for k in range(40):
        assert names_in(function_of(f"def f(x): t{k} = x * 2; return t{k}"), 1.0) == [f"mul:t{k}"]
    assert len(bindings._sites) <= 8
    assert len(bindings.KNOWN) <= 8


def test_frames_are_let_go():
    def f(x):
        return gdc.tanh(gdc.mean([x, x * 2]))

    lowered_from(f, 1.0)
    assert bindings._last == [(None, "")]


def test_threads_find_their_own_names():
    sources = [f"def f(x):\n    v{k} = gdc.mean([x, x])\n    return v{k}" for k in range(8)]
    functions = [function_of(source) for source in sources]
    found, barrier = {}, threading.Barrier(len(functions))

    def work(k):
        barrier.wait()
        found[k] = {tuple(names_in(functions[k], 1.0)) for _ in range(50)}

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(k,)) for k in range(len(functions))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert found == {k: {("add", f"div:v{k}")} for k in range(len(functions))}


def test_domains_name_lines_as_before():
    @gdc.compile(check_domain=True)
    def f(x):
        t = gdc.log(x - 1.0)
        return t * 2

    with pytest.raises(FloatingPointError, match=r"t = gdc\.log\(x - 1\.0\)"):
        f(0.5)


def test_passes_keep_names():
    def f(x, y):
        s = x * y
        t = (y * x) * 1.0
        u = gdc.exp(s) / gdc.exp(t)
        return u + s

    program = lowered_from(f, 1.0, 2.0).program
    assert sorted(program.bound.values()) == ["s", "t", "u"]
    after = run_passes(program)
    left = [after.bound.get(result) for result, *_ in after.instructions]
    assert left[0] == "s"  # s and t are one value: the first name stays
    assert "t" not in left


def test_a_name_goes_to_the_value_that_takes_over():
    def f(x, y):
        h = (x * y) * 1.0
        g = gdc.tanh(x * y)
        return h + g

    after = run_passes(lowered_from(f, 1.0, 2.0).program)
    names = {op.name: after.bound.get(result) for result, op, *_ in after.instructions}
    assert names == {"mul": "h", "tanh": "g", "add": None}


def test_names_are_part_of_the_key():
    def digest(name):
        return key(lowered_from(function_of(f"def f(x): {name} = x * 2; return {name}"), 1.0), "")

    assert digest("a") == digest("a") != digest("b")
