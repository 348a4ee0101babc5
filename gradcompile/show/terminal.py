"""What the command line prints: highlighted on a terminal, the plain text anywhere else."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

if TYPE_CHECKING:
    from gradcompile.verify.report import Derivative

THEME = "ansi_dark"
"""Colours of the terminal's own palette, readable on whatever background it has."""

VERDICTS = {"proved": "green", "confirmed": "cyan", "refuted": "bold red"}
"""The colour of each verdict."""


def console(*, stderr: bool = False) -> Console:
    """Make a console that colours nothing by itself."""
    return Console(stderr=stderr, highlight=False)


def print_code(out: Console, code: str, language: str) -> None:
    """Print code as it is: on a terminal highlighted, never cut or padded.

    Args:
        out: where to.
        code: the text.
        language: pygments' name for its language.
    """
    code = code.rstrip("\n") + "\n"
    if out.is_terminal:
        out.print(Syntax("", language, theme=THEME).highlight(code), end="", soft_wrap=True)
    else:
        # Not through rich, which expands tabs.
        out.file.write(code)


def print_derivative(out: Console, derivative: "Derivative") -> None:
    """Print a line of a verification report."""
    text = Text(str(derivative))
    text.highlight_words([derivative.verdict], VERDICTS[derivative.verdict])
    out.print(text, soft_wrap=True)
