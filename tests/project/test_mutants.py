"""Mutation testing: which faults are put in, which tests run, and that a fault is found."""

import ast

import pytest

from tests.conftest import ROOT
from tests.helpers.slow import slow_but
from tests.mutants.belonging import (
    ELSEWHERE,
    END_TO_END,
    IN_PASSING,
    ONCE_THROUGH,
    WIDER,
    belonging_tests,
)
from tests.mutants.faults import chosen, faults_in, faults_of_tree
from tests.mutants.report import SURVIVORS, reason_of, reasons, summary, unexplained
from tests.mutants.runs import Outcome


@pytest.fixture(scope="module")
def faults():
    """All faults of the package."""
    return list(faults_of_tree(ROOT))


def changed(source):
    """A text with each of its faults."""
    return [fault.applied(source) for fault in faults_in("x.py", source)]


@pytest.mark.parametrize(
    ("source", "faulty"),
    [
        ("x = a < b", ["x = (a <= b)", "x = (a >= b)"]),
        ("x = a == b", ["x = (a != b)"]),
        ("x = a in b", ["x = (a not in b)"]),
        ("x = a + b", ["x = (a - b)"]),
        ("x = a * b ** c", ["x = (a / b ** c)", "x = a * (b * c)"]),
        ("x = a and b", ["x = (a or b)"]),
        ("x = not a", ["x = (a)"]),
        ("x = -a", ["x = (a)"]),
        ("x = 3", ["x = 4", "x = 2"]),
        ("x = True", ["x = False"]),
        ("x = 0.5", ["x = 0.5005"]),
        ("x = a if b else c", ["x = (c if b else a)"]),
        ("f(a, b)", ["pass", "f(b, a)"]),
        ("x = f(a, key=b)", ["x = f(a)"]),
        ("x = min(a)", ["x = max(a)"]),
        ("x += a", ["pass", "x -= a"]),
        ("x.y = a", ["pass"]),
        ("if a:\n    b", ["if (not (a)):\n    b"]),
        ("def f():\n    return a", ["def f():\n    return None"]),
        ("raise E", ["pass"]),
        ("x = [a for a in b if c]", ["x = [a for a in b if True]"]),
    ],
)
def test_a_fault_changes_one_thing(source, faulty):
    assert changed(source) == faulty


@pytest.mark.parametrize(
    "source",
    [
        '"""A text with 1 < 2."""',
        "x: tuple[int, 3] = y",
        "assert a < b, c + d",
        "import a",
        "Row = dict[str, int | None]",
        "x = isinstance(a, int | float)",
        "if TYPE_CHECKING:\n    f(a, b)",
        'x = f"{a + 1}"',
        "x = zip(a, strict=True)",
        "def f():\n    return None",
        "@f(1)\ndef g(): ...",
    ],
)
def test_what_is_no_fault_is_left_alone(source):
    assert changed(source) == []


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("MAX_POOLS = 8\n@lru_cache(MAX_POOLS)\ndef f(): ...\n", ["9", "7"]),
        ("MAX_KEPT = 8\n_kept: Recent[A, B] = Recent(MAX_KEPT)\n", ["9", "7"]),
        ("y = x[0] if len(x) == 1 else x\n", ["-1"]),
        ("if len(x) == 1:\n    y = x[0]\n", ["-1"]),
        ("x = builder.add(a, b)\n", ["builder.add(b, a)"]),
        ("x = Console(f, highlight=False)\n", ["Console(f)"]),
    ],
)
def test_what_changes_nothing_is_passed_over(source, after):
    faults = faults_in("x.py", source)
    assert [fault.after for fault in faults if fault.idle] == after
    assert len(chosen(faults, 100, seed=1)) == sum(not fault.idle for fault in faults)


@pytest.mark.parametrize(
    "source",
    ["MAX_ROWS = 8\n", "y = x[0] if len(z) == 1 else x\n", "x = builder.sub(a, b)\n", "y = x[0]\n"],
)
def test_what_may_change_something_is_not(source):
    assert not any(fault.idle for fault in faults_in("x.py", source))


def test_the_text_around_a_fault_stays_and_bytes_are_counted():
    source = "# é\nx = g('é', *f(a,  # é\n    1))\n"
    assert source.replace("1", "2") in changed(source)


@pytest.mark.parametrize("step", slow_but([15], [15, 3]))
def test_faults_of_the_package_are_python_and_differ(faults, step):
    found = chosen(faults, 150, seed=3)
    assert len({fault.path for fault in found}) > 80
    trees = {}
    for fault in found[::step]:
        source = (ROOT / fault.path).read_text(encoding="utf-8")
        before = trees.setdefault(fault.path, ast.dump(ast.parse(source)))
        assert ast.dump(ast.parse(fault.applied(source))) != before, fault.key


def test_a_choice_is_the_same_each_time_and_begins_a_larger_one():
    faults = list(faults_of_tree(ROOT, "gradcompile/passes/*.py"))
    few = chosen(faults, 20, seed=1)
    assert chosen(list(faults), 40, seed=1)[:20] == few
    assert chosen(faults, 20, seed=2) != few
    assert {fault.path for fault in few} == {fault.path for fault in faults}


def test_a_file_has_its_own_tests_first_then_its_folder_then_the_wider_set():
    path = "gradcompile/ops/functions.py"
    own, folder, wider = belonging_tests(path, ROOT)
    assert own == [path, "tests/ops/test_functions.py", *END_TO_END]
    assert "tests/ops/test_table.py" in folder
    assert "tests/whole/test_engines.py" in wider
    assert len({*own, *folder, *wider}) == len(own) + len(folder) + len(wider)
    assert belonging_tests(path, ROOT, narrow=True) == [own]


def test_what_belongs_to_files_is_there():
    entries = [
        *WIDER,
        *IN_PASSING,
        *ONCE_THROUGH,
        *ELSEWHERE,
        *(x for own in ELSEWHERE.values() for x in own),
    ]
    assert [entry for entry in entries if not (ROOT / entry).exists()] == []
    for file, _, test in (entry.partition("::") for entry in END_TO_END):
        assert f"def {test}" in (ROOT / file).read_text(encoding="utf-8")


def survivor(key):
    return Outcome(key, "a.py", 1, "sign", "", "", 1.0, False)


def test_survivors_need_a_reason():
    known = reasons("- `a.py f: x → y`: it is the same\n- `a.py g:*`: only looks\n- `b`:\n")
    assert known == {"a.py f: x → y": "it is the same", "a.py g:*": "only looks"}
    assert reason_of("a.py g: 1 → 2", known) == "only looks"
    outcomes = [survivor("a.py f: x → y"), survivor("a.py h: 1 → 2")]
    assert [x.key for x in unexplained(outcomes, known)] == ["a.py h: 1 → 2"]
    assert "2 faults, 2 survived (100.0%), 0 ran out of time" in list(summary(outcomes, known))


def test_listed_survivors_are_faults_that_exist(faults):
    keys = {fault.key for fault in faults}
    for entry in reasons(SURVIVORS.read_text(encoding="utf-8")):
        start = entry.removesuffix("*")
        assert any(key == entry or (start != entry and key.startswith(start)) for key in keys)
