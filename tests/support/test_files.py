"""The cache on disk: used by the next process, and never trusted."""

import errno
import hashlib
import inspect
import itertools
import json
import linecache
import os
import pickle
import shutil
import stat
import sys
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile.support import files as cache
from gradcompile.support.files import CacheWarning
from tests.helpers.slow import slow_but

VARIABLE = "GRADCOMPILE_CACHE_DIR"

TANH_1 = 0.7615941559557649
SLOPE = 1.0 - TANH_1**2

# Starts a process anew, with one kernel or three, and says what it found.
PROCESS = """
import json, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import gradcompile as gdc
    f = gdc.compile(lambda x, y: gdc.tanh(x * y), name="f")
    value, grads = f.value_and_grad(0.5, 2.0)
    if {all}:
        assert f(0.5, 2.0) == value and f.grad(0.5, 2.0) == grads
    stats = f.value_and_grad.njit.stats
print(json.dumps({{
    "value": value,
    "gradient": list(grads),
    "hits": sum(stats.cache_hits.values()),
    "misses": sum(stats.cache_misses.values()),
    "warnings": [w.category.__name__ for w in caught if "gradcompile" in w.category.__module__],
}}))
"""


def check(printed):
    found = json.loads(printed)
    assert found["value"] == pytest.approx(TANH_1, rel=1e-12)
    assert found["gradient"] == pytest.approx([2.0 * SLOPE, 0.5 * SLOPE], rel=1e-12)
    return found


@pytest.fixture
def process(run_python):
    """Runs `PROCESS` with a cache directory."""

    def run(folder, all_kernels=False, before=""):
        code = before + PROCESS.format(all=all_kernels)
        return check(run_python(code, **{VARIABLE: str(folder)}))

    return run


@dataclass
class Found:
    """What one compilation in this process did."""

    hits: int
    misses: int
    file: Path
    warnings: list[str]


numbers = itertools.count(1)


@pytest.fixture
def build(monkeypatch):
    """Compiles a function anew; `term` makes its text another one."""

    def run(folder, term, name="f"):
        monkeypatch.setenv(VARIABLE, str(folder))
        f = gdc.compile(lambda x, y: gdc.tanh(x * y) + term, name=name)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            value, grads = f.value_and_grad(0.5, 2.0)
        assert value == pytest.approx(TANH_1 + term, rel=1e-12)
        assert list(grads) == pytest.approx([2.0 * SLOPE, 0.5 * SLOPE], rel=1e-12)
        stats = f.value_and_grad.njit.stats
        return Found(
            sum(stats.cache_hits.values()),
            sum(stats.cache_misses.values()),
            Path(code_of(f.value_and_grad).co_filename),
            [str(w.message) for w in caught if issubclass(w.category, CacheWarning)],
        )

    return run


@pytest.fixture
def term():
    """A number that no other test has: emitted modules stay loaded in this process."""
    return float(next(numbers))


def code_of(kernel):
    return inspect.unwrap(kernel.python).__code__


def files(folder, suffix):
    return sorted(path for path in Path(folder).iterdir() if path.suffix == suffix)


@pytest.mark.parametrize(("all_kernels", "count"), slow_but([(False, 1)], [(False, 1), (True, 3)]))
def test_a_second_process_does_not_compile_again(process, tmp_path, all_kernels, count):
    folder = tmp_path / "cache"
    first = process(folder, all_kernels)
    assert (first["hits"], first["misses"], first["warnings"]) == (0, 1, [])
    kept = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    # Source and machine code of value_and_grad, or of value and grad too, and nothing else.
    assert len(files(folder, ".py")) == len(files(folder, ".machine")) == count
    assert len(kept) == 2 * count
    second = process(folder, all_kernels)
    assert (second["hits"], second["misses"], second["warnings"]) == (1, 0, [])
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == kept


def test_the_same_text_is_compiled_once_and_another_one_anew(build, term, tmp_path):
    folder = tmp_path / "cache"
    assert build(folder, term).misses == 1
    assert build(folder, term + 0.5).misses == 1
    assert build(folder, term).hits == 1


def test_the_directory_is_private_and_its_files_are_the_emitted_text(build, term, tmp_path):
    folder = tmp_path / "new" / "cache"
    found = build(folder, term)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert not path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    assert found.file.parent == folder
    text = found.file.read_text()
    assert "def f_value_and_grad(x, y):" in text
    assert "# reverse sweep" in text


# --- directories that cannot be used -------------------------------------------------------------


def blocked_by_a_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "cache"


def a_file_itself(tmp_path):
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file"


def writable_by_all(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def writable_by_the_group(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o770)
    return folder


def of_another_user(tmp_path):
    folder = tmp_path / "foreign"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)
    return folder


def read_only(tmp_path):
    if not Path("/proc/self").is_dir():
        pytest.skip("needs /proc")
    return Path("/proc/self/gradcompile")  # not even root can write there


UNUSABLE = [blocked_by_a_file, a_file_itself, writable_by_all, writable_by_the_group, read_only]
if hasattr(os, "getuid") and os.getuid() == 0:
    UNUSABLE.append(of_another_user)


