"""A Panel as a folder: one .npy per array plus manifest.json. Written beside its place, then renamed into it.

A folder that carries the panel's name is therefore complete. A killed writer leaves at most a hidden temporary
folder beside it, which a later writer of that panel removes once it is an hour old (a younger one may be in use).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.panel import Panel, PanelInfo, content_version
from alpha_pipeline.market.vectors import Vectors

MANIFEST = "manifest.json"
LAYOUT = 3  # raised whenever the files change their meaning
REBUILD = "build the panel again with `alpha-pipeline ingest`"


def write_panel(panel: Panel, folder: Path) -> Panel:
    """Store `panel` as `folder` and open it from there. A folder that already holds this version is kept.

    Raises:
        BadInput: the folder exists and is something else than a panel, or the disk refuses.
    """
    if folder.exists():
        if not (folder / MANIFEST).is_file():
            raise BadInput("the folder exists and is not a panel", str(folder), "choose another folder")
        stored = _stored(folder)
        if stored is not None and stored.version == panel.version:
            return stored
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".partial", dir=folder.parent))
    except OSError as error:
        raise BadInput(f"cannot write ({error.strerror})", str(folder), "choose a writable folder") from error
    try:
        _save(panel, temporary)
        if folder.exists():
            folder.replace(temporary.with_suffix(".replaced"))
        temporary.replace(folder)
    except OSError as error:
        stored = _stored(folder)
        if stored is not None and stored.version == panel.version:  # another writer of the same panel was faster
            shutil.rmtree(temporary, ignore_errors=True)
            return stored
        shutil.rmtree(temporary, ignore_errors=True)
        raise BadInput(f"cannot write ({error.strerror})", str(folder), "free some space or choose another") from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sweep(folder)
    return open_panel(folder)


def open_panel(folder: Path, *, verify: bool = False) -> Panel:
    """The panel in `folder`, its arrays memory-mapped read-only.

    Args:
        verify: also recompute the content hash (reads every byte).

    Raises:
        BadInput: no such folder, no manifest, a missing, truncated or misshapen array, a wrong hash.
    """
    manifest = _manifest(folder)
    try:
        if manifest["layout"] != LAYOUT:
            raise BadInput(
                f"the panel has layout {manifest['layout']}, this version reads {LAYOUT}", str(folder), REBUILD
            )
        info = PanelInfo.from_dict(manifest["info"])
        version, names, group_names = str(manifest["version"]), list(manifest["fields"]), list(manifest["groups"])
        shape = (int(manifest["shape"][0]), int(manifest["shape"][1]))
        events = {str(name): int(count) for name, count in manifest.get("vectors", {}).items()}  # none in older panels
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise BadInput(f"the manifest lacks or garbles {error}", str(folder / MANIFEST), REBUILD) from error
    matrix = (np.dtype(np.float32), shape)
    panel = Panel(
        version=version,
        dates=_array(folder, "dates", np.dtype("datetime64[D]"), shape[:1]),
        instruments=_array(folder, "instruments", None, shape[1:]),
        fields={name: _array(folder, f"field_{name}", *matrix) for name in names},
        universe=_array(folder, "universe", np.dtype(np.bool_), shape),
        age=_array(folder, "age", np.dtype(np.int32), shape),
        pnl_returns=_array(folder, "pnl_returns", *matrix),
        groups={name: _array(folder, f"group_{name}", np.dtype(np.int32), shape[1:]) for name in group_names},
        info=info,
        vectors={name: _vectors(folder, name, count, shape) for name, count in events.items()},
    )
    if verify and content_version(panel) != version:
        raise BadInput("the stored arrays do not match the panel's content hash", str(folder), REBUILD)
    return panel


def folder_of(panel: Panel) -> Path | None:
    """The folder that every array of `panel` is memory-mapped from, whole; None for a panel made in memory.

    One that was derived from a stored panel (some of its rows, other returns) shares some of its files and is not it.
    """
    name = getattr(panel.universe, "filename", None)
    folder = Path(name).parent if name is not None else None
    stored = _stored(folder) if folder is not None else None
    if stored is None or stored.version != panel.version:
        return None
    ours, theirs = _arrays(panel), _arrays(stored)
    same = ours.keys() == theirs.keys() and all(_is_whole_file(ours[name], theirs[name]) for name in ours)
    return folder if same else None


def _is_whole_file(array: NDArray[Any], whole: NDArray[Any]) -> bool:
    """Whether `array` is mapped from the file that `whole` is all of: no view of its shape and strides is a part."""
    mapped = isinstance(array, np.memmap) and isinstance(whole, np.memmap) and array.filename == whole.filename
    return mapped and (array.shape, array.strides, array.dtype) == (whole.shape, whole.strides, whole.dtype)


def _stored(folder: Path) -> Panel | None:
    """The panel in `folder` if it is whole, else None: a broken one is replaced."""
    try:
        return open_panel(folder)
    except BadInput:
        return None


def _sweep(folder: Path) -> None:
    """Remove what replaced panels and killed writers left beside `folder`."""
    for leftover in folder.parent.glob(f".{folder.name}-*"):
        if leftover.suffix == ".replaced" or time.time() - leftover.stat().st_mtime > 3600:
            shutil.rmtree(leftover, ignore_errors=True)


def _arrays(panel: Panel) -> dict[str, NDArray[Any]]:
    """Every array of a panel, by the name of its file without the ending."""
    arrays: dict[str, NDArray[Any]] = {
        "dates": panel.dates,
        "instruments": panel.instruments,
        "universe": panel.universe,
        "age": panel.age,
        "pnl_returns": panel.pnl_returns,
    }
    arrays |= {f"field_{name}": values for name, values in panel.fields.items()}
    arrays |= {f"group_{name}": values for name, values in panel.groups.items()}
    for name, events in panel.vectors.items():
        arrays |= {f"vector_{name}.values": events.values, f"vector_{name}.offsets": events.offsets}
    return arrays


def _save(panel: Panel, folder: Path) -> None:
    for name, values in _arrays(panel).items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(values), allow_pickle=False)
    manifest: dict[str, Any] = {
        "layout": LAYOUT,
        "version": panel.version,
        "shape": list(panel.shape),
        "fields": list(panel.fields),
        "groups": list(panel.groups),
        "info": panel.info.to_dict(),
    }
    if panel.vectors:
        manifest["vectors"] = {name: len(events.values) for name, events in panel.vectors.items()}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, default=str), encoding="utf-8")
    folder.chmod(0o755)  # mkdtemp makes private folders; other workers read this one


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise BadInput("there is no such panel", str(folder), "build one with `alpha-pipeline ingest`")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"the folder has no {MANIFEST}", str(folder), "name a panel folder, or " + REBUILD) from error
    except (OSError, ValueError) as error:
        raise BadInput(f"the manifest cannot be read ({error})", str(path), REBUILD) from error
    if not isinstance(manifest, dict):
        raise BadInput("the manifest is not a JSON object", str(path), REBUILD)
    return manifest


def _vectors(folder: Path, name: str, count: int, shape: tuple[int, int]) -> Vectors:
    values = _array(folder, f"vector_{name}.values", np.dtype(np.float32), (count,))
    offsets = _array(folder, f"vector_{name}.offsets", np.dtype(np.int64), (shape[0] * shape[1] + 1,))
    held = Vectors(values, offsets)
    try:
        held.check(shape)  # a kernel that follows broken offsets would read outside its memory
    except ValueError as error:
        raise BadInput(f"the vector field {name} is broken: {error}", str(folder), REBUILD) from error
    return held


def _array(folder: Path, name: str, dtype: np.dtype[Any] | None, shape: tuple[int, ...]) -> NDArray[Any]:
    path = folder / f"{name}.npy"
    try:
        values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise BadInput(f"the array {path.name} is missing", str(folder), REBUILD) from error
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"the array {path.name} cannot be read ({error})", str(folder), REBUILD) from error
    kind_fits = values.dtype.kind == "U" if dtype is None else values.dtype == dtype
    if not kind_fits or values.shape != shape:
        found = f"{values.dtype} {values.shape}"
        raise BadInput(f"the array {path.name} is {found}, expected {dtype or 'text'} {shape}", str(folder), REBUILD)
    return values
