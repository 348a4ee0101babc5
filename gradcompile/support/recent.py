"""What was used last: a cache in memory that does not grow beyond a limit."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


class Recent(Generic[Key, Item]):
    """The items that were used last; any thread may ask for them.

    Args:
        limit: how many are kept; the one that was not used for longest goes first.

    Example:
        >>> words = Recent(2)
        >>> words.put(1, "one"), words.put(2, "two"), words.get(1), words.put(3, "three")
        ('one', 'two', 'one', 'three')
        >>> words.get(1), words.get(2), words.get(3)
        ('one', None, 'three')
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = Lock()
        self._items: OrderedDict[Key, Item] = OrderedDict()

    def get(self, key: Key) -> Item | None:
        """The item of a key, which was used last now; None if there is none."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key]

    def put(self, key: Key, item: Item) -> Item:
        """Keep an item, unless there is one by now; the one that is kept."""
        dropped = None  # freed when the lock is: what frees it may come back here
        with self._lock:
            kept = self._items.setdefault(key, item)
            self._items.move_to_end(key)
            if len(self._items) > self.limit:
                dropped = self._items.popitem(last=False)
        del dropped
        return kept

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            dropped, self._items = self._items, OrderedDict()
        del dropped

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: Key) -> bool:
        return key in self._items
