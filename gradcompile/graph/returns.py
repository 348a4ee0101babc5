"""The line at which the function that is traced returns, for messages."""

import linecache
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from gradcompile.graph import bindings


def line_of_return(run: Callable[[], object]) -> str:
    """Run a trace once more, and find the user's line at which the traced function returns.

    Args:
        run: traces it.
    """
    found = ["the end of the function"]

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        caller = frame.f_back
        return note if caller is not None and caller.f_code is bindings.call.__code__ else None

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
