"""Alphas out of the house: a versioned record, the file formats of the contracts, and submitters.

record.py says what is handed over, formats.py writes and reads it, submitter.py delivers it.
"""

from alpha_pipeline.export.formats import CSV_COLUMNS, read_export, to_csv, to_json, write_export
from alpha_pipeline.export.record import RECORD_VERSION, ExportRecord, Provenance, rounded
from alpha_pipeline.export.submitter import AlphaSubmitter, ManualExporter

__all__ = [
    "CSV_COLUMNS",
    "RECORD_VERSION",
    "AlphaSubmitter",
    "ExportRecord",
    "ManualExporter",
    "Provenance",
    "read_export",
    "rounded",
    "to_csv",
    "to_json",
    "write_export",
]
