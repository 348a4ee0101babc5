"""Names: labels become identifiers, each once."""

import pytest

from gradcompile.support.names import MAX_LABEL_LENGTH, Names, identifier


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("a" + "-" * 130 + "b", "a_b"),  # a long run of what no name has is one character
        ("x" * 50, "x" * MAX_LABEL_LENGTH),
        ("a b", "a_b"),
        ("1", "_1"),
        ("²", "_2"),
        ("--", ""),
    ],
)
def test_labels_become_identifiers(label, expected):
    assert identifier(label) == expected


def test_names_are_given_once():
    names = Names()
    assert [names.fresh("a") for _ in range(3)] == ["a", "a_2", "a_3"]
    assert names.fresh("for") == "for_"
    assert names.fresh("", "v").startswith("v")


def test_no_number_makes_a_name_that_a_label_reads_as():
    names = Names(claimed=frozenset({"v1", "a_2"}))
    assert [names.fresh(""), names.fresh("v1"), names.fresh("")] == ["v2", "v1", "v3"]
    assert [names.fresh(label) for label in ("a", "a", "a_2")] == ["a", "a_3", "a_2"]
