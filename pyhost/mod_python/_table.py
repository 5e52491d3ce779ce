"""mp_table in Python: the same ordered multimap as the C type, for use outside the server."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["mp_table"]

Pairs = Mapping[Any, Any] | Iterable[tuple[Any, Any]]
_MISSING: Any = object()


class mp_table:
    """An ordered multimap of str with case-insensitive keys.

    A subscript gives the str of a single entry and the list of several; get() gives the first. Assigning replaces the first entry and
    removes the others; add() keeps them. keys(), values() and items() are lists with duplicates, in insertion order.
    """

    __slots__ = ("_items",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, items: Pairs | None = ()) -> None:
        self._items: list[tuple[str, str | None]] = []
        self.update(items)

    def _find(self, key: str) -> list[str | None]:
        low = key.lower()
        return [value for name, value in self._items if name.lower() == low]

    def __getitem__(self, key: str) -> Any:
        found = self._find(key)
        if not found:
            raise KeyError(key)
        return found[0] if len(found) == 1 else found

    def __setitem__(self, key: str, value: Any) -> None:
        low, kept, done = _text(key).lower(), [], False
        for name, old in self._items:
            if name.lower() != low:
                kept.append((name, old))
            elif not done:
                kept.append((name, _text(value)))
                done = True
        if not done:
            kept.append((key, _text(value)))
        self._items = kept

    def __delitem__(self, key: str) -> None:
        low = key.lower()
        self._items = [pair for pair in self._items if pair[0].lower() != low]

    def __contains__(self, key: str) -> bool:
        return bool(self._find(key))

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        size = len(self._items)
        for name, _ in list(self._items):
            if len(self._items) != size:
                raise RuntimeError("table changed size during iteration")
            yield name

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: {value!r}" for name, value in reversed(self._items)) + "}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, mp_table):
            return dict(self._items) == dict(other._items)
        return isinstance(other, Mapping) and dict(self._items) == dict(other)

    def add(self, key: str, value: Any) -> None:
        """Add an entry and keep others of that key."""
        self._items.append((_text(key), _text(value)))

    def get(self, key: str, default: Any = None) -> Any:
        """Return the first value of key, or default."""
        found = self._find(key)
        return found[0] if found else default

    def setdefault(self, key: str, value: str = "") -> Any:
        """Return the first value of key; store value first where there is none."""
        if key not in self:
            self[key] = value
        return self.get(key)

    def has_key(self, key: str) -> int:
        """Return 1 when there is an entry of that key, else 0."""
        return int(key in self)

    def keys(self) -> list[str]:
        """Return all keys, duplicates included."""
        return [name for name, _ in self._items]

    def values(self) -> list[str | None]:
        """Return all values."""
        return [value for _, value in self._items]

    def items(self) -> list[tuple[str, str | None]]:
        """Return all (key, value) pairs."""
        return list(self._items)

    def iterkeys(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self)

    def itervalues(self) -> Iterator[str | None]:
        """Iterate over the values."""
        return iter(self.values())

    def iteritems(self) -> Iterator[tuple[str, str | None]]:
        """Iterate over the pairs."""
        return iter(self.items())

    def popitem(self) -> tuple[str, str | None]:
        """Remove and return the first pair. Raises KeyError on an empty table."""
        if not self._items:
            raise KeyError("popitem(): table is empty")
        return self._items.pop(0)

    def clear(self) -> None:
        """Remove all entries."""
        self._items = []

    def copy(self) -> mp_table:
        """Return a table of the same entries."""
        new = mp_table()
        new._items = list(self._items)
        return new

    def update(self, items: Pairs | None = _MISSING) -> None:
        """Assign every pair of a mapping or a sequence of pairs, keys and values as str()."""
        if items is _MISSING:
            return
        if items is None:
            raise AttributeError("'NoneType' object has no attribute 'keys'")
        pairs = items.items() if isinstance(items, (Mapping, mp_table)) else items
        for key, value in pairs:
            self[str(key)] = str(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise TypeError(f"expected str or bytes, not {type(value).__name__}")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise TypeError("expected an ISO-8859-1 string") from None
    return value
