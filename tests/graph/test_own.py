"""Operations of the user's own, as students of micrograd write them."""

import math

import pytest

import gradcompile as gdc
from gradcompile import Value


def sinh(x):
    out = Value(math.sinh(x.data), (x,), "sinh")

    def _backward():
        x.grad += math.cosh(x.data) * out.grad

    out._backward = _backward
    return out


def product(a, b):
    out = Value(a.data * b.data, (a, b), "my*")

    def _backward():
        a.grad += b.data * out.grad
        b.grad += a.data * out.grad

    out._backward = _backward
    return out


def same(function, own, *at):
    """Do two functions of Values give one value and one gradient?"""
    found = []
    for f in (function, own):
        inputs = [Value(x) for x in at]
        out = f(*inputs)
        out.backward()
        found.append([out.data, *(x.grad for x in inputs)])
    return found[1] == pytest.approx(found[0], rel=1e-15)


def test_backward_calls_what_was_assigned():
    assert same(gdc.sinh, sinh, 0.7)
    assert same(lambda a, b: a * b, product, 2.0, -3.0)


def test_among_other_operations():
    def f(sinh, product):
        return lambda a, b: product(sinh(a * b), a).tanh() + sinh(b)

    assert same(f(gdc.sinh, lambda a, b: a * b), f(sinh, product), 0.5, -0.3)


def test_an_operand_used_twice_gets_both():
    x = Value(3.0)
    product(x, x).backward()
    assert x.grad == 6.0


def test_inner_gradients_are_set_anew_and_those_of_leaves_add_up():
    x = Value(0.7)
    inner = sinh(x)
    out = inner * 2.0
    for k in (1, 2):
        out.backward()
        assert inner.grad == 2.0
        assert x.grad == pytest.approx(2.0 * k * math.cosh(0.7), rel=1e-15)


def test_what_is_shown_is_micrograds():
    x = Value(0.7, label="x")
    out = Value(1.5, (x,), "sinh", label="out")
    assert (out.label, out._op, out._prev, out.operands) == ("out", "sinh", {x}, (x,))
    assert "sinh" in gdc.draw(out).source
    assert Value(1.5, (x,))._op == ""


def test_children_may_be_a_set_as_micrograd_keeps_them():
    a, b = Value(1.0), Value(2.0)
    out = Value(3.0, {a, b}, "+")
    assert out._prev == {a, b}


def test_a_second_text_is_a_label():
    x = Value(2.0, "x")
    assert (x.label, x.op, x.operands) == ("x", None, ())


def test_without_backward_nothing_passes():
    x = Value(2.0)
    (Value(5.0, (x,), "frozen") * 3.0).backward()
    assert x.grad == 0.0


def test_a_step_by_hand_calls_it():
    x = Value(0.7)
    out = sinh(x)
    out.grad = 1.0
    out._backward()
    assert x.grad == math.cosh(0.7)


def test_the_lectures_own_loop_calls_it():
    x, w = Value(0.7), Value(-0.3)
    root = product(sinh(x), w).tanh() + x * w
    order, visited = [], set()

    def visit(v):
        if v not in visited:
            visited.add(v)
            for child in v._prev:
                visit(child)
            order.append(v)

    visit(root)
    root.grad = 1.0
    for node in reversed(order):
        node._backward()
    found = [x.grad, w.grad]
    root.zero_grad()
    root.backward()
    assert found == pytest.approx([x.grad, w.grad], rel=1e-15)


def test_the_slope_of_an_operation_of_ours_can_be_replaced():
    x = Value(2.6)
    out = x.floor()  # has no slope; here it passes straight through

    def _backward():
        x.grad += out.grad

    out._backward = _backward
    assert out._backward is _backward
    (out * 3.0).backward()
    assert (out.data, out._op, x.grad) == (2.0, "floor", 3.0)


@pytest.mark.parametrize("children", [(1.0,), [Value(1.0), None]], ids=["a number", "nothing"])
def test_children_are_values(children):
    with pytest.raises(TypeError, match="children: expected Values, got"):
        Value(2.0, children, "+")


@pytest.mark.parametrize(
    ("root", "named"),
    [
        (lambda x: sinh(x) * 2.0, "'sinh' of your own"),
        (lambda x: Value(1.0, (x,)) * 2.0, "the operation of your own"),
    ],
    ids=["named", "without a name"],
)
def test_compiling_one_says_what_to_do(root, named):
    x = Value(0.7, label="x")
    with pytest.raises(ValueError, match=f"{named}.*write it with gradcompile's operations"):
        gdc.compile(root(x), inputs=[x])


def test_its_result_may_be_an_input():
    x = Value(0.7)
    inner = sinh(x)
    f = gdc.compile(inner * 3.0, inputs={"inner": inner})
    assert f.grad(2.0).inner == 3.0


def test_a_traced_function_says_that_there_is_no_number():
    with pytest.raises(gdc.TraceError, match=r"a traced value has no `\.data`"):
        gdc.compile(sinh)(0.7)


def test_replacing_a_slope_cannot_be_traced():
    def f(x):
        out = x.floor()
        out._backward = lambda: None
        return out * x

    with pytest.raises(ValueError, match="'floor' of your own"):
        gdc.compile(f)(2.5)
