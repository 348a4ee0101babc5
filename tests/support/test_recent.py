"""Caches that do not grow, and results that are made once."""

import random
import threading
import weakref

from gradcompile.support.once import once
from gradcompile.support.recent import Recent


class Thing:
    pass


def test_it_never_holds_more_than_the_limit_and_what_is_used_stays():
    recent, used = Recent(5), []
    for k in random.Random(1).choices(range(12), k=500):
        if k in used:
            used.remove(k)
        used.append(k)
        assert (recent.get(k) is not None) == (k in used[-6:-1] or k in recent)
        recent.put(k, str(k))
        assert len(recent) <= 5
        assert all((key in recent) == (key in used[-5:]) for key in range(12))


def test_the_first_item_of_a_key_is_kept():
    recent = Recent(2)
    first, second = Thing(), Thing()
    assert recent.put("a", first) is first
    assert recent.put("a", second) is first
    assert recent.get("a") is first


def test_what_goes_is_freed():
    recent = Recent(1)
    gone = weakref.ref(recent.put(1, Thing()))
    recent.put(2, Thing())
    assert gone() is None
    gone = weakref.ref(recent.get(2))
    recent.clear()
    assert gone() is None
    assert len(recent) == 0


def test_what_goes_may_use_the_cache_while_it_goes():
    recent = Recent(1)

    class Last:
        def __del__(self):
            found.append(recent.get(2))

    found = []
    recent.put(1, Last())
    recent.put(2, "two")
    assert found == ["two"]


class Slow:
    def __init__(self):
        self.lock = threading.RLock()
        self.asked = threading.Event()
        self.computed = 0

    @once
    def part(self):
        """Its docstring."""
        self.asked.set()
        self.computed += 1
        return object()

    @once
    def whole(self):
        return [self.part, self.part]

    @once
    def wrong(self):
        raise ValueError("not yet" if self.computed == 0 else "again")


def test_once_for_all_threads():
    slow, found = Slow(), []
    threads = [threading.Thread(target=lambda: found.append(slow.part)) for _ in range(4)]
    with slow.lock:  # as if it was being made
        for thread in threads:
            thread.start()
        assert not slow.asked.wait(0.05)
    for thread in threads:
        thread.join()
    assert slow.computed == 1
    assert found == [slow.part] * 4
    assert slow.whole[0] is slow.whole[1] is slow.part


def test_an_error_is_not_kept():
    slow = Slow()
    messages = []
    for _ in range(2):
        try:
            slow.wrong  # noqa: B018
        except ValueError as error:
            messages.append(str(error))
        slow.part  # noqa: B018
    assert messages == ["not yet", "again"]
    assert Slow.part.__doc__ == "Its docstring."