@pytest.mark.parametrize("make", slow_but([a_file_itself, writable_by_all, UNUSABLE[-1]], UNUSABLE))
def test_an_unusable_directory_costs_one_warning(build, term, tmp_path, make):
    folder = make(tmp_path)
    found = build(folder, term)
    (warning,) = found.warnings
    assert str(folder) in warning
    assert VARIABLE in warning
    assert found.hits == 0
    assert not found.file.exists()
    assert not folder.is_dir() or not list(folder.iterdir())
    assert build(folder, term + 0.5).warnings == []


@pytest.mark.slow
def test_an_unusable_directory_in_a_new_process(process, tmp_path):
    assert process(blocked_by_a_file(tmp_path), all_kernels=True)["warnings"] == ["CacheWarning"]


def test_code_that_others_could_have_written_is_not_run(build, term, tmp_path):
    folder = writable_by_all(tmp_path)
    folder.chmod(0o700)
    build(folder, term)
    cache._usable.cache_clear()  # as in a new process
    folder.chmod(0o777)
    found = build(folder, term)
    assert (found.hits, len(found.warnings)) == (0, 1)
    assert not found.file.exists()


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 4096])
def test_a_full_disk(process, tmp_path, size):
    # No file can grow beyond `size`: nothing at all fits, or the source but no machine code.
    before = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
        "import sys; sys.dont_write_bytecode = True\n"
    )
    folder = tmp_path / "cache"
    assert process(folder, before=before)["warnings"] == ["CacheWarning"]
    # No half-written files, and none left behind.
    assert not files(folder, ".machine")
    assert all(path.suffix == ".py" for path in folder.iterdir())


def test_a_disk_that_fills_up_between_two_writes(build, monkeypatch, term, tmp_path):
    folder = tmp_path / "cache"
    build(folder, term)
    kept = sorted(folder.iterdir())

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "fdopen", full)
    assert ["No space left" in text for text in build(folder, term + 0.25).warnings] == [True]
    assert build(folder, term + 0.5).warnings == []
    assert sorted(folder.iterdir()) == kept


