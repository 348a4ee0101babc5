"""Helpers that know nothing of the pipeline.

names.py      labels become identifiers, each distinct
files.py      the cache directory: files by content, written atomically, never trusted
collector.py  the garbage collector, paused while large programs are built
timing.py     where compile time goes, shown as it passes
"""
