"""Exact ranks of wide rows without sorting them: per value, how many others are smaller and how many at most equal.

Needs AVX-512 (see `avx512`). A row goes through these steps; what each works on stays in the core's first cache:

1. `close_gaps`: the values without the missing ones, and without a value that a twentieth of the sample shares, which
   is counted by itself (its bucket's counter would be written, and waited for, again and again).
2. `_segments`: a sorted sample of the row cuts the line into 16 segments of as many buckets each. An end that repeats
   is moved to the next float, so that a value which many share has a segment of its own.
3. `locate`: the bucket of each value, by search in the ends and a straight line inside a segment. Buckets must only
   never fall as values rise, which float32 arithmetic keeps; where they lie chooses the speed and never the ranks.
4. `_sort_into_buckets`: a counting sort. Bucket b holds the places from starts[b] on, so starts[b] values are smaller.
5. `_count_smaller`: compare a value with the 16 places from its bucket's start on. What follows the bucket is larger
   and does not count, so that no bucket needs room or padding. Smaller + (at most equal) − 1 is twice the place, from
   0, that ties share on average.
6. `open_gaps`: times half of 1 / (count − 1), in float64 as in `rank`, and back between the missing ones.

Buckets of more than 16 values: if all are equal, their start is moved so that step 5 is right as it stands. Otherwise
they are crowds: small ones are compared window by window, large ones divided once more between their least and greatest
value, by the same steps. A row of a few distinct values is just counted. A row too crowded for this is handed back.

Of some 2.3 ns per value on one core, 0.75 go to step 5, 0.8 to step 4 (a third of it the histogram), 0.25 to step 3,
0.2 to step 6, 0.15 to sampling and 0.1 to step 1. Step 4 and 5 take 6 and 11 instructions a value.

Tried and dropped: room for 16 values in each bucket instead of step 4 (filling the room costs what the histogram
saves, and it leaves the first cache); 32 segments (searching two registers costs more than the crowds it saves);
counting in the loop that locates, spreading out in the loop that compares (short loads of what a vector has just
stored stall: 3 ms more on 3,000 × 1,260 values); windows of 8 (cheaper by 0.15 ns, but many more crowds); comparing one
row while the next is placed (no gain: both are short of the same units); writing places down in the histogram's loop
(the same sum); more buckets (more counters to clear and add up than crowds saved); dividing crowds whatever their size
(windows are cheaper up to four); the prototype's keys of sign and magnitude about one location and scale, with a
histogram of a third of the values (dearer than a sorted sample; bimodal and wildly scaled rows had to be sorted).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes.avx512 import (
    add_up,
    close_gaps,
    compare,
    crowded_of,
    fetch_for_writing,
    locate,
    lowest_and_highest,
    open_gaps,
    steps_above,
)

WIDEST = 30_000  # columns, so that a bucket fits 16 bits
ROWS = 32  # a block: 0.4 MB of 3,000 columns, which stays in a core's own cache
SAMPLE = 128  # values of a row
SEGMENTS = 16
WINDOW = 16  # values compared at once
LEVELS = 8  # distinct values of a row that are simply counted
DEPTH = 3  # times that crowded buckets are divided
SHARE = 0.3  # of a row's values that may be crowded
FEW = 4  # windows per value of a crowd, which is not divided then
PATIENCE = 2  # windows per value of a row, before it is sorted instead
NAN = np.float32(np.nan)
INFINITY = np.float32(np.inf)
LARGEST = float(np.finfo(np.float32).max)
ZERO, HALF = np.float32(0), np.float32(0.5)
NONE: Any = np.int32(0)  # int32 throughout: twice as many fit a register
ONE: Any = np.int32(1)
TWO: Any = np.int32(2)

# Shares of the sample below each segment: narrower where a distribution has its tails. The first and the last segment
# hold what lies outside the sample.
SHARES = np.array([0, 0, 0.02, 0.06, 0.13, 0.22, 0.32, 0.42, 0.52, 0.62, 0.72, 0.81, 0.88, 0.94, 0.98, 1], np.float32)
TAIL = 3  # segments whose width tells how far the outermost reach

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Shorts = NDArray[np.uint16]


@njit
def _take_common(sample: Floats, known: int) -> tuple[Any, int]:
    """A value that is a twentieth of the sorted sample or more, and how often; NaN and 0 if there is none."""
    common, times, run = NAN, 0, known // 20
    for k in range(known - run if run > 0 else 0):
        common = sample[k] if sample[k] == sample[k + run] else common
    for k in range(known):
        times += 1 if sample[k] == common else 0
    return common, times


@njit
def _segments(sample: Floats, known: int, per_segment: Any, tables: Floats) -> int:
    """Fill the tables of `locate` from a sorted sample; returns how many of the ends repeat the one before."""
    repeated = 0
    lowest, highest = sample[0], sample[known - 1]
    tables[0] = lowest
    for s in range(1, SEGMENTS):
        tables[s] = sample[int(SHARES[s] * np.float32(known - 1) + HALF)]
    beyond = lowest - (tables[TAIL] - lowest)
    tables[0] = beyond if beyond < lowest else lowest
    top = highest + (highest - tables[SEGMENTS - TAIL])
    for s in range(1, SEGMENTS):
        if not tables[s] > tables[s - 1]:
            repeated += 1
            tables[s] = np.nextafter(tables[s - 1], INFINITY)
    for s in range(SEGMENTS):
        length = (tables[s + 1] if s < SEGMENTS - 1 else top) - tables[s]
        slope = per_segment / length
        tables[SEGMENTS + s] = slope if (length > ZERO) & (length < INFINITY) else ZERO
    return repeated


@njit
def _count_levels(row: Floats, sample: Floats, known: int, result: Floats) -> bool:
    """Rank a row that has no values but a few of its sample's. False where it has others, or the sample has many."""
    levels, sizes = np.empty(LEVELS, np.float32), np.empty(LEVELS, np.int64)
    found = 0
    for k in range(known):
        if k == 0 or sample[k] != levels[found - 1]:
            if found == LEVELS:
                return False
            levels[found] = sample[k]
            found += 1
    count = NONE
    for j in range(len(row)):
        count += ONE if row[j] == row[j] else NONE
    total = 0
    for d in range(found):
        level, size = levels[d], NONE
        for j in range(len(row)):
            size += ONE if row[j] == level else NONE
        sizes[d] = size
        total += size
    if total != count:
        return False
    half_step = 0.5 / (count - 1.0)
    result[:] = NAN
    below = 0
    for d in range(found):
        level, rank = levels[d], np.float32(np.float64(2 * below + sizes[d] - 1) * half_step)
        rank = np.float32(0.5) if count == 1 else rank
        for j in range(len(row)):
            result[j] = rank if row[j] == level else result[j]
        below += sizes[d]
    return True


