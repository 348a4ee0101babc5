"""Digests of the compiler's own sources: old caches are not trusted, whichever file changed."""

import ast
import re
import shutil
from pathlib import Path

import pytest

from gradcompile.compiler import code
from gradcompile.jit import cache
from gradcompile.support import files

SOURCES = [str(path.relative_to(files.PACKAGE)) for path in sorted(files.PACKAGE.rglob("*.py"))]

STORES_OR_NAMES = {
    "support/__init__.py", "support/files.py", "support/recent.py", "support/arrays.py"
}  # fmt: skip
"""What `jit/` imports that decides no machine code: where it is kept, and the types of arrays."""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the package; each test leaves it as it was."""
    folder = tmp_path_factory.mktemp("copied") / "gradcompile"
    shutil.copytree(files.PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


known = {}


def changes(digest, package, source):
    """Does a digest of the package change when a source file does?"""
    before = known.get(digest) or known.setdefault(digest, digest(package))
    path = package / source
    content = path.read_bytes()
    path.write_bytes(content + b"\n")
    changed = digest(package)
    path.write_bytes(content)
    return changed != before


def test_the_package_is_the_whole_package():
    assert (files.PACKAGE / "__init__.py").is_file()
    assert files.PACKAGE.name == "gradcompile"
    assert {"api.py", "compiler/code.py", "support/files.py"} <= set(SOURCES)
    assert code._compiler() == code.digest_of(files.PACKAGE)
    assert cache._meanings() == cache.digest_of_meanings(files.PACKAGE)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_file_is_part_of_the_digest_of_the_compiler(package, source):
    assert changes(code.digest_of, package, source)


def test_names_of_source_files_are_part_of_the_digest_of_the_compiler(package):
    before = code.digest_of(package)
    (package / "api.py").rename(package / "apj.py")
    renamed = code.digest_of(package)
    (package / "apj.py").rename(package / "api.py")
    assert renamed != before == code.digest_of(package)


def imported(source):
    """The files of the package that a file of it imports, wherever it does."""
    for node in ast.walk(ast.parse((files.PACKAGE / source).read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            path = module.replace(".", "/").removeprefix("gradcompile/")
            if module.startswith("gradcompile."):
                yield from {f"{path}.py", f"{path}/__init__.py"}.intersection(SOURCES)


def reached(sources):
    """These files, and all that they import, directly or not."""
    found, left = set(), list(sources)
    while left:
        source = left.pop()
        if source not in found:
            found.add(source)
            left += imported(source)
    return found


JIT = [source for source in SOURCES if source.startswith("jit/")]
DECIDE = sorted(reached(JIT) - STORES_OR_NAMES)


def test_the_files_that_decide_machine_code_are_found():
    assert {"ieee.py", "vector.py", "products.py", "jit/tiles.py", "jit/cache.py"} <= set(DECIDE)
    assert reached(["compiler/kernel.py"]) > {"compiler/build.py", "jit/tiles.py", "ops/op.py"}
    assert (files.PACKAGE / "support" / "__init__.py").read_text(encoding="utf-8").count('"""') == 2


@pytest.mark.parametrize("source", DECIDE)
def test_every_file_that_decides_machine_code_is_part_of_its_digest(package, source):
    assert changes(cache.digest_of_meanings, package, source)


def test_other_files_are_not(package):
    assert not changes(cache.digest_of_meanings, package, "api.py")


def test_what_emitted_text_imports_is_part_of_its_digest():
    golden = Path(__file__).parents[1] / "golden"
    texts = [path.read_text(encoding="utf-8") for path in golden.rglob("*.py")]
    modules = {name for text in texts for name in re.findall(r"from gradcompile\.(\w+)", text)}
    assert "ieee" in modules
    assert {f"{name}.py" for name in modules} <= set(DECIDE)
