"""The eight stages between a proposal and the export set.

    text → 1 syntax → 2 types → 3 complexity → 4 execution → 5 finite → 6 correlation → 7 performance → 8 export

`stages` asks the questions, `funnel` holds their order, `price_level` is the test for knowledge of later splits.
"""

from alpha_pipeline.thresholds import Thresholds
from alpha_pipeline.validate.bench import Bench, PoolCorrelation
from alpha_pipeline.validate.checks import Check, checks
from alpha_pipeline.validate.funnel import FUNNEL, StageCount, count, judge, judge_fully
from alpha_pipeline.validate.pool import Nearest, Pool
from alpha_pipeline.validate.price_level import PriceLevel, PriceLevelTest
from alpha_pipeline.validate.verdict import Candidate, Verdict

__all__ = [
    "FUNNEL",
    "Bench",
    "Candidate",
    "Check",
    "Nearest",
    "Pool",
    "PoolCorrelation",
    "PriceLevel",
    "PriceLevelTest",
    "StageCount",
    "Thresholds",
    "Verdict",
    "checks",
    "count",
    "judge",
    "judge_fully",
]