def test_a_directory_that_becomes_read_only(build, monkeypatch, term, tmp_path):
    folder = tmp_path / "cache"
    build(folder, term)

    def refused(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(cache.tempfile, "mkstemp", refused)
    assert ["Permission denied" in text for text in build(folder, term + 0.25).warnings] == [True]
    assert build(folder, term).hits == 1  # what is there is still read


def test_no_home_directory(build, monkeypatch, term):
    # As in a container whose user has no entry anywhere.
    pwd = pytest.importorskip("pwd")

    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert len(build("", term).warnings) == 1


def test_where_the_directory_is(build, monkeypatch, term, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert build("~/mine", term).file.parent == tmp_path / "mine"
    assert build("", term + 0.25).file.parent == tmp_path / ".cache" / "gradcompile"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert build("", term + 0.5).file.parent == tmp_path / "xdg" / "gradcompile"


def test_without_a_cache_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    f = gdc.compile(lambda x: x * 5.0 + 12.0, cache=False)
    assert f.value_and_grad(1.0) == (17.0, (5.0,))
    assert not (tmp_path / "cache").exists()


# --- damaged entries -----------------------------------------------------------------------------


def truncated(content):
    return content[: len(content) // 2]


def emptied(content):
    return b""


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]


def flipped_at_the_end(content):
    return content[:-1] + bytes([content[-1] ^ 0x01])


def flipped_at_the_start(content):
    return bytes([content[0] ^ 0x80]) + content[1:]


def replaced(content):
    return b"import os; os._exit(3)\n"


DAMAGE = [truncated, emptied, flipped, flipped_at_the_end, flipped_at_the_start, replaced]


@pytest.mark.parametrize("damage", slow_but([truncated, flipped, replaced], DAMAGE))
def test_damaged_machine_code_is_rebuilt(build, term, tmp_path, damage):
    folder = tmp_path / "cache"
    build(folder, term)
    (path,) = files(folder, ".machine")
    path.write_bytes(damage(path.read_bytes()))
    found = build(folder, term)
    assert (found.hits, found.misses, found.warnings) == (0, 1, [])
    # Rebuilt on disk, too.
    assert build(folder, term).hits == 1


def signed(payload, path):
    """An entry whose checksum is right: what is wrong with it shows when it is unpickled."""
    stem = path.name.partition(".")[0]
    return hashlib.sha256(stem.encode() + b"\0" + payload).digest() + payload


def test_an_entry_that_is_signed_here_is_accepted(build, term, tmp_path):
    folder = tmp_path / "cache"
    build(folder, term)
    (path,) = files(folder, ".machine")
    content = path.read_bytes()
    assert signed(content[32:], path) == content


@pytest.mark.parametrize(
    "payload",
    [
        b"text",
        pickle.dumps({"not": "machine code"}),
        pickle.dumps(("not", "machine code")),
        b"cgradcompile\nno_such_name\n.",
    ],
    ids=["text", "another type", "other parts", "unknown name"],
)
def test_a_sound_checksum_of_something_else_is_rebuilt(build, term, tmp_path, payload):
    folder = tmp_path / "cache"
    build(folder, term)
    (path,) = files(folder, ".machine")
    path.write_bytes(signed(payload, path))
    found = build(folder, term)
    assert (found.hits, found.misses, found.warnings) == (0, 1, [])
    assert build(folder, term).hits == 1


def test_machine_code_of_another_function_is_rebuilt(build, term, tmp_path):
    folder = tmp_path / "cache"
    build(folder, term, name="one")
    build(folder, term + 0.5, name="other")
    one, other = files(folder, ".machine")
    other.write_bytes(one.read_bytes())
    # `build` requires the numbers of the other one.
    assert build(folder, term + 0.5, name="other").misses == 1


@pytest.mark.slow
def test_machine_code_of_another_gradcompile_is_rebuilt(run_python, tmp_path):
    # Emitted text calls functions of the package, and the machine code has them inside.
    code = "import gradcompile as gdc; print(gdc.compile(lambda x: gdc.sign(x) + 1.0)(-3.0))"
    folder = {VARIABLE: str(tmp_path / "cache")}
    assert run_python(code, **folder) == "0.0\n"
    package = tmp_path / "newer" / "gradcompile"
    shutil.copytree(Path(gdc.__file__).parent, package)
    text = (package / "ieee.py").read_text()
    (package / "ieee.py").write_text(f"{text}\n\ndef sign(x):\n    return 7.0\n")
    assert run_python(code, PYTHONPATH=str(package.parent), **folder) == "8.0\n"


@pytest.mark.parametrize("damage", [truncated, emptied, flipped, replaced])
def test_damaged_source_is_rebuilt(build, term, tmp_path, damage):
    folder = tmp_path / "cache"
    sound = build(folder, term)
    content = sound.file.read_bytes()
    sound.file.write_bytes(damage(content))
    found = build(folder, term)
    assert (found.file, found.warnings) == (sound.file, [])
    assert sound.file.read_bytes() == content


@pytest.mark.slow
def test_damaged_source_in_a_new_process(process, tmp_path):
    folder = tmp_path / "cache"
    process(folder)
    (path,) = files(folder, ".py")
    content = path.read_bytes()
    path.write_bytes(replaced(content))
    process(folder)
    assert path.read_bytes() == content


def test_a_directory_where_a_file_should_be(build, term, tmp_path):
    folder = tmp_path / "cache"
    build(folder, term)
    for path in list(folder.iterdir()):
        path.unlink()
        path.mkdir()
        (path / "inside").write_text("")
    assert len(build(folder, term).warnings) <= 1


def test_the_directory_disappears(build, term, tmp_path):
    folder = tmp_path / "cache"
    build(folder, term)
    for path in list(folder.iterdir()):
        path.unlink()
    folder.rmdir()
    caught = build(folder, term).warnings + build(folder, term + 0.5).warnings
    assert len(caught) <= 1


# --- several processes ---------------------------------------------------------------------------


@pytest.mark.slow
def test_processes_at_once(new_process, tmp_path):
    folder = tmp_path / "cache"
    code = PROCESS.format(all=False)
    running = [new_process(code, **{VARIABLE: str(folder)}) for _ in range(2)]
    for process in running:
        printed, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert check(printed)["warnings"] == []
    # One file of each kind, and no temporary ones.
    assert [path.suffix for path in sorted(folder.iterdir())] == [".machine", ".py"]


# --- the text behind the code --------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["on disk", "in memory"])
def readable(request):
    f = gdc.compile(lambda a, b: gdc.exp(a) / b, cache=request.param, name="readable")
    f.value_and_grad(0.5, 2.0)
    return f.value_and_grad


def test_inspect_and_linecache_show_the_emitted_text(readable):
    filename = code_of(readable).co_filename
    linecache.checkcache(filename)
    assert "".join(linecache.getlines(filename)) == readable.source
    assert inspect.getsource(readable.python) in readable.source
    assert inspect.getsource(readable.python).startswith("def readable_value_and_grad(a, b):")
    assert readable.njit.py_func.__code__ is code_of(readable)


def test_a_traceback_shows_the_emitted_line(readable):
    with pytest.raises(TypeError, match="ufunc 'divide'") as caught:
        readable.python(0.5, np.array("text"))
    frame = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert frame.filename == code_of(readable).co_filename
    assert frame.line == readable.source.splitlines()[frame.lineno - 1].strip()
    assert "exp(a) / b" in frame.line


def test_a_debugger_stops_on_the_emitted_lines(readable):
    seen = []

    def tracer(frame, event, argument):
        if frame.f_code is code_of(readable):
            if event == "line":
                seen.append(linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip())
            return tracer
        return None

    previous = sys.gettrace()
    sys.settrace(tracer)
    try:
        readable.python(0.5, 2.0)
    finally:
        sys.settrace(previous)
    lines = [line.strip() for line in readable.source.splitlines()]
    lines = [line for line in lines if not line.startswith("#")]
    assert seen == [line for line in lines if " = " in line or line.startswith("return")]
