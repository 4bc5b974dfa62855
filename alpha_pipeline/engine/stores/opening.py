"""From a setting's text to a store."""

from __future__ import annotations

from pathlib import Path

from alpha_pipeline.engine.stores.store import PAUSE_SECONDS, GuardedStore, Store
from alpha_pipeline.errors import BadInput

REDIS = ("redis://", "rediss://")
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
    text = checked(where)
    if text == "none":
        return None
    if budget < 1:
        raise BadInput(f"a budget of {budget} bytes holds nothing", f"operator store {text}", "give a positive size")
    store: GuardedStore
    if text == "memory":
        from alpha_pipeline.engine.stores.memory import MemoryStore

        store = MemoryStore(budget)
    elif text.startswith(REDIS):
        from alpha_pipeline.engine.stores.redis_store import RedisStore

        store = RedisStore(text, budget, pause=pause)
    else:
        from alpha_pipeline.engine.stores.disk import DiskStore

        store = DiskStore(_folder(text), budget, pause=pause)
    store.start()
    return store


def checked(where: str | None, setting: str = "operator store") -> str:
    """The text in one spelling: none, memory, disk:FOLDER or a Redis address.

    Args:
        setting: what is told to be wrong.

    Raises:
        BadInput: it names no store. A bare word is taken for a slip, not for a folder to make.
    """
    text = (where or "none").strip()
    kind, colon, rest = text.partition(":")
    if text.lower() in ("none", "memory") or text.lower().startswith(REDIS):
        return text.lower() if not colon else kind.lower() + colon + rest
    if kind.lower() == "disk" and rest.strip() and "://" not in text:
        return f"disk:{rest.strip()}"
    if not colon and (text.startswith((".", "~")) or "/" in text or "\\" in text):
        return f"disk:{text}"
    raise BadInput(f"there is no such kind of store as {text.split('@')[-1]!r}", setting, FORMS)


def _folder(text: str) -> Path:
    return Path(text.removeprefix("disk:")).expanduser().absolute()
