"""The structure of a program is the key to its code.

Two programs that differ only in the data they captured have the same key, and share what is
emitted for them and the machine code made of that. The code of a structure is kept in the cache
directory, with a checksum; a damaged entry is made anew.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from gradcompile.ir.packed import PackedProgram
from gradcompile.support import files
from gradcompile.support.arrays import AnyArray, IntArray
from gradcompile.support.recent import Recent

MAX_KEPT_CODES = 128
"""Structures whose text is kept in memory, with the integers of its tables."""


@dataclass(frozen=True)
class EmittedCode:
    """Emitted code, and what it needs beside the inputs.

    Attributes:
        source: the module.
        order: for each number of the data that it takes, which captured constant it is.
        tables: the integers of its tables.
        rolled: what was rolled; None if nothing was.
        rules: what the passes did to the program, one line a rule.
    """

    source: str
    order: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    tables: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    rolled: dict[str, int] | None = None
    rules: tuple[str, ...] = ()

    def arguments(self, captured: AnyArray) -> tuple[AnyArray, ...]:
        """Make what the emitted function takes after the inputs."""
        data = captured[self.order]
        return tuple(array for array in (data, self.tables) if len(array))


def key(lowered: PackedProgram, settings: str) -> str:
    """Make a digest of everything about a program but its data."""
    packed = lowered.instructions
    operations = [op.name for op in packed.operations]
    text = repr((lowered.name, lowered.names, len(lowered.data), lowered.labels, lowered.bound,
                 operations, packed.operands.shape, settings, _compiler()))  # fmt: skip
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    flat = np.append(packed.operands, packed.outputs)
    are_constants = flat >= packed.first_constant
    constants = np.array(packed.constants)[flat[are_constants] - packed.first_constant]
    flat[are_constants] = packed.first_constant  # of a constant only the value counts
    for array in (packed.opcodes, flat, constants):
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


@cache
def _compiler() -> str:
    """A digest of the compiler itself: other code may come from another version."""
    return digest_of(files.PACKAGE)


def digest_of(package: Path) -> str:
    """Make a digest of all sources in a folder, and of their names."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(text)}\n".encode() + text)
    return digest.hexdigest()


_known: Recent[str, EmittedCode] = Recent(MAX_KEPT_CODES)


def load(key: str, name: str) -> EmittedCode | None:
    """Find the code that is known for a structure; None if there is none."""
    known = _known.get(key)
    if known is not None:
        return known
    path = _path(key, name)
    code = None if path is None else _read(path)
    return None if code is None else _known.put(key, code)


def save(key: str, name: str, code: EmittedCode) -> EmittedCode:
    """Keep the code of a structure; what is kept, if another thread was faster."""
    path = _path(key, name)
    if path is not None:
        content = json.dumps(
            {
                "source": code.source,
                "order": _packed(code.order),
                "tables": _packed(code.tables),
                "rolled": code.rolled,
                "rules": code.rules,
            }
        ).encode()
        files.write(path, _checksum(path, content) + content)
    return _known.put(key, code)


def _path(key: str, name: str) -> Path | None:
    folder = files.directory()
    return None if folder is None else folder / f"{name}_{key}.structure"


def _read(path: Path) -> EmittedCode | None:
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    content = whole[32:]
    if not hmac.compare_digest(whole[:32], _checksum(path, content)):
        return None
    entry = json.loads(content)
    return EmittedCode(
        entry["source"],
        _unpacked(entry["order"]),
        _unpacked(entry["tables"]),
        entry["rolled"],
        tuple(entry["rules"]),
    )


def _checksum(path: Path, content: bytes) -> bytes:
    return hashlib.sha256(path.stem.encode() + b"\0" + content).digest()


def _packed(numbers: IntArray) -> str:
    return base64.b64encode(numbers.tobytes()).decode()


def _unpacked(text: str) -> IntArray:
    return np.frombuffer(base64.b64decode(text), np.int64).copy()
