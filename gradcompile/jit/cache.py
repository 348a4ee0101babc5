"""Machine code kept on disk, beside the source it came from."""

import functools
import hashlib
import hmac
import pickle
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from gradcompile.support import files

MEANINGS = (
    "ieee.py", "vector.py", "blocks.py", "products.py", "opaque.py", "jit/*.py",
    "ir/signature.py", "ir/program.py", "ops/op.py", "support/names.py",
)  # fmt: skip
"""The files that say what machine code is made of: what emitted text imports, and this folder.

Then what says which types a function is compiled for.
"""


@functools.cache
def _meanings() -> str:
    """Digest what emitted code imports: machine code has it compiled in."""
    return digest_of_meanings(files.PACKAGE)


def digest_of_meanings(package: Path) -> str:
    """Digest the files in a package that say what machine code is made of."""
    paths = sorted(path for pattern in MEANINGS for path in package.glob(pattern))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


class KernelCache(_Cache):
    """Machine code beside the source it came from, with a checksum.

    numba's own cache unpickles whatever it finds; a damaged file is an exception or a crash there.
    Here an entry that does not match its checksum is compiled again.
    """

    def __init__(self, source: Path, settings: object = None) -> None:
        self.source = source
        self.settings = settings
        self.enabled = True

    @property
    def cache_path(self) -> str:
        """Return the directory of the entries."""
        return str(self.source.parent)

    def enable(self) -> None:
        """Use the cache."""
        self.enabled = True

    def disable(self) -> None:
        """Neither read nor write entries."""
        self.enabled = False

    def flush(self) -> None:
        """Remove every entry of this source."""
        for path in self.source.parent.glob(f"{self.source.stem}.*.machine"):
            path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load the compiled function for a signature; None if there is no sound entry."""
        target_context.refresh()
        if not self.enabled:
            return None
        try:
            content = self._path(sig, target_context).read_bytes()
        except OSError:
            return None
        digest, payload = content[:32], content[32:]
        if not hmac.compare_digest(digest, self._checksum(payload)):
            return None
        try:
            return CompileResult._rebuild(target_context, *pickle.loads(payload))
        except Exception:  # whatever it is, compiling anew is the answer
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, unless it refers to objects of this process."""
        if self.enabled and not data.lifted and not data.library.has_dynamic_globals:
            payload = dumps(data._reduce())
            content = self._checksum(payload) + payload
            files.write(self._path(sig, data.target_context), content)

    def _checksum(self, payload: bytes) -> bytes:
        # The name goes in, so that an entry counts only for the source it was made from.
        return hashlib.sha256(self.source.stem.encode() + b"\0" + payload).digest()

    def _path(self, sig: Any, target_context: Any) -> Path:
        versions = (numba.__version__, platform.python_version(), _meanings())
        key = (str(sig), target_context.codegen().magic_tuple(), versions, self.settings)
        digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return self.source.with_name(f"{self.source.stem}.{digest}.machine")


_keeps: ContextVar[bool] = ContextVar("_keeps", default=False)


@contextmanager
def keeping(keeps: bool) -> Iterator[None]:
    """Say if functions of `vector.py` that are compiled now are looked for in the cache."""
    token = _keeps.set(keeps)
    try:
        yield
    finally:
        _keeps.reset(token)


class FunctionCache(KernelCache):
    """Machine code of a function of `vector.py`, in the cache directory.

    A new kernel that calls the function then loads it, where numba would compile it again in every
    process. Only a kernel that is itself kept looks here.
    """

    def __init__(self, name: str) -> None:
        super().__init__(Path(f"vector_{name}.py"))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load the compiled function for a signature; None if there is no sound entry."""
        return super().load_overload(sig, target_context) if self._has_directory() else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function."""
        if self._has_directory():
            super().save_overload(sig, data)

    def _has_directory(self) -> bool:
        directory = files.directory() if _keeps.get() else None
        if directory is not None:
            self.source = directory / self.source.name
        return directory is not None
