"""A process of its own that uses a store: `python -m …stores.worker WHERE BUDGET SEED ROUNDS`.

It reads and writes the values of `places.matrix`, stops with an error at the first wrong one, and prints its counts.
With 0 rounds it goes on until it is killed, and says "going" after its first value.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import numpy as np

from alpha_pipeline_tests.engine.stores.places import closed, held, matrix

KEYS = 10


def main(where: str, budget: int, seed: int, rounds: int) -> None:
    random = np.random.default_rng(seed)
    values = [matrix(number) for number in range(KEYS)]
    with closed(where, budget) as store:
        store.rates.saved = lambda size, seconds: seconds  # type: ignore[method-assign]
        done = 0
        while done < rounds or not rounds:
            number = int(random.integers(KEYS))
            if not held(store, f"key {number}", values[number]):
                store.put(f"key {number}", values[number], float(random.uniform(50, 100)))
            done += 1
            if done == 1:
                print("going", flush=True)
        print(json.dumps(asdict(store.counts)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(int(text) for text in sys.argv[2:5]))
