"""Owners of C handles: `close()`, `with`, and `__del__`, in any order and any number of times."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, TypeVar

if TYPE_CHECKING:
    from .store import Store

T = TypeVar("T", bound="Managed")

# Not empty once the interpreter ends: then the process takes back everything, and nothing is deleted any more. The thread that ends it.
_ending: List[int] = []


class Unique:
    """Stands for something that a copy would not stand for."""

    def __reduce_ex__(self, _: Any) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled")


class Managed(Unique):
    """Owns one C handle. A subclass says how it is deleted, by `_delete`, and what its `repr` tells, by `_about`."""

    _delete: Any = None
    _ptr: Optional[Any] = None

    def _own(self, ptr: Any) -> None:
        self._ptr = ptr

    @property
    def _handle(self) -> Any:
        """The handle; an error once it is closed."""
        if self._ptr is None:
            raise ValueError(f"this {type(self).__name__} is closed")
        return self._ptr

    @property
    def closed(self) -> bool:
        """Whether it was closed; then it can do nothing any more."""
        return self._ptr is None

    def close(self) -> None:
        """Gives it back now, instead of when Python finds it unused. Closing twice is allowed."""
        ptr, self._ptr = self._ptr, None
        if ptr is not None:
            self._delete(ptr)

    def _about(self) -> str:
        """What `repr` tells of it while it is open."""
        return ""

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._ptr is None:
            return f"<{name}, closed>"
        try:
            about = self._about()
        except Exception as error:  # such as what it is of being closed: a repr is no place to fail
            about = f", {error}"
        return f"<{name}{about if about.startswith(',') or not about else ' ' + about}>"

    def __enter__(self: T) -> T:
        self._handle
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self, _ending: List[int] = _ending) -> None:
        if self._ptr is not None and not _ending:
            ptr, self._ptr = self._ptr, None
            self._delete(ptr)


class StoreObject(Managed):
    """Owns a handle of something in a store. It is closed with its store."""

    _store: Store
    _is_call = False  # those are closed first

    def _own_in(self, store: Store, ptr: Any) -> None:
        self._store = store
        self._own(ptr)
        store._children[id(self)] = self

    @property
    def _handle(self) -> Any:
        """The handle; an error once it is closed."""
        if self._ptr is None:
            store = getattr(self, "_store", None)
            why = ": its Store was closed" if store is not None and store.closed else ""
            raise ValueError(f"this {type(self).__name__} is closed{why}")
        return self._ptr

    def __repr__(self) -> str:
        # Whoever looks at it at a prompt does not wait for a guest that computes on another thread.
        lock = self._store._lock if self._ptr is not None else None
        if lock is None:
            return super().__repr__()
        if not lock.acquire(blocking=False):
            return f"<{type(self).__name__}, in a store that another thread uses>"
        try:
            return super().__repr__()
        finally:
            lock.release()

    def close(self) -> None:
        """Gives it back now, instead of when Python finds it unused. Closing twice is allowed."""
        ptr, self._ptr = self._ptr, None
        if ptr is not None:
            self._store._give_back(self._delete, ptr)

    def __del__(self, _ending: List[int] = _ending) -> None:
        if self._ptr is not None and not _ending:
            ptr, self._ptr = self._ptr, None
            self._store._give_back(self._delete, ptr)

    def _same_as(self, other: StoreObject, same: Any) -> bool:
        """Whether both are handles of one thing of one store. What is closed is the same as nothing."""
        with self._store._lock:
            return self._ptr is not None and other._ptr is not None and bool(same(self._ptr, other._ptr))

    @property
    def store(self) -> Store:
        """The store it is in."""
        return self._store
