"""Which frames run a user's code: all but gradcompile's, numpy's and the standard library's."""

import os
import sysconfig
from pathlib import Path

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
