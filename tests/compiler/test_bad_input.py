"""Bad input: a clear error that says where and what to do, and nothing lost."""

import ast
import functools
import inspect
import itertools
import keyword
import math
import statistics
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import TraceError, Value
from gradcompile.ir.interpret import interpret
from gradcompile.ops.table import TABLE
from tests.helpers.flat import of_flat, signature_of
from tests.helpers.slow import slow_but

# --- what a trace cannot follow ------------------------------------------------------------------


def branch_if(x, y):
    if x > 0:  # stops here
        return x
    return y


def branch_while(x, y):
    while x < y:  # stops here
        x = x + 1
    return x


def branch_expression(x, y):
    return x if x > y else y  # stops here


def branch_not(x, y):
    return x * (not y)  # stops here


def branch_and(x, y):
    return x and y  # stops here


def branch_bool(x, y):
    return x * bool(y)  # stops here


def branch_max(x, y):
    return max([x, y])  # stops here


def branch_min(x, y):
    return min(x, y)  # stops here


def branch_sorted(x, y):
    return sorted([x, y])[0]  # stops here


def branch_equal(x, y):
    return x if x == y else y  # stops here


def branch_in(x, y):
    return x * (y in [x])  # stops here


def branch_abs(x, y):
    return x + abs(y) if abs(y) else x  # stops here


def branch_numpy_max(x, y):
    return np.max([x, y])  # stops here


def branch_in_a_called_function(x, y):
    return branch_inner(x) + y


def branch_inner(x):
    return x if x else -x  # stops here


BRANCHES = [
    branch_if, branch_while, branch_expression, branch_not, branch_and, branch_bool, branch_max,
    branch_min, branch_sorted, branch_equal, branch_in, branch_abs, branch_numpy_max,
    branch_in_a_called_function,
]  # fmt: skip


def number_float(x, y):
    return x * float(y)  # stops here


def number_int(x, y):
    return x * int(y)  # stops here


def number_math(x, y):
    return x * math.exp(y)  # stops here


def number_range(x, y):
    return sum(x for _ in range(y))  # stops here


def number_index(x, y):
    return [1.0, 2.0][y] * x  # stops here


def number_statistics(x, y):
    return statistics.fmean([x, y])  # stops here


def number_array(x, y):
    return np.array([x, y], dtype=float).sum()  # stops here


NUMBERS = [
    number_float, number_int, number_math, number_range, number_index,
    number_statistics, number_array,
]  # fmt: skip


def attribute_data(x, y):
    return x * y.data  # stops here


def attribute_grad(x, y):
    return x * y.grad  # stops here


def attribute_backward(x, y):
    z = x * y
    z.backward()  # stops here
    return z


ATTRIBUTES = [attribute_data, attribute_grad, attribute_backward]


def place(function):
    """`file, line N` of the line that is marked in the function, or in the one it calls."""
    lines, first = inspect.getsourcelines(function)
    marked = [first + i for i, line in enumerate(lines) if line.rstrip().endswith("# stops here")]
    return f"{__file__}, line {marked[0]}" if marked else place(branch_inner)


def error_of(function, *args):
    with pytest.raises(TraceError) as caught:
        gdc.compile(function)(*args)
    return str(caught.value)


BY_IDENTITY = [branch_equal, branch_in]
"""Eager values are equal if they are the same one."""


@pytest.mark.parametrize("function", [f for f in BRANCHES if f not in BY_IDENTITY])
def test_a_branch_on_an_eager_value_is_refused(function):
    with pytest.raises(TypeError, match="where"):
        function(Value(1.0), Value(2.0))


@pytest.mark.parametrize("function", NUMBERS)
def test_the_number_of_a_traced_value_is_refused(function):
    message = error_of(function, 1.0, 2.0)
    assert place(function) in message
    assert "no number yet" in message or "cannot be a count, an index or an int" in message
    assert "gdc." in message


