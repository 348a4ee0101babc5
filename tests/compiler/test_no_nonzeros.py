"""Derivatives without a nonzero: Hessians of what is linear, Jacobians of what is flat."""

import numpy as np
import pytest

import gradcompile as gdc

AT = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("roll", [True, False])
def test_the_hessian_of_a_linear_function(roll):
    f = gdc.compile(lambda x: 2 * x[0] + 3 * x[1], roll=roll)
    f(AT)
    assert f.hessian.sparse(AT).toarray().tolist() == np.zeros((3, 3)).tolist()
    assert f.hessian.sparse.lower.values(AT).shape == (0,)
    assert [places.size for places in f.hessian.sparse.lower.structure] == [0, 0]


@pytest.mark.parametrize("roll", [True, False])
def test_its_gradient_is_verified_all_the_same(roll):
    f = gdc.compile(lambda x: 2 * x[0] + 3 * x[1], roll=roll)
    f(AT)
    report = f.hessian.sparse.verify()
    assert report.ok
    assert len(report) == 0
