"""Stages: how long each took, and a bar while they run."""

import re

from gradcompile.support.timing import Stages


def test_seconds_are_added_up_by_stage():
    stages = Stages()
    for name in ("trace", "lower", "trace"):
        with stages(name):
            pass
    assert list(stages.seconds) == ["trace", "lower"]
    assert min(stages.seconds.values()) > 0.0


def test_a_bar_names_the_stage_and_shows_the_time_alone(capsys):
    stages = Stages(progress=True)
    with stages("lower"):
        pass
    shown = capsys.readouterr().err
    assert re.search(r"compile: lower *: \|[^|]*\| 00:0", shown)
    assert "%" not in shown