@pytest.mark.parametrize("function", ATTRIBUTES)
def test_what_a_traced_value_does_not_have(function):
    message = error_of(function, 1.0, 2.0)
    assert place(function) in message
    assert function.__name__.removeprefix("attribute_") in message


def test_a_users_file_beside_the_package_is_a_users_file(tmp_path):
    # Its path starts with the same characters as the package's.
    filename = inspect.getfile(gdc).removesuffix("/__init__.py") + "_of_a_user.py"
    namespace = {}
    exec(compile("def f(x):\n    return float(x)\n", filename, "exec"), namespace)
    assert f"{filename}, line 2" in error_of(namespace["f"], 1.0)


def test_nothing_is_frozen_after_a_refused_trace():
    strict = [True]

    def f(x):
        return x * 2.0 if not strict[0] else x * float(x > 0)

    compiled = gdc.compile(f)
    with pytest.raises(TraceError):
        compiled(1.0)
    strict[0] = False
    assert compiled(4.0) == 8.0


OUTER = Value(3.0, label="outer")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: None, "nothing"),
        (lambda x: "text", "str 'text'"),
        (lambda x: [], "[]"),
        (lambda x: {}, "{}"),
        (lambda x: OUTER * 2.0, "Value"),
        (lambda x: print, "print"),
        (lambda x: (x for _ in range(2)), "generator"),
    ],
)
def test_a_result_that_is_not_built_from_the_inputs(function, says):
    def named(x):
        return function(x)

    message = error_of(named, 1.0)
    assert message.startswith("named returned")
    assert says in message


def test_a_result_that_is_an_input_or_ignores_one():
    assert gdc.compile(lambda x, y: y).value_and_grad(3.0, 4.0) == (4.0, (0.0, 1.0))
    assert gdc.compile(lambda x: x + OUTER)(1.0) == 4.0


# --- inputs= and wrt= ----------------------------------------------------------------------------


@pytest.fixture
def graph():
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    L = a * b + a
    L.label = "L"
    return a, b, L


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (lambda a, b: [a, Value(1.0, label="stranger")], "'stranger'"),
        (lambda a, b: [a, Value(1.0)], "'x1'"),
        (lambda a, b: {"p": a, "q": Value(1.0)}, "'q'"),
        (lambda a, b: {"p": a, "q": [Value(2.0), [Value(1.0)]]}, "'q0'"),
        (lambda a, b: [a, a], "'a' is given twice"),
        (lambda a, b: {"p": a, "q": a}, "'a' is given twice"),
        (lambda a, b: {"p": [a, b], "q": (b,)}, "'b' is given twice"),
    ],
)
def test_inputs_that_name_the_wrong_values(graph, inputs, says):
    a, b, L = graph
    with pytest.raises(ValueError, match="inputs") as caught:
        gdc.compile(L, inputs=inputs(a, b))
    assert says in str(caught.value)


@pytest.mark.parametrize("inputs", [[2.0], ["a"], {"p": [None]}, {"p": "a"}, [{"k": object()}]])
def test_inputs_that_are_no_values(graph, inputs):
    with pytest.raises(TypeError, match=r"inputs: .*got"):
        gdc.compile(graph[-1], inputs=inputs)


def test_a_graph_without_labels_needs_inputs():
    with pytest.raises(ValueError, match="inputs="):
        gdc.compile(Value(1.0) * Value(2.0))


def test_inputs_are_for_graphs():
    with pytest.raises(TypeError, match="inputs="):
        gdc.compile(lambda x: x, inputs=[Value(1.0)])


@pytest.mark.parametrize("wrt", ["q", ["a", "q"], ("",)])
def test_wrt_that_names_no_argument(graph, wrt):
    with pytest.raises(ValueError, match=r"wrt: '.*' is not an argument; the arguments are \['a'"):
        gdc.compile(graph[-1], wrt=wrt)


