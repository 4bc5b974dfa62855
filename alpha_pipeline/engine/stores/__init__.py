"""Values of operators that outlive a batch: one interface, three stores (memory, a folder, Redis), and their keys.

    store = open_store("disk:~/.cache/alpha", budget=8 << 30)   # None for "none"
    keys = Keys(panel, windows="partial", choices=choices)
    store.get(keys.of(node), out) or store.put(keys.of(node), compute(node), seconds)

What is stored changes how long a run takes, never a result. See docs/decisions/0009-operator-store.md.
"""

from alpha_pipeline.engine.stores.keys import Keys
from alpha_pipeline.engine.stores.opening import checked, open_store
from alpha_pipeline.engine.stores.store import Counts, Store

__all__ = ["Counts", "Keys", "Store", "checked", "open_store"]
