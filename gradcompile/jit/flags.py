"""How machine code is compiled: the options of numba, and the flags of LLVM."""

from typing import Any

SETTINGS: dict[str, Any] = {"error_model": "numpy"}
"""How everything is compiled: a division by zero is inf or nan."""

REASSOCIATION = ("reassoc", "contract", "nsz")
"""What LLVM may do to the sums of loops; inf and nan are honoured in any case."""