@pytest.mark.parametrize("target", [3, "x * y", [1.0], 2.5])
def test_a_target_that_is_neither_function_nor_graph(target):
    with pytest.raises(TypeError, match=type(target).__name__):
        gdc.compile(target)


# --- calls ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scale():
    def scale(a, b):
        return a * b

    return gdc.compile(scale)


@pytest.fixture(scope="module")
def scale_graph():
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    return gdc.compile(a * b, name="scale")


@pytest.fixture(scope="module")
def nested():
    w, b = [Value(2.0), Value(3.0)], Value(4.0)
    return gdc.compile(w[0] * w[1] + b, inputs={"p": {"w": w, "b": b}}, name="nested")


CALLS = {
    "too few": ((1.0,), {}, TypeError, "'b'"),
    "none": ((), {}, TypeError, "'a'"),
    "too many": ((1.0, 2.0, 3.0), {}, TypeError, "3 positional"),
    "unknown name": ((1.0,), {"q": 2.0}, TypeError, "q"),
    "twice": ((1.0, 2.0), {"a": 2.0}, TypeError, "'a'"),
    "complex": ((1.0, 2j), {}, TypeError, "got complex"),
    "set": ((1.0, {2.0}), {}, TypeError, "got set"),
    "complex array": ((1.0, np.array([1j])), {}, TypeError, "complex128"),
    "text array": ((1.0, np.array(["x"])), {}, TypeError, "dtype"),
    "text inside": ((1.0, [2.0, "x"]), {}, TypeError, "'b'"),
}


@pytest.mark.parametrize("bad", ["1.0", None, True])
def test_a_graph_takes_numbers_alone(scale_graph, bad):
    with pytest.raises(TypeError, match=f"scale: argument 'a': expected .*{type(bad).__name__}"):
        scale_graph(bad, 2.0)


@pytest.mark.parametrize("bad", ["1.0", None])
def test_what_is_static_instead_of_a_number_is_named(scale, bad):
    with pytest.raises(TypeError) as caught:
        scale.grad(bad, 2.0)
    assert caught.value.__notes__ == [f"scale was traced with what is static: a = {bad!r}"]


@pytest.mark.parametrize("bad", ["1.0", None, True, print])
def test_a_call_without_a_number(bad):
    f = gdc.compile(lambda x: x * x, name="f")
    with pytest.raises(TypeError, match=r"f: argument 'x': expected numbers, as no other .* got"):
        f(bad)


@pytest.mark.parametrize("kernel", ["value", "grad", "value_and_grad"])
@pytest.mark.parametrize("case", CALLS)
@pytest.mark.parametrize("of", ["scale", "scale_graph"])
def test_wrong_arguments(request, of, case, kernel):
    function = request.getfixturevalue(of)
    args, kwargs, error, says = CALLS[case]
    with pytest.raises(error) as caught:
        getattr(function, kernel)(*args, **kwargs)
    assert "scale" in str(caught.value)
    assert says in str(caught.value)
    # Nothing lost: the next call works.
    assert function.value_and_grad(2.0, 5.0) == (10.0, (5.0, 2.0))


@pytest.mark.parametrize(
    "given",
    [
        {"w": [1.0], "b": 1.0},
        {"w": [1.0, 2.0]},
        {"w": [1.0, 2.0], "b": 1.0, "c": 1.0},
        {"w": (1.0, 2.0), "b": [1.0]},
        {"w": 1.0, "b": 1.0},
        [1.0, 2.0, 3.0],
        3.0,
        np.ones(3),
        np.ones((2, 2)),
        [],
    ],
)
def test_a_graph_has_the_shapes_it_has(nested, given):
    with pytest.raises(ValueError, match=r"nested: argument 'p': expected .*, got .*"):
        nested(given)
    assert nested({"w": [1.0, 2.0], "b": 3.0}) == 5.0


