"""How accepted alphas leave: a submitter takes records and delivers them somewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from alpha_pipeline.errors import BadInput
from alpha_pipeline.export.formats import FORMATS, write_export
from alpha_pipeline.export.record import ExportRecord


class AlphaSubmitter(ABC):
    """Delivers accepted alphas."""

    @abstractmethod
    def submit(self, records: Sequence[ExportRecord]) -> list[str]:
        """Deliver the records.

        Returns:
            Where each of them is now, in words a person can follow: a path, an address.

        Raises:
            BadInput: something the user must mend first; nothing was delivered.
        """


class ManualExporter(AlphaSubmitter):
    """Writes files from which a person pastes alphas into the platform.

    Args:
        folder: where the files go; made when first written to.
        name: their name without the ending.
        formats: what `submit` writes.
    """

    def __init__(self, folder: str | Path, name: str = "alphas", formats: Sequence[str] = ("json", "csv")) -> None:
        if not name or Path(name).name != name or name.startswith("."):
            raise BadInput(f"{name!r} is not a file name", "export name", "give a name without folders")
        self.folder, self.name, self.formats = Path(folder), name, tuple(formats)

    def submit(self, records: Sequence[ExportRecord]) -> list[str]:
        """Write every format; each record is in each file."""
        _passed(records)
        files = [self.export_to_file(records, format) for format in self.formats]
        return [", ".join(map(str, files)) for _ in records]

    def export_to_file(self, records: Sequence[ExportRecord], format: str = "json") -> Path:
        """Write one file, replacing an earlier one, and say where it is.

        Raises:
            BadInput: an unknown format, an alpha that was not accepted, or a folder that cannot be written to.
        """
        if format not in FORMATS:
            raise BadInput(f"{format!r} is not an export format", "option 'format'", f"use {' or '.join(FORMATS)}")
        _passed(records)
        return write_export(records, self.folder / f"{self.name}.{format}", format)


def _passed(records: Sequence[ExportRecord]) -> None:
    """Refuse what must not leave: a rejected alpha, and one that depends on the level of adjusted prices."""
    for record in records:
        if record.validation_status != "PASSED":
            raise BadInput(
                f"{record.alpha_id} is {record.validation_status}", "the export", "export accepted alphas only"
            )
        if record.provenance.price_level != "PASS":
            raise BadInput(f"{record.alpha_id} fails PRICE_LEVEL", "the export", "leave it out: it trades an artefact")
