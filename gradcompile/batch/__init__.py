"""Functions of one row of data, compiled for any number of rows.

arguments.py  the arguments of a batched function: which hold rows, and the trace of one row
strategy.py   how its text is made: loops over the rows
rows.py       the rows of data that a batched argument is made of
threads.py    rows spread over threads
"""