def test_numbers_of_every_kind_are_taken(scale):
    for two in (2, 2.0, np.float64(2), np.float32(2), np.int8(2), np.uint64(2), np.array(2.0)):
        assert scale(two, 3.0) == 6.0
        assert scale.grad(b=two, a=3.0) == (2.0, 3.0)


def test_shapes_that_do_not_fit_each_other():
    f = gdc.compile(lambda w, x: np.dot(w, x))
    with pytest.raises(ValueError, match="shape"):
        f(np.ones(2), np.ones(3))
    assert f(np.ones(2), np.ones(2)) == 2.0


def test_the_gradient_of_several_numbers():
    f = gdc.compile(lambda x: [x, 2 * x], name="pair")
    with pytest.raises(TypeError, match=r"pair returns a list of length 2"):
        f.grad(1.0)
    assert f(1.0) == [1.0, 2.0]


@pytest.mark.parametrize("x", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], 1.0])
def test_flat_vectors_of_the_wrong_shape(scale, x):
    scale(1.0, 2.0)
    with pytest.raises(ValueError, match=r"expected a vector of shape \(2,\), got"):
        scale.value_and_grad.flat(x)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.array([1 + 2j]), "expected an array of real numbers, got one of dtype complex128"),
        (np.array(["1.5"]), "expected an array of real numbers, got one of dtype <U3"),
        (np.array([None]), "expected numbers .*, got NoneType None"),
        (np.ma.array([1.0], mask=[True]), "expected numbers everywhere, got masked elements"),
        ([1j], "expected numbers .*, got complex 1j"),
        ([None], "expected numbers .*, got NoneType None"),
        (["1.5"], "expected numbers .*, got str '1.5'"),
        ([True], "expected numbers .*, got bool True"),
        ([Value(2.0)], r"expected numbers .*, got Value Value\(data=2.0"),
        (None, "expected numbers .*, got NoneType None"),
        ("1.5", "expected numbers .*, got str_ "),
        (1j, "expected numbers .*, got complex128 "),
        ({2.0}, r"expected numbers .*, got set \{2.0\}"),
    ],
)
def test_flat_vectors_of_what_are_no_real_numbers(x, says):
    f = gdc.compile(lambda x: x * x)
    f(1.0)
    for kernel in (f.value, f.grad, f.value_and_grad):
        for _ in range(2):
            with pytest.raises(TypeError, match=f"^flat: {says}"):
                kernel.flat(x)
        kernel.flat([3.0])  # from now on the written call looks at it first
        with pytest.raises(TypeError, match=f"^flat: {says}"):
            kernel.flat(x)


VECTOR = [3.0, 2.0]


@pytest.mark.parametrize(
    "x",
    [
        VECTOR, tuple(VECTOR), [3, 2], [3, np.float32(2)], [np.array(3.0), 2], np.array(VECTOR),
        np.array(VECTOR, int), np.array(VECTOR, np.float32), np.array(VECTOR, ">f8"),
        np.array(VECTOR, object), np.array([3.0, 0.0, 2.0])[::2], range(3, 1, -1),
    ],
)  # fmt: skip
def test_flat_vectors_of_numbers_of_every_kind(scale, x):
    for _ in range(2):
        value, gradient = scale.value_and_grad.flat(x)
        assert (value, gradient.tolist()) == (6.0, [2.0, 3.0])
        assert scale.value.flat(x) == 6.0


def test_a_flat_vector_that_is_nested_too_deeply(scale):
    scale(1.0, 2.0)
    x = functools.reduce(lambda inner, _: [inner], range(5000), 1.0)
    with pytest.raises(ValueError, match=r"^flat: the vector is nested too deeply$"):
        scale.grad.flat(x)


def test_flat_of_one_input_takes_a_number():
    f = gdc.compile(lambda x: x * x)
    f(1.0)
    assert f.grad.flat(3.0).tolist() == f.grad.flat(np.array(3)).tolist() == [6.0]


