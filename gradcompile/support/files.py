"""The cache directory: emitted source as real files, named by their content.

The directory is private to the user. What lies in it is never trusted: a source file is compared
with the text it should hold and rewritten if it differs, and everything is written atomically.
Without a usable directory everything still works, kept in memory, after one warning.
"""

import hashlib
import linecache
import os
import stat
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parent.parent
"""Where the compiler's own sources lie: what is in there is not the user's code."""

VARIABLE = "GRADCOMPILE_CACHE_DIR"
"""The environment variable that moves the cache."""


class CacheWarning(UserWarning):
    """The cache directory cannot be used."""


def directory() -> Path | None:
    """The cache directory, made if it is missing; None, after one warning, if it is unusable."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    path = Path(os.environ.get(VARIABLE) or os.path.join(home, "gradcompile"))
    try:
        return _usable(path.expanduser().absolute())
    except RuntimeError as error:  # there is no home directory
        give_up(path, error)
        return None


@cache
def _usable(path: Path) -> Path | None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_private(path)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"\0" * 4096)
    except OSError as error:
        give_up(path, error)
        return None
    return path


def _require_private(path: Path) -> None:
    if hasattr(os, "getuid"):
        status = path.stat()
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError("others can write to it")


_given_up: set[Path] = set()


def give_up(path: Path, error: Exception) -> None:
    """Warn, once a directory, that the cache is not used."""
    if path not in _given_up:
        _given_up.add(path)
        warnings.warn(
            f"gradcompile works without its cache in {path} ({error}); "
            f"set {VARIABLE} to a directory of your own",
            CacheWarning,
            stacklevel=2,
        )


def write(path: Path, content: bytes) -> bool:
    """Write a file atomically; False, after one warning, if it cannot be written."""
    if path.parent in _given_up:
        return False
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        give_up(path.parent, error)
        return False
    return True


def source_file(source: str, name: str, use_cache: bool = True) -> str:
    """The file that holds `source`, for tracebacks, debuggers and `inspect.getsource`.

    Returns:
        The path of a real file in the cache directory; without one, a name under which
        `linecache` knows the text.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    content = source.encode()
    folder = directory() if use_cache else None
    if folder is not None:
        path = folder / f"{name}_{digest}.py"
        if _holds(path, content) or write(path, content):
            return str(path)
    filename = f"<gradcompile {name}_{digest}>"
    linecache.cache[filename] = (len(content), None, source.splitlines(True), filename)
    return filename


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.is_file() and path.read_bytes() == content
    except OSError:
        return False


def load(source: str, name: str, use_cache: bool = True) -> ModuleType:
    """The emitted module, executed from its file; importable under its name, as numba needs it."""
    filename = source_file(source, name, use_cache)
    stem = Path(filename).stem.strip("<>").replace(" ", "_")
    module = ModuleType(f"gradcompile.emitted.{stem}")
    module.__file__ = filename
    exec(compile(source, filename, "exec"), vars(module))  # our own emitted text
    return sys.modules.setdefault(module.__name__, module)
