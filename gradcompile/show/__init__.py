"""What people look at: pictures, highlighted text, notebooks.

drawing.py     graphs and programs as pictures; the only importer of graphviz
structures.py  the structure of a sparse matrix as a picture
terminal.py    what the command line prints, highlighted on a terminal
html.py        source as HTML, for notebooks
"""