@njit
def _sort_into_buckets(values: Floats, bucket: Shorts, count: int, buckets: int, starts: Ints, ordered: Floats) -> int:
    """Counting sort: bucket b becomes ordered[starts[b]:starts[b + 1]]. Returns the size of the largest."""
    starts[: buckets + 2 + WINDOW] = 0
    for k in range(count):
        starts[bucket[k] + TWO] += ONE
    most: int = add_up(starts, buckets + 2)
    for k in range(count):
        b = bucket[k] + ONE
        place = starts[b]
        starts[b] = place + ONE
        ordered[np.uint32(place)] = values[k]
    ordered[count : count + WINDOW] = NAN
    return most


@njit
def _count_smaller(values: Floats, bucket: Shorts, count: int, starts: Ints, ordered: Floats, twice: Ints) -> None:
    """twice[k] = how many values are below values[k] plus how many are at most it, less one, if its bucket is small."""
    for k in range(count):
        start = starts[bucket[k]]
        twice[k] = start + start + compare(values[k], ordered, start) - ONE


@njit
def _find_crowds(
    buckets: int, starts: Ints, ordered: Floats, large: Ints, crowd_of: Ints, bounds: Doubles, bases: Ints
) -> tuple[int, int]:
    """Deal with buckets of more than WINDOW values.

    Where all are equal, the bucket's start is moved so that `_count_smaller` is right. Others are crowds: crowd_of[b]
    is c for crowd c, −1 elsewhere. bounds[c]: its lowest and highest finite value, and buckets per unit one level
    deeper. bases[c]: how many values are in crowds before, which is where its buckets begin one level deeper.
    Returns the number of crowded values, and of their windows.
    """
    crowds, crowded, effort = NONE, NONE, 0
    found = 0
    for b in range(0, buckets, WINDOW):
        found += steps_above(starts, b, buckets, ONE * WINDOW, large, found)
    for i in range(found):
        b = large[i]
        start, stop = starts[b], starts[b + 1]
        size = stop - start
        lowest, highest = lowest_and_highest(ordered, stop - WINDOW)
        for k in range(start, stop - WINDOW, WINDOW):
            low, high = lowest_and_highest(ordered, k)
            lowest, highest = min(lowest, low), max(highest, high)
        if lowest == highest:
            # 2 · start + size = 2 · (start + move) + 16 where that is whole, and + 15 with a gap where it is not.
            move = (size - WINDOW + 1) // 2
            starts[b] = start + move
            if size & ONE:
                ordered[start + move] = NAN
            continue
        if crowds == 0:
            crowd_of[:buckets] = -ONE
        bottom, top = max(np.float64(lowest), -LARGEST), min(np.float64(highest), LARGEST)
        bounds[crowds, 0], bounds[crowds, 1], bounds[crowds, 2] = (
            bottom,
            top,
            (size - 1) / (top - bottom) if top > bottom else 0.0,
        )
        bases[crowds] = crowded
        crowd_of[b] = crowds
        crowds += ONE
        crowded += size
        effort += size * (size // WINDOW + 1)
    return crowded, effort


@njit
def _rank_crowded(
    values: Floats, bucket: Shorts, members: Ints, crowded: int, starts: Ints, ordered: Floats, twice: Ints
) -> None:
    """As `_count_smaller`, for members of crowds: all of a crowd's values are looked at."""
    for i in range(crowded):
        k = members[i]
        b, value = bucket[k], values[k]
        start, stop = starts[b], starts[b + 1]
        number = start + start - ONE + compare(value, ordered, start) + compare(value, ordered, start + WINDOW)
        for w in range(start + 2 * WINDOW, stop, WINDOW):
            number += compare(value, ordered, w)
        twice[k] = number


@njit
def _divide_crowds(
    values: Floats,
    bucket: Shorts,
    members: Ints,
    crowded: int,
    starts: Ints,
    crowd_of: Ints,
    bounds: Doubles,
    bases: Ints,
    twice: Ints,
    deeper_values: Floats,
    deeper_bucket: Shorts,
) -> None:
    """Crowded values and their buckets one level deeper. twice[k] becomes what a deeper result lacks."""
    for i in range(crowded):
        k = members[i]
        b, value = bucket[k], values[k]
        c = crowd_of[b]
        bottom = bounds[c, 0]
        inside: Any = min(max(np.float64(value), bottom), bounds[c, 1])
        deeper_values[i] = value
        deeper_bucket[i] = bases[c] + np.int32((inside - bottom) * bounds[c, 2])
        twice[k] = TWO * (starts[b] - bases[c])


@njit
def rank_rows(
    x: Matrix, out: Matrix, lo: int, left: int, right: int, samples: Matrix, gave_up: NDArray[np.bool_]
) -> int:
    width = right - left
    shift = np.int32(1)
    while shift < 10 and (SEGMENTS << shift) * 4 < width:
        shift += ONE
    buckets: Any = SEGMENTS << shift
    last = np.float32((1 << shift) - 1)
    room = max(width, buckets) + 3 * WINDOW
    tables = np.empty(2 * SEGMENTS, np.float32)
    values, ordered = np.empty((DEPTH, room), np.float32), np.empty(room, np.float32)
    bucket, twice = np.empty((DEPTH, room), np.uint16), np.empty((DEPTH, room), np.int32)
    starts, crowd_of, bases = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
    large = np.empty(room, np.int32)
    members, bounds = np.empty((DEPTH, room), np.int32), np.empty((width // WINDOW + 1, 3))
    counts: Any = np.empty(DEPTH + 1, np.int64)
    failures = 0
    for i in range(len(samples)):
        row, result, sample = x[lo + i, left:right], out[lo + i, left:right], samples[i]
        gave_up[i] = True
        if failures > 4 + i // 4:
            failures += 1
            continue
        known = len(sample)
        while known > 0 and sample[known - 1] != sample[known - 1]:
            known -= 1
        common, times = _take_common(sample, known)
        if times > 0 and _count_levels(row, sample, known, result):
            gave_up[i] = False
            continue
        if times > 0:
            kept = 0
            for k in range(known):
                sample[kept] = sample[k]
                kept += 1 if sample[k] != common else 0
            known = kept
        if known == 0:
            sample[0], known = ZERO, 1
        repeated = _segments(sample, known, last + np.float32(1), tables)
        if times == 0 and repeated >= SEGMENTS // 2 and _count_levels(row, sample, known, result):
            gave_up[i] = False
            continue
        count = 0
        for j in range(0, width, WINDOW):
            count += close_gaps(row, j, width, common, values[0], count)
        for k in range(0, count, WINDOW):
            locate(values[0], k, tables, last, shift, bucket[0])
            fetch_for_writing(result, k)
        level, here, failed = 0, buckets, False
        counts[0] = count
        while True:
            most = _sort_into_buckets(values[level], bucket[level], counts[level], here, starts, ordered)
            crowded, effort = 0, 0
            if most > WINDOW:
                crowded, effort = _find_crowds(here, starts, ordered, large, crowd_of, bounds, bases)
                if crowded > SHARE * width or (level == DEPTH - 1 and effort > PATIENCE * width):
                    failed = True
                    break
            _count_smaller(values[level], bucket[level], counts[level], starts, ordered, twice[level])
            if crowded == 0:
                break
            found = 0
            for k in range(0, counts[level], WINDOW):
                found += crowded_of(bucket[level], k, counts[level], crowd_of, members[level], found)
            if level == DEPTH - 1 or effort <= FEW * crowded:
                _rank_crowded(values[level], bucket[level], members[level], crowded, starts, ordered, twice[level])
                break
            _divide_crowds(
                values[level],
                bucket[level],
                members[level],
                crowded,
                starts,
                crowd_of,
                bounds,
                bases,
                twice[level],
                values[level + 1],
                bucket[level + 1],
            )
            level += 1
            counts[level] = here = crowded
        if failed:
            failures += 1
            continue
        while level > 0:
            level -= 1
            for m in range(counts[level + 1]):
                twice[level, members[level, m]] += twice[level + 1, m]
        copies, below = NONE, NONE
        if times > 0:
            for j in range(width):
                copies += ONE if row[j] == common else NONE
            for k in range(count):
                smaller = values[0, k] < common
                below += ONE if smaller else NONE
                twice[0, k] += NONE if smaller else copies + copies
        half_step = 0.5 / (count + copies - 1.0)
        its_rank = np.float32(np.float64(below + below + copies - 1) * half_step)
        if count + copies == 1:
            twice[0, 0], half_step, its_rank = ONE, 0.5, HALF
        k = 0
        for j in range(0, width, WINDOW):
            k += open_gaps(row, j, width, common, its_rank, twice[0], k, half_step, result)
        gave_up[i] = False
    return failures


def rank_by_buckets(
    x: Matrix, out: Matrix, lo: int, hi: int, left: int, right: int, otherwise: Callable[..., None]
) -> None:
    """Rank x[t, left:right] for each row t of [lo, hi) into `out`; `otherwise` does so for rows that do not suit.

    A block of which many rows do not is followed by blocks that are not tried: 1, then 2, 4, … 16.
    """
    stride = max((right - left) // SAMPLE, 1)
    skipped, patience = 0, 1
    for row in range(lo, hi, ROWS):
        stop = min(row + ROWS, hi)
        if skipped:
            skipped -= 1
            otherwise(x, out, row, stop, left, right)
            continue
        samples = x[row:stop, left:right:stride].copy()
        samples.sort(axis=1)
        gave_up = np.empty(stop - row, np.bool_)
        if rank_rows(x, out, row, left, right, samples, gave_up):
            for start, end in np.flatnonzero(np.diff(gave_up, prepend=False, append=False)).reshape(-1, 2).tolist():
                otherwise(x, out, row + start, row + end, left, right)
        if 4 * np.count_nonzero(gave_up) > len(gave_up):
            skipped, patience = patience, min(2 * patience, 16)
        else:
            patience = 1
