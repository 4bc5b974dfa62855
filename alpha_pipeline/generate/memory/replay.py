"""Replay with a diversity filter: what a learner sees again of what the run has found, no two alike.

The archive is the store: it holds the best distinct expressions in the orientation in which they earn, and its rewards
fall with the correlation to better ones. A batch is drawn from its best quarter, and none in it is correlated with
another above a limit, or one lucky family would be all that is learned.
"""

from __future__ import annotations

import numpy as np

from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline.generate.memory.profits import Slots

BEST = 0.25
"""Share of the members, best rewards first, that is seen again."""


def diverse(archive: Archive, random: np.random.Generator, count: int, limit: float | None = None) -> Slots:
    """Positions of up to `count` members of the best quarter, drawn alike, mutual |correlation| within the limit.

    Args:
        archive: what was found.
        random: where randomness comes from.
        count: members wanted; fewer where the quarter holds no more that are unlike.
        limit: of |correlation|; None for that of the thresholds.
    """
    limit = archive.limits.correlation if limit is None else limit
    best = archive.by_reward()[: int(np.ceil(BEST * len(archive.members)))]
    chosen: list[int] = []
    for place in random.permutation(best).tolist():
        if len(chosen) == count:
            break
        if not chosen or archive.likeness_among(place, chosen).max() <= limit:
            chosen.append(place)
    return np.array(chosen, np.int64)
