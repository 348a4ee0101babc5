"""What the demos say: tables without frames, numbers to the right."""

import io

from rich.console import Console

from gradcompile.demos.telling import table_of


def test_a_table_has_no_border_and_its_numbers_end_below_each_other():
    table = table_of("what", ">times")
    table.add_row("eager", "1")
    table.add_row("compiled", "1000")
    out = Console(file=io.StringIO(), width=80)
    out.print(table)
    lines = out.file.getvalue().splitlines()
    assert [line.rstrip() for line in lines if "─" not in line] == [
        "what       times",
        "eager          1",
        "compiled    1000",
    ]
