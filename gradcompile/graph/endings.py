"""How a run of a traced function ends: where it returns, or which statement raises an error."""

import linecache
import sys
from collections.abc import Callable
from opcode import opmap
from types import FrameType
from typing import Any

from gradcompile.graph import bindings
from gradcompile.graph.users import is_ours, is_users


def line_of_return(run: Callable[[], object]) -> str:
    """Run a trace once more, and find the user's line at which the traced function returns.

    Args:
        run: traces it.
    """
    found = ["the end of the function"]

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        return note if _is_outermost(frame) else None

    def note(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "return":
            file, line = frame.f_code.co_filename, frame.f_lineno
            found[0] = f"{file}, line {line}: `{linecache.getline(file, line).strip()}`"
        return note

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        run()
    finally:
        sys.settrace(before)
    return found[0]


def _is_outermost(frame: FrameType) -> bool:
    """Tell whether a frame is the user's, and none of the user's called it in the trace.

    What is traced may be a method, and then a function of gradcompile's calls the user's.
    """
    if not is_users(frame.f_code.co_filename):
        return False
    caller = frame.f_back
    while caller is not None and caller.f_code is not bindings.call.__code__:
        if is_users(caller.f_code.co_filename):
            return False
        caller = caller.f_back
    return caller is not None


def is_raised(error: BaseException) -> bool:
    """Tell whether a `raise` or an `assert` raised an error, of the user's code or a library's."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    if step is None:
        return False
    code = step.tb_frame.f_code
    return not is_ours(code.co_filename) and code.co_code[step.tb_lasti] == opmap["RAISE_VARARGS"]
