"""Masked elements are no numbers, by whatever door they come; a mask that hides nothing is none."""

import numpy as np
import pytest

import gradcompile as gdc

PLAIN = np.array([1.0, 2.0, 3.0])
GAPS = "expected numbers everywhere, got masked elements"
MASKED = np.ma.array(PLAIN, mask=[False, True, False])


def of_array():
    return gdc.compile(lambda x: gdc.sum(x * x))


def of_list():
    return gdc.compile(lambda x: x[0] * x[1] * x[2])


def of_dict():
    return gdc.compile(lambda d: gdc.sum(d["a"]) * d["b"])


def of_rows():
    return gdc.compile(lambda w, x: w * x, batched="x")


DOORS = {
    "a call": (of_array, lambda f, x: f(x)),
    "a gradient": (of_array, lambda f, x: f.value_and_grad(x)),
    "by name": (of_array, lambda f, x: f.grad(x=x)),
    "a list": (of_list, lambda f, x: f.grad([x[0], x[1], x[2]])),
    "an array of objects": (of_array, lambda f, x: f.grad(x.astype(object))),
    "a flat vector": (of_array, lambda f, x: f.grad.flat(x)),
    "an array in a dict": (of_dict, lambda f, x: f.grad({"a": x, "b": 2.0})),
    "rows": (of_rows, lambda f, x: f.grad(2.0, x)),
    "rows beside a flat vector": (of_rows, lambda f, x: f.grad.flat([2.0], x=x)),
}


def is_refused(call, f):
    with pytest.raises((TypeError, ValueError), match=GAPS):
        call(f, MASKED)
    return True


@pytest.mark.parametrize("door", DOORS)
def test_masked_elements_are_refused(door):
    make, call = DOORS[door]
    f = make()
    if "flat" in door:  # a function has been called before
        f(*([2.0] if make is of_rows else []), PLAIN)
    assert is_refused(call, f)
    assert is_refused(call, f)
    expected = call(f, PLAIN)
    assert is_refused(call, f)  # also by what was written for a plain array
    nothing_masked = np.ma.array(PLAIN, mask=False)
    np.testing.assert_equal(call(f, nothing_masked), expected)


@pytest.mark.parametrize("name", ["dispatcher", "njit"])
def test_machine_code_refuses_them(name):
    f = of_array()
    f(PLAIN)
    machine = getattr(f.grad, name)
    machine(PLAIN)
    with pytest.raises(Exception, match=r"expected .*a float64 array") as error:
        machine(MASKED)
    assert type(error.value).__name__ in ("TypeError", "TypingError")


def test_the_gap_itself_is_no_number():
    with pytest.raises(TypeError, match=GAPS):
        gdc.compile(lambda x: x * x)(MASKED[1])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: gdc.sum(MASKED),
        lambda x: gdc.sum(x * MASKED),
        lambda x: gdc.dot(x, MASKED),
        lambda x: gdc.mean([MASKED, MASKED]),
        lambda x: gdc.softmax(MASKED),
        lambda x: gdc.sum(gdc.maximum(x, MASKED)),
        lambda x: gdc.exp(MASKED) @ x,
        lambda x: np.sum(gdc.Value(2.0) * MASKED),
    ],
)
def test_operations_take_no_gaps(function):
    with pytest.raises(TypeError, match=GAPS):
        function(PLAIN)
    with pytest.raises(TypeError, match=GAPS):
        gdc.compile(lambda x: function(x) * x[0])(PLAIN)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(x * MASKED),
        lambda x: np.sum(x[0] * MASKED),
        lambda x: np.dot(x, MASKED),
        lambda x: x @ MASKED,
        lambda x: np.sum(np.where(x > 0.0, x, MASKED)),
    ],
)
def test_traced_arrays_meet_no_gaps(function):
    with pytest.raises(TypeError, match=GAPS):
        gdc.compile(function)(PLAIN)


def test_a_mask_that_hides_nothing_is_none_to_functions_either():
    whole = np.ma.array(PLAIN, mask=False)
    assert gdc.exp(whole).tolist() == gdc.exp(PLAIN).tolist()
    with pytest.raises(TypeError, match=GAPS):
        gdc.exp(MASKED)
