"""Rules of one's own: functions whose derivatives are not those of their text.

slopes.py       values with slopes of their own
linear.py       the slopes of a rule, which is linear in its tangents
custom.py       a function with a rule for its derivative
implicit.py     a root of a residual
interpolate.py  a table as a function
"""