def test_flat_needs_the_other_arguments():
    f = gdc.compile(lambda a, b: a * b, wrt="a")
    f(1.0, 2.0)
    with pytest.raises(TypeError, match=r"expected the arguments \['b'\], got \[\]"):
        f.value_and_grad.flat([1.0])
    value, gradient = f.value_and_grad.flat([3.0], b=2.0)
    assert (value, gradient.tolist()) == (6.0, [2.0])


@pytest.mark.parametrize("data", ["1", None, 1j, [1.0], np.array([1.0])])
def test_values_of_what_is_no_number(data):
    with pytest.raises(TypeError, match="expected a real number"):
        Value(data)


@pytest.mark.parametrize("other", ["1", None, 1j, object()])
def test_values_with_what_is_no_number(other):
    with pytest.raises(TypeError):
        Value(1.0) + other
    with pytest.raises(TypeError):
        other * Value(1.0)


# --- labels are data -----------------------------------------------------------------------------

LABELS = [
    "x; import os", "class", "é", "", "y" * 10_000, "same", "same", "<b>", "<script>alert(1)",
    '"quoted"', "back\\slash", "new\nline = 1", "# comment", "a, b", "{x|y}", "&amp;", "\0",
    "\ud800", "2nd", "None", "match", "\u2028", "print", "__import__('os')", "__debug__",
    "__class__", "_", "tanh", "array", "float64", "nan", "inputs", "gradient", "value", "value_bar",
    "v1", "same_bar", "\N{SNOWMAN}", "ﬁ", "µ", "名前", "\N{GOTHIC LETTER AHSA}" * 60,
    "end'''\"\"\"",
]  # fmt: skip


@pytest.fixture(scope="module")
def labelled():
    """A graph whose leaf k is k + 2, its product with the next one labelled likewise."""
    leaves = [Value(k + 2.0, label=label) for k, label in enumerate(LABELS)]
    total = Value(0.0)
    for a, b in itertools.pairwise(leaves):
        product = a * b
        product.label = a.label
        total = total + product
    total.label = "class"
    return leaves, total


def check_names(source, count):
    """Names are distinct identifiers, and nothing but arithmetic and calls of the table is run."""
    tree = ast.parse(source)
    said = [n for n in ast.walk(tree) if isinstance(n, ast.Expr)]
    assert all(isinstance(ast.literal_eval(n.value), str) for n in said)  # the docstring alone
    assert len(said) <= 1
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.Attribute)]
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert modules <= {"numpy", "math", "gradcompile.ieee"}
    calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    assert calls <= {"array", "empty"}
    (function,) = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    assigned = [argument.arg for argument in function.args.args]
    assigned += [
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    assert len(assigned) == len(set(assigned)) >= count
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in assigned)
    assert max(map(len, assigned)) < 60
    return assigned


def test_labels_in_code(every_engine, labelled):
    leaves, total = labelled
    f = gdc.compile(total, inputs=leaves)
    numbers = [leaf.data for leaf in leaves]
    value, grads = f.value_and_grad(*numbers)
    around = [0.0, *numbers, 0.0]
    slopes = [around[i] + around[i + 2] for i in range(len(numbers))]
    assert value == total.data
    assert list(grads) == slopes
    for engine, found in every_engine(f, numbers).items():
        assert found == (value, slopes), engine
    assigned = check_names(gdc.compile(total, inputs=leaves, roll=False).source, len(leaves))
    # Readable: what can be kept of a label is kept.
    assert {"x_import_os", "class_", "é", "same", "same_2", "b", "名前", "new_line_1"} <= set(
        assigned
    )
    assert all(field.isidentifier() for field in grads._fields)


def test_labels_in_pictures(labelled):
    _, total = labelled
    picture = gdc.draw(total)
    svg = picture.svg()
    shown = {element.text for element in ET.fromstring(svg).iter() if element.text}
    text = " ".join(shown)
    for label in ("x; import os", "class", "é", "<b>", '"quoted"', "{x|y}", "&amp;", "back\\slash"):
        assert label in text, label
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()}
    assert "script" not in tags
    assert "b" not in tags
    assert len(picture.source) < 100_000
    html = gdc.draw(total)._repr_svg_()
    assert "<script" not in html


