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
import weakref
from functools import lru_cache
from pathlib import Path
from threading import RLock
from types import ModuleType

from gradcompile.support.recent import Recent

PACKAGE = Path(__file__).parent.parent
"""Where the compiler's own sources lie: what is in there is not the user's code."""

VARIABLE = "GRADCOMPILE_CACHE_DIR"
"""The environment variable that moves the cache."""

MAX_DIRECTORIES = 64
"""Cache directories, one after another, of which it is remembered whether they can be used."""


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


@lru_cache(MAX_DIRECTORIES)
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


_given_up: Recent[Path, object] = Recent(MAX_DIRECTORIES)


def give_up(path: Path, error: Exception) -> None:
    """Warn, once a directory, that the cache is not used."""
    this_error = object()
    if _given_up.put(path, this_error) is this_error:  # the first of this directory, in any thread
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


def load(source: str, name: str, use_cache: bool = True) -> ModuleType:
    """The emitted module, executed from its file; text that is loaded already is so but once.

    The module lives as long as one of its functions does, and so long its name can be imported;
    that gives an empty module, which holds none of them.
    """
    content = source.encode()
    stem = f"{name}_{hashlib.sha256(content).hexdigest()[:16]}"
    filename = _source_file(stem, content, use_cache)
    if filename is None:
        filename, label = f"<gradcompile {stem}>", f"gradcompile_{stem}"
    else:
        label = stem
    module = ModuleType(f"gradcompile.emitted.{label}")
    module.__file__ = filename
    exec(compile(source, filename, "exec"), vars(module))  # our own emitted text
    return _registered(module, source)


def _source_file(stem: str, content: bytes, use_cache: bool) -> str | None:
    """A real file that holds a text, in the cache directory; None without one."""
    folder = directory() if use_cache else None
    if folder is None:
        return None
    path = folder / f"{stem}.py"
    return str(path) if _holds(path, content) or write(path, content) else None


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.is_file() and path.read_bytes() == content
    except OSError:
        return False


_loaded: "weakref.WeakValueDictionary[str, ModuleType]" = weakref.WeakValueDictionary()
"""The emitted modules of which a function lives."""

_registration = RLock()  # the collector may call `_forget` inside of `_registered`


def _registered(module: ModuleType, source: str) -> ModuleType:
    """The module of this name that is importable now: this one, if there was none."""
    with _registration:
        known = _loaded.get(module.__name__)
        if known is not None:
            return known
        # So each of its functions holds the module, as the module holds them.
        vars(module)["the module itself"] = module
        # numba imports the module of a function to compile it and to load what it kept of it. But
        # what is in `sys.modules` lives for good, so there is only something of the same name.
        named = ModuleType(module.__name__)
        named.__file__ = filename = str(module.__file__)
        sys.modules[module.__name__] = named
        if filename.startswith("<"):  # for tracebacks, debuggers and `inspect.getsource`
            lines = source.splitlines(True)
            linecache.cache[filename] = (len(source), None, lines, filename)
        _loaded[module.__name__] = module
        weakref.finalize(module, _forget, named).atexit = False
        return module


def _forget(named: ModuleType) -> None:
    """Remove what stands for a module that is gone, unless it was loaded again."""
    with _registration:
        if sys.modules.get(named.__name__) is named:
            del sys.modules[named.__name__]
            if str(named.__file__).startswith("<"):
                linecache.cache.pop(str(named.__file__), None)
