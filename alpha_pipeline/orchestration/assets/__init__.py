"""The assets: read, call the library, return with metadata.

These modules do without `from __future__ import annotations`: Dagster reads the annotations themselves.
"""