def test_labels_in_notebooks(labelled):
    leaves, total = labelled
    f = gdc.compile(total, inputs=leaves, name="<script>alert(1)</script>")
    html = f._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html
    assert "<script" not in total._repr_mimebundle_()["image/svg+xml"]


@pytest.mark.parametrize("name", LABELS, ids=range(len(LABELS)))
def test_names_of_functions(name):
    f = gdc.compile(lambda x: 3.0 * x, name=name or None)
    assert f.value_and_grad.python(2.0) == (6.0, (3.0,))
    check = f.source + "gradient = 0\n"
    tree = ast.parse(check)
    (function,) = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    assert function.name.isidentifier()
    assert not keyword.iskeyword(function.name)
    assert f.value_and_grad.python.__name__ == function.name


@pytest.mark.parametrize("with_straight", slow_but([False], [False, True]))
def test_keys_and_names_of_arguments_are_labels_too(every_engine, with_straight):
    numbers = [k + 2.0 for k in range(len(LABELS))]
    labels = {f"{label}{k}" if label == "same" else label: x
              for (k, label), x in zip(enumerate(LABELS), numbers, strict=True)}  # fmt: skip

    f = gdc.compile(lambda p: sum(v * v for v in p.values()))
    value, grads = f.value_and_grad(labels)
    assert grads.p == {label: 2 * x for label, x in labels.items()}
    for engine, found in every_engine(f, numbers).items():
        assert found == (value, [2 * x for x in numbers]), engine
    straight = gdc.compile(f.arguments.function, roll=False)
    straight.arguments.read((labels,), {})
    assert set(check_names(straight.source, 3)) >= {"p", "p_bar", "value"}  # keys are no names

    leaves = {label: Value(x) for label, x in labels.items()}
    total = sum(v * v for v in leaves.values())
    check_names(gdc.compile(total, inputs=leaves, roll=False).source, len(labels))
    if with_straight:
        assert straight.value_and_grad(labels) == (value, grads)
        assert gdc.compile(total, inputs=leaves)(*numbers) == value


def test_arguments_with_the_names_of_the_language_around_them(every_engine):
    def f(inputs, gradient, array, tanh, value, f, _x, x, v1, print):
        return gdc.tanh(inputs * gradient) + array * tanh + value * f + _x * x + v1 * print

    numbers = [0.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    compiled = gdc.compile(f)
    value, grads = compiled.value_and_grad(*numbers)
    assert value == pytest.approx(math.tanh(1.0) + 188.0, rel=1e-12)
    slope = 1.0 - math.tanh(1.0) ** 2
    expected = [2 * slope, 0.5 * slope, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0, 10.0, 9.0]
    assert list(grads) == pytest.approx(expected, rel=1e-12)
    for engine, (_, gradient) in every_engine(compiled, numbers).items():
        assert gradient == pytest.approx(expected, rel=1e-12), engine


# --- nan, inf, -0.0, subnormals, huge exponents --------------------------------------------------

SPECIAL = [
    math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, -5e-324, 1.1e-310, 2.2250738585072014e-308,
    1.7976931348623157e308, -1.7976931348623157e308, 1e-300, -1e300, 709.9, -745.2, 0.5, 1.0, -1.0,
    2.0, 3.0, -3.0,
]  # fmt: skip

# All pairs of these, and each of all with itself, within a second; the slow tests have all pairs.
FEW = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, -1e300, 709.9, 0.5, -1.0, 2.0]
PAIRS = [*itertools.product(FEW, FEW), *((x, x) for x in SPECIAL)]

each_pair = pytest.mark.parametrize(
    "pairs",
    [PAIRS, pytest.param([*itertools.product(SPECIAL, SPECIAL)], marks=pytest.mark.slow)],
    ids=["few", "all"],
)

