"""Mutation testing: single faults put into the sources, to see that a test fails for each.

    python -m tests.mutants --count 300 --seed 1

__main__.py   the command
changes.py    what becomes what, at one node of a syntax tree
faults.py     every fault that can be put into a file, and which of them are chosen
idle.py       faults that change nothing, as the text alone tells
belonging.py  the tests that belong to a file
runs.py       runs the tests on a faulty copy of the tree: a process forked for each fault
report.py     killed and survived, by file; the survivors that have a reason
survivors.md  the survivors known, each with its reason
"""
