"""Which code is a user's: not gradcompile's, not numpy's, not the standard library's."""

import functools

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.graph.users import is_users


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (__file__, True),
        (pytest.__file__, True),  # a package that is installed
        ("<stdin>", True),
        (gdc.__file__, False),
        (np.__file__, False),
        (functools.__file__, False),
    ],
    ids=["test", "package", "stdin", "gradcompile", "numpy", "library"],
)
def test_code_is_a_users_or_not(file, expected):
    assert is_users(file) == expected