# The orders of polygamma are counts, and a loop: its rows here are those of a few orders.
ROWS = [op for op in TABLE.values() if op.name != "polygamma"]


def polygammas(x):
    return [TABLE["polygamma"](float(n), x) for n in range(4)]


def same(a, b, zeros=True):
    """The same IEEE result: nan is nan, inf is inf, and, for `zeros`, the sign of zero counts."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if a == 0.0 == b:
        return not zeros or math.copysign(1.0, a) == math.copysign(1.0, b)
    # Rounding to subnormals leaves few digits to compare.
    return a == b or math.isclose(a, b, rel_tol=1e-12, abs_tol=2e-323)


ROOTS = [(-math.inf, 0.5), (-0.0, 0.5)]

BY_DEFINITION = {
    # numpy takes a square root for b = 0.5, whose results for -inf and -0.0 are others.
    "pow": lambda a, b: math.pow(a, b) if (a, b) in ROOTS else np.power(a, b),
    "relu": lambda x: x if math.isnan(x) else np.maximum(x, 0.0),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "where": lambda c, a, b: b if c == 0.0 else a,
}


def by_numpy(op, operands):
    """What IEEE-754 says, by numpy's function of the same name; None if numpy has none."""
    if op.name == "copysign" and math.isnan(operands[1]):
        return abs(operands[0])  # the sign of a nan means nothing
    function = BY_DEFINITION.get(op.name) or getattr(np, op.ufunc or op.name, None)
    if function is None or op.name in ("copy", "clip", "sinc"):  # numpy's differ, or round more
        return None
    with np.errstate(all="ignore"):
        return float(function(*map(np.float64, operands)))


# The zeros of these have the sign of one of two equal operands: numpy may choose the other.
EITHER_ZERO = ("maximum", "minimum", "relu", "clip", "softplus", "sign")


def operands_of(op, a, b):
    return (a, b, 1.5)[: op.arity]


@pytest.fixture(scope="module")
def all_values():
    """The results of every row, in one kernel."""
    return gdc.compile(
        lambda a, b: [*(op(*operands_of(op, a, b)) for op in ROWS), *polygammas(a)],
        name="all_values",
    )


@each_pair
def test_special_values_are_those_of_ieee_in_every_engine(all_values, pairs):
    all_values(1.0, 2.0)
    kernel = all_values.value
    run = of_flat(kernel.python, signature_of(kernel))
    names = [op.name for op in ROWS] + [f"polygamma {n}" for n in range(4)]
    for a, b in pairs:
        called = all_values(a, b)
        (interpreted,) = interpret(kernel.program, (a, b))
        eager = [op(*operands_of(op, a, b)) for op in ROWS] + polygammas(a)
        python = run((a, b))
        machine = kernel.dispatcher(np.array([a, b])).tolist()
        for name, i, p, m, c, e in zip(
            names, interpreted, python, machine, called, eager, strict=True
        ):
            assert same(i, p), f"{name}({a}, {b}): interpreter {i}, emitted Python {p}"
            assert same(i, m), f"{name}({a}, {b}): interpreter {i}, machine code {m}"
            assert same(i, c), f"{name}({a}, {b}): interpreter {i}, call {c}"
            zeros = name not in EITHER_ZERO
            assert same(i, e, zeros), f"{name}({a}, {b}): interpreter {i}, eager {e}"
        for op, found in zip(ROWS, eager[: len(ROWS)], strict=True):
            expected = by_numpy(op, operands_of(op, a, b))
            if expected is not None:
                zeros = op.name not in EITHER_ZERO
                assert same(found, expected, zeros), (
                    f"{op.name}({a}, {b}): {found}, IEEE {expected}"
                )


