"""Delta tables as asset storage: one table per asset, one partition value per generation run.

Writing a partition replaces it, so re-materialising is idempotent. Inside one process the next asset is handed the
frame that was just written instead of reading it back.
"""

from __future__ import annotations

import dagster as dg
import polars as pl

from alpha_pipeline.errors import BadInput
from alpha_pipeline.ledger import Lake

PARTITION_COLUMN = "generation_run"


class LakeIOManager(dg.IOManager):
    """Stores frames of assets that are partitioned by generation run.

    Args:
        lake: where the tables are.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._handed_over: dict[tuple[str, str], pl.DataFrame] = {}

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame) -> None:
        """Replace the partition's rows in the asset's table."""
        table, key = context.asset_key.path[-1], context.asset_partition_key
        self.lake.replace(table, obj.with_columns(pl.lit(key).alias(PARTITION_COLUMN)), **{PARTITION_COLUMN: key})
        self._handed_over[table, key] = obj

    def load_input(self, context: dg.InputContext) -> pl.DataFrame:
        """The rows of the partition, without the partition column.

        Raises:
            BadInput: it was never written, as when the run died before.
        """
        table, key = context.asset_key.path[-1], context.asset_partition_key
        handed = self._handed_over.get((table, key))
        if handed is not None:
            return handed
        missing = BadInput(f"{table} was never materialized", f"generation run {key}", f"materialize {table} first")
        if not self.lake.exists(table):
            raise missing
        rows = self.lake.scan(table).filter(pl.col(PARTITION_COLUMN) == key).drop(PARTITION_COLUMN).collect()
        # An empty partition leaves no trace in a Delta table; Dagster knows whether it was written at all.
        if rows.is_empty() and not _materialized(context, key):
            raise missing
        return rows


def _materialized(context: dg.InputContext, key: str) -> bool:
    wanted = dg.AssetRecordsFilter(context.asset_key, asset_partitions=[key])
    return bool(context.step_context.instance.fetch_materializations(wanted, limit=1).records)
