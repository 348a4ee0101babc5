"""Sphinx configuration: MyST pages, executed while they are built."""

import atexit
import os
import shutil
import sys
import tempfile
from importlib.metadata import version as installed_version
from pathlib import Path

project = "gradcompile"
author = "The gradcompile authors"
copyright = f"2026, {author}"
release = version = installed_version("gradcompile")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Pages run from scratch at every build. An exception in one is a warning with its traceback, which
# `make docs` (sphinx -W) turns into a failure.
nb_execution_mode = "force"
nb_execution_show_tb = True
nb_execution_timeout = 120
nb_merge_streams = True

# Pages compile anew, leave the user's cache alone, and call a cell "cell" in messages.
os.environ["GRADCOMPILE_CACHE_DIR"] = tempfile.mkdtemp(prefix="gradcompile-docs-")
atexit.register(shutil.rmtree, os.environ["GRADCOMPILE_CACHE_DIR"], ignore_errors=True)
os.environ["IPYKERNEL_CELL_NAME"] = "cell"
os.environ["TQDM_DISABLE"] = "1"  # how long something takes is not for a page to show

autodoc_member_order = "bysource"
autodoc_typehints = "description"
default_role = "code"  # docstrings have single backticks, as Markdown does
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"gradcompile {release}"
html_static_path = ["_static"]
html_css_files = ["gradcompile.css"]
pygments_style = "default"  # that of the emitted code which a compiled function shows


def setup(app):
    # op-table.md and rules.md are made from the package, before Sphinx looks for pages.
    sys.path.insert(0, str(app.confdir))
    import op_table

    op_table.write(Path(app.confdir))