@pytest.fixture(scope="module")
def all_slopes():
    """A sum with an input for each operand of each row: every slope is that of one row alone."""
    rows = [op for op in ROWS if any(op.partials)]

    def total(x):
        supply = iter(x)
        return sum(op(*itertools.islice(supply, op.arity)) for op in rows)

    return rows, gdc.compile(total)


def eager_slopes(op, operands):
    values = [Value(x) for x in operands]
    op(*values).backward()
    return [v.grad for v in values]


@each_pair
def test_special_slopes_are_the_same_in_every_engine(every_engine, all_slopes, pairs):
    rows, f = all_slopes
    at = [(op, k) for op in rows for k in range(op.arity)]
    for a, b in pairs:
        point = [x for op in rows for x in operands_of(op, a, b)]
        _, grads = f.value_and_grad(point)
        found = {engine: slopes for engine, (_, slopes) in every_engine(f, point).items()}
        found["call"] = grads.x
        reference = found.pop("interpreter")
        for engine, slopes in found.items():
            for (op, k), x, y in zip(at, reference, slopes, strict=True):
                assert same(x, y), f"{op.name}({a}, {b}) by {k}: interpreter {x}, {engine} {y}"
        eager = [slope for op in rows for slope in eager_slopes(op, operands_of(op, a, b))]
        for (op, k), x, y in zip(at, reference, eager, strict=True):
            text = f"{op.name}({a}, {b}) by {k}: compiled {x}, eager {y}"
            assert same(x, y, zeros=False), text


@pytest.mark.parametrize("order", [math.nan, math.inf, -math.inf, -1.0, 0.5])
def test_orders_of_polygamma_that_are_none(order):
    assert math.isnan(gdc.polygamma(order, 1.0))
    assert math.isnan(gdc.compile(gdc.polygamma)(order, 1.0))


@pytest.fixture(scope="module")
def compositions():
    return [
        gdc.compile(f)
        for f in (
            lambda x, y: gdc.tanh(x * y + x) / (x - y),
            lambda x, y: (x / y) ** 3 - 1 / x,
            lambda x, y: gdc.log(x * x + y).exp() * gdc.sqrt(y),
            lambda x, y: gdc.where(x > 0, gdc.log(x), y) + gdc.maximum(x, y * y),
            lambda x, y: 2**x * x**y,
        )
    ]


@each_pair
def test_special_inputs_of_whole_functions(every_engine, compositions, pairs):
    for f in compositions:
        for x, y in pairs:
            value, grads = f.value_and_grad(x, y)
            assert same(f(x, y), value)
            found = every_engine(f, (x, y))
            reference = found.pop("interpreter")
            found["call"] = (value, list(grads))
            for engine, (v, gradient) in found.items():
                assert same(v, reference[0]), (engine, x, y)
                assert all(map(same, gradient, reference[1])), (engine, x, y, gradient, reference)


@pytest.mark.parametrize(
    "huge",
    [10**400, -(10**400), 2**1024, np.longdouble("1e400")],
    ids=["10**400", "-10**400", "2**1024", "longdouble"],
)
def test_numbers_beyond_the_range_are_infinite_everywhere(huge, scale):
    expected = math.inf if huge > 0 else -math.inf
    assert Value(huge).data == expected
    assert gdc.exp(huge) == (0.0 if huge < 0 else math.inf)
    assert scale(huge, 2.0) == expected
    assert scale.grad(2.0, huge) == (expected, 2.0)
    assert (Value(2.0) * huge).data == expected
    assert gdc.compile(lambda x: x * huge)(2.0) == expected


def test_a_branch_not_taken_keeps_its_nan(every_engine):
    f = gdc.compile(lambda x: gdc.where(x > 0.0, gdc.log(x), x * x))
    x = Value(-2.0)
    gdc.where(x > 0.0, gdc.log(x), x * x).backward()
    assert x.grad == -4.0
    assert f.value_and_grad(-2.0) == (4.0, (-4.0,))
    for engine, found in every_engine(f, [-2.0]).items():
        assert found == (4.0, [-4.0]), engine
