"""Scans: where a run of groups repeats itself."""

import numpy as np
import pytest

from gradcompile.roll.scans import _repeats


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("abab", []),
        ("abababab", [(0, 2, 4)]),
        ("xababababay", [(1, 2, 4)]),
        ("aaaaaab", [(0, 1, 6)]),
        ("abcabcabcabcabdddd", [(0, 3, 4), (14, 1, 4)]),
        ("aabaabaabaab", [(0, 3, 4)]),
        ("abcdefgh", []),
        ("", []),
    ],
)
def test_the_longest_repetition_is_found_first(keys, expected):
    assert list(_repeats(np.array(list(map(ord, keys)), int))) == expected
