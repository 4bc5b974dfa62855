"""What a learner knows, in a file: a safetensors file holds numbers and texts and nothing that is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alpha_pipeline.errors import BadInput

TOLD = "told"
"""The one text of a file, as JSON: several would come in another order every time."""
AGAIN = "learn anew, or take a file that was made with the same generator, fields, profile and settings"

Arrays = Mapping[str, npt.NDArray[Any]]


def write(path: Path, arrays: Arrays, told: Mapping[str, Any]) -> None:
    """Write a file, whole or not at all; the same knowledge gives the same bytes."""
    from safetensors.numpy import save_file  # with what it needs, a tenth of a second

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    save_file({name: np.asarray(each, order="C") for name, each in arrays.items()}, partial, {TOLD: json.dumps(told)})
    partial.replace(path)


def read(path: Path, kind: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """The arrays and the text of a file.

    Args:
        path: where it is.
        kind: what "format" of its text must say.

    Raises:
        BadInput: no such file, one that is broken, or one of another format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as held:
            told = json.loads((held.metadata() or {})[TOLD])
            arrays = {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118 (it is no dictionary)
    except FileNotFoundError as error:
        raise BadInput("no such file", str(path), "give the path of what a run has left") from error
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise BadInput(f"it cannot be read ({error})", str(path), AGAIN) from error
    if not isinstance(told, dict) or told.get("format") != kind:
        found = told.get("format") if isinstance(told, dict) else told
        raise BadInput(f"its format is {found!r}, not {kind!r}", str(path), AGAIN)
    return arrays, told
