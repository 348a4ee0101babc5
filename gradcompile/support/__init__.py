"""Helpers that know nothing of the pipeline.

arrays.py     the types of arrays, each in one place; masks are refused
names.py      labels become identifiers, each distinct
files.py      the cache directory: files by content, written atomically, never trusted
collector.py  the garbage collector, paused while large programs are built
once.py       results that are made once, whichever thread comes first
memory.py     how much memory this machine has
recent.py     what was used last: a cache that does not grow beyond a limit
timing.py     the stages of a build, timed, and shown as they pass
"""
