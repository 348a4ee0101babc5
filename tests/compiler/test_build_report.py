"""The report of a build: where its time went, and what came of it."""

from gradcompile.compiler.build_report import BuildReport

SECONDS = {"trace": 0.25, "emit": 1.5}
ROLLED = {"nests": 3, "instructions": 100, "members": 90, "groups": 4, "gathers": 2}


def test_a_report_of_straight_text():
    text = str(BuildReport(SECONDS, None, 12, ("square: 2",)))
    assert text.splitlines() == [
        "trace           0.250 s",
        "emit            1.500 s",
        "in all          1.750 s",
        "",
        "12 lines of Python, straight-line",
        "square: 2",
    ]


def test_a_report_of_loops():
    text = str(BuildReport(SECONDS, ROLLED, 40, ()))
    assert text.splitlines()[4:] == [
        "40 lines of Python in 3 loop nests",
        "100 instructions: 90 stored values in 4 groups; 2 tables of addresses",
    ]
