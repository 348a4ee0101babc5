"""Which frames run a user's code: all but gradcompile's, numpy's and the standard library's.

And the error that names the line which runs there.
"""

import linecache
import os
import sys
import sysconfig
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import numpy as np

_STANDARD_LIBRARY = sysconfig.get_path("stdlib") + os.sep
_PACKAGE = str(Path(__file__).parent.parent) + os.sep
_INTERNAL = (_PACKAGE, str(Path(np.__file__).parent) + os.sep)
"""Where code lies that calls a user's values, but is not the user's."""


def is_users(file: str) -> bool:
    """Tell whether the code of a file is a user's.

    Args:
        file: its name, as a code object has it.
    """
    standard = file.startswith(_STANDARD_LIBRARY) and "site-packages" not in file
    return not standard and not file.startswith(_INTERNAL)


def is_ours(file: str) -> bool:
    """Tell whether the code of a file is gradcompile's."""
    return file.startswith(_PACKAGE)


class TraceError(Exception):
    """The function being traced does something that a program of instructions cannot express."""


def user_line() -> str:
    """Find the line of the user's code that is running: file, number and text."""
    frame = sys._getframe(1)
    while frame.f_back is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return _told(frame.f_code.co_filename, frame.f_lineno)


def stop(problem: str, advice: str) -> NoReturn:
    """Raise a `TraceError` that names the user's line."""
    raise TraceError(f"{user_line()}: {problem}; {advice}.")


def lines_of(traceback: TracebackType | None) -> list[str]:
    """Find the lines of the user's code that an error went through, outermost first."""
    lines = []
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if is_users(file):
            lines.append(_told(file, traceback.tb_lineno))
        traceback = traceback.tb_next
    return lines


def _told(file: str, line: int) -> str:
    return f"{file}, line {line}: `{linecache.getline(file, line).strip()}`"
