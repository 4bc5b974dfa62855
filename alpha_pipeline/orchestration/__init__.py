"""Everything that knows Dagster: assets, partitions, jobs, the I/O manager, and how jobs are run in this process.

raw_prices ─► cleaned_panel ─► candidate_batch ─► stage_1_syntax … stage_8_export ─► export_set
(by month)                     (the last ten by generation run)
"""

import warnings

# Single-run backfills of `raw_prices` and one-by-one backfills of runs need BackfillPolicy, which Dagster still calls
# beta; one warning per asset at every start would bury what users must read. The warning's category is not named, since
# commands that need no Dagster pass through here.
warnings.filterwarnings("ignore", message=r".*`backfill_policy`.*")
