"""The report of a build: where its time went, and what came of it."""

import gradcompile as gdc
from gradcompile.compiler.build_report import BuildReport

SECONDS = {"trace": 0.25, "emit": 1.5}
ROLLED = {"nests": 3, "instructions": 100, "members": 90, "groups": 4, "gathers": 2}


def half(x):
    return 0.5 * x


def rows(x):
    return sum(v * v for v in x)


def report_of(function, *args, **options):
    compiled = gdc.compile(function, **options)
    compiled.grad(*args)
    return compiled.grad.report()


def test_a_report_says_what_made_the_machine_code(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCOMPILE_CACHE_DIR", str(tmp_path))
    origins = [report_of(half, 1.0).origin for _ in range(2)]
    assert origins == ["translated to LLVM", "read from the cache"]
    loops = report_of(rows, [0.5] * 40, roll=True, cache=False)
    assert loops.origin == "compiled by numba alone"


def test_a_report_tells_the_import_of_numba_from_compiling():
    seconds = report_of(half, 1.0).seconds
    assert list(seconds)[-2:] == ["import", "numba"]


def test_a_report_of_straight_text():
    text = str(BuildReport(SECONDS, None, 12, "translated to LLVM", ("square: 2",)))
    assert text.splitlines() == [
        "trace           0.250 s",
        "emit            1.500 s",
        "in all          1.750 s",
        "",
        "12 lines of Python, straight-line",
        "machine code: translated to LLVM",
        "square: 2",
    ]


def test_a_report_of_loops():
    text = str(BuildReport(SECONDS, ROLLED, 40, "read from the cache", ()))
    assert text.splitlines()[4:] == [
        "40 lines of Python in 3 loop nests",
        "100 instructions: 90 stored values in 4 groups; 2 tables of addresses",
        "machine code: read from the cache",
    ]
