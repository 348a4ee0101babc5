"""What the command line prints, on a terminal and elsewhere."""

import io

from rich.console import Console

from gradcompile.show.terminal import print_code

CODE = "def f(x):\n\treturn x\n\n"


def printed(**options):
    out = Console(file=io.StringIO(), **options)
    print_code(out, CODE, "python")
    return out.file.getvalue()


def test_code_is_coloured_on_a_terminal_only():
    assert printed() == "def f(x):\n\treturn x\n"
    coloured = printed(force_terminal=True, color_system="standard")
    assert "\x1b[" in coloured
    assert "return" in coloured


def test_long_lines_are_not_wrapped_on_a_terminal():
    out = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=20)
    print_code(out, "value = first + second + third\n", "python")
    assert out.file.getvalue() == "value = first + second + third\n"
