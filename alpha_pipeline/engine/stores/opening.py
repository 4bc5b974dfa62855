"""From a setting's text to a store."""

from __future__ import annotations

from pathlib import Path

from alpha_pipeline.engine.stores.store import PAUSE_SECONDS, GuardedStore, Store
from alpha_pipeline.errors import BadInput

FORMS = "use none, memory, disk:FOLDER or redis://HOST:PORT/NUMBER"


def open_store(where: str | None, budget: int, *, pause: float = PAUSE_SECONDS) -> Store | None:
    """The store that a text names; None for "none". One out of reach is warned of once, and tried again later.

    Args:
        where: "none", "memory", "disk:FOLDER", a folder's path, or the address of a Redis server.
        budget: bytes of values that it may hold.
        pause: seconds to leave it alone after a failure; doubled while it keeps failing.

    Raises:
        BadInput: the text names no store, or the budget is not positive.
    """
    text = (where or "none").strip()
    if text.lower() in ("", "none"):
        return None
    if budget < 1:
        raise BadInput(f"a budget of {budget} bytes holds nothing", f"operator store {text}", "give a positive size")
    store: GuardedStore
    if text.lower() == "memory":
        from alpha_pipeline.engine.stores.memory import MemoryStore

        store = MemoryStore(budget)
    elif text.startswith(("redis://", "rediss://")):
        from alpha_pipeline.engine.stores.redis_store import RedisStore

        store = RedisStore(text, budget, pause=pause)
    else:
        from alpha_pipeline.engine.stores.disk import DiskStore

        store = DiskStore(_folder(text), budget, pause=pause)
    store.start()
    return store


def _folder(text: str) -> Path:
    """The folder of `disk:FOLDER` or of a path; a bare word is taken for a slip, not for a folder to make."""
    named = text.removeprefix("disk:")
    is_path = named != text or named.startswith((".", "~")) or "/" in named or "\\" in named
    if not named.strip() or not is_path or "://" in named:
        raise BadInput("there is no such kind of store", f"operator store {text.split('@')[-1]}", FORMS)
    return Path(named.strip()).expanduser().absolute()
