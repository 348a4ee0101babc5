"""Sphinx configuration: MyST pages, executed while they are built."""

from importlib.metadata import version as installed_version

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

autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"gradcompile {release}"
