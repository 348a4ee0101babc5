"""The garbage collector is that of the process: the last thread that pauses it lets it go on."""

import gc
import threading

import pytest

from gradcompile.support.collector import collector_paused


@pytest.mark.parametrize("enabled", [True, False])
def test_the_last_thread_lets_the_collector_go_on(enabled):
    entered, leave = threading.Event(), threading.Event()

    def other():
        with collector_paused():
            entered.set()
            leave.wait(10.0)

    before = gc.isenabled()
    thread = threading.Thread(target=other)
    try:
        (gc.enable if enabled else gc.disable)()
        with collector_paused():
            thread.start()
            assert entered.wait(10.0)
        assert not gc.isenabled()
        leave.set()
        thread.join()
        assert gc.isenabled() == enabled
    finally:
        leave.set()
        thread.join()
        (gc.enable if before else gc.disable)()
