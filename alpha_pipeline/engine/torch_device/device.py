"""The matrices of a panel on a torch device, and steps of a plan run there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from alpha_pipeline.engine import tree
from alpha_pipeline.engine.arguments import leaves_the_universe, number_of, setting_values, window_of
from alpha_pipeline.engine.buffers import typed_writable
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.engine.torch_device.host import run_on_host
from alpha_pipeline.engine.torch_device.kernels import TORCH_KERNELS, TorchKernel
from alpha_pipeline.engine.torch_device.kernels.grouping import Groups
from alpha_pipeline.engine.torch_device.kernels.kernel import Events, only
from alpha_pipeline.engine.torch_device.plan import MATRICES
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import OPERATORS, Call, Choices, Constant, Field, Node, Operator, Slot, ValueType
from alpha_pipeline.market.panel import Panel

CELLS = {"cuda": 1 << 24, "cpu": 1 << 18}
"""Cells that a kernel is given at a time: enough to keep a GPU busy, and to stay in a CPU's caches."""

WORK = 200  # bytes that a kernel may take for a cell: its inputs stacked, and some twenty float64 values
SHARE = 4  # one part in so many of the memory is for that

Rows = tuple[slice, slice]
ALL = slice(None)


def torch_device(name: str) -> torch.device:
    """The device of that name.

    Raises:
        BadInput: torch knows no such device, or there is none here.
    """
    where = "option --device (or ALPHA_DEVICE)"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"torch knows no device {name!r}", where, "use cuda, cuda:0 or cpu") from error
    if device.type not in CELLS:
        raise BadInput(f"expressions do not run on {name!r}", where, "use cuda, cuda:0 or cpu")
    if device.type == "cuda":
        if not torch.cuda.is_available():
            mend = "use --device cpu, or install torch with CUDA on a machine with an NVIDIA GPU"
            raise BadInput("there is no CUDA device here", where, mend)
        if device.index is not None and device.index >= torch.cuda.device_count():
            count = torch.cuda.device_count()
            raise BadInput(f"there is no CUDA device {device.index} here", where, f"there are {count}, from cuda:0")
    return device


class Device:
    """Runs calls on a panel.

    Args:
        name: of the device.
        memory: bytes; see `TorchEngine`.
        strict: windows must be full of valid values.
    """

    def __init__(self, panel: Panel, name: str, memory: int, strict: bool, choices: Choices) -> None:
        self.torch_device = torch_device(name)
        self._panel = panel
        self._memory = memory
        self._strict = strict
        self._choices = choices
        self._cells = max(1, min(CELLS[self.torch_device.type], memory // SHARE // WORK))
        self.clear()

    def clear(self) -> None:
        """Forget what has been copied to the device."""
        self._fields: dict[str, Tensor] = {}
        self._groups: dict[str, Groups] = {}
        self._events: dict[str, Events] = {}
        self._universe: Tensor | None = None

    def room(self) -> int:
        """Matrices that the memory has room for, beside the panel's and a kernel's work."""
        cells = self._panel.shape[0] * self._panel.shape[1]
        fields = sum(each.numel() * each.element_size() for each in self._fields.values())
        events = sum(4 * each.values.numel() + 8 * each.lengths.numel() for each in self._events.values())
        left = self._memory - fields - events - cells - self._cells * WORK  # the universe takes a byte a cell
        return max(0, left) // max(1, 4 * cells)

    def fetched(self, node: Node, values: Mapping[Call, Tensor]) -> Matrix:
        """The value of a root on the host: float32 [dates, instruments]; read only where it is the panel's own."""
        if isinstance(node, Field) and node.name in self._panel.fields:
            return np.asarray(self._panel.fields[node.name])
        value: Matrix = self._matrix(node, values).cpu().numpy()
        return value

    # -- steps -------------------------------------------------------------------------------------------------------

    def run(self, calls: Sequence[Call], values: Mapping[Call, Tensor]) -> list[Tensor]:
        """The values of calls that are one step.

        Raises:
            BadInput: the device has less memory than the engine was told to use.
        """
        try:
            return self._step(calls, values)
        except torch.OutOfMemoryError as error:
            where = "memory of the engine"
            raise BadInput(
                f"{self.torch_device} has no room left for {calls[0].operator}", where, "give less"
            ) from error

    def _step(self, calls: Sequence[Call], values: Mapping[Call, Tensor]) -> list[Tensor]:
        kernel, operator = TORCH_KERNELS.get(calls[0].operator), OPERATORS[calls[0].operator]
        made_here = [argument for argument in calls[0].arguments if isinstance(argument, Call) and _is_vector(argument)]
        if kernel is None or made_here:
            return [self._on_host(call, operator, values) for call in calls]
        dates, instruments = self._panel.shape
        at_once = 1 if kernel.axis == "all" else max(1, self._cells // max(1, dates * instruments))
        found: list[Tensor] = []
        for start in range(0, len(calls), at_once):
            found += self._stacked(kernel, operator, calls[start : start + at_once], values)
        return found

    def _stacked(
        self, kernel: TorchKernel, operator: Operator, calls: Sequence[Call], values: Mapping[Call, Tensor]
    ) -> list[Tensor]:
        """The values of some calls that fit together, block by block."""
        dates, instruments = self._panel.shape
        found = [torch.empty(self._panel.shape, dtype=torch.float32, device=self.torch_device) for _ in calls]
        if not dates * instruments:
            return found
        before = _rows_before(operator, calls[0]) if kernel.axis == "rows" else 0
        across = len(calls) * (dates if kernel.axis == "columns" else instruments)
        step = max(1, self._cells // across, before)  # no block does more for the days before it than for its own
        length = instruments if kernel.axis == "columns" else dates
        step = length if kernel.axis == "all" else min(step, length)
        for low in range(0, length, step):
            high = min(low + step, length)
            first = max(0, low - before)
            block = (ALL, slice(low, high)) if kernel.axis == "columns" else (slice(first, high), ALL)
            result = kernel.run(*self._arguments(kernel, operator, calls, values, block))
            kept = result[..., low - first :, :] if result.shape[-2] > 1 else result
            target = block if kernel.axis == "columns" else (slice(low, high), ALL)
            for number, each in enumerate(found):
                each[target] = kept[number if len(kept) > 1 else 0]  # rounds to float32
        return found

    def _arguments(
        self,
        kernel: TorchKernel,
        operator: Operator,
        calls: Sequence[Call],
        values: Mapping[Call, Tensor],
        block: Rows,
    ) -> list[Any]:
        """What a kernel is handed for a block; see `TorchKernel.run`."""
        masked = tree.masks(operator)
        arguments: list[Any] = []
        for position, slot in enumerate(operator.slots_of(len(calls[0].arguments))):
            each = [call.arguments[position] for call in calls]
            if slot is Slot.VECTOR:
                assert isinstance(each[0], Field)
                arguments.append(self._vector(each[0].name))
            elif slot is Slot.GROUP and isinstance(each[0], Field):
                arguments.append(self._group(each[0].name))
            elif slot is Slot.GROUP:
                arguments.append(Groups(self._stack(each, False, values, block)))
            elif slot in MATRICES and isinstance(each[0], Constant):
                arguments.append(self._numbers(each, kernel, block))
            elif slot in MATRICES:
                arguments.append(self._stack(each, masked, values, block))
            elif slot is Slot.WINDOW:
                arguments += window_of(operator, each[0], self._strict)
            else:
                arguments.append(number_of(each[0]))
        arguments += setting_values(operator, calls[0].attributes, self._choices)
        if kernel.shaped:
            arguments.append(torch.arange(1, self._panel.shape[0] + 1, device=self.torch_device)[:, None])
        return arguments

    def _stack(self, nodes: Sequence[Node], masked: bool, values: Mapping[Call, Tensor], block: Rows) -> Tensor:
        """Matrices [calls, dates, instruments] of a block."""
        parts = [self._input(node, masked, values, block) for node in nodes]
        return parts[0][None] if len(parts) == 1 else torch.stack(parts)

    def _input(self, node: Node, masked: bool, values: Mapping[Call, Tensor], block: Rows) -> Tensor:
        part = self._matrix(node, values)[block]
        if masked and leaves_the_universe(node, self._panel.fields):
            part = only(part, self._member()[block])
        return part

    def _numbers(self, nodes: Sequence[Node], kernel: TorchKernel, block: Rows) -> Tensor:
        numbers = torch.tensor([number_of(node) for node in nodes], dtype=torch.float32, device=self.torch_device)
        numbers = numbers[:, None, None]
        if kernel.axis == "cells":
            return numbers
        rows, columns = (len(range(*cut.indices(size))) for cut, size in zip(block, self._panel.shape, strict=True))
        return numbers.expand(len(nodes), rows, columns)

    def _on_host(self, call: Call, operator: Operator, values: Mapping[Call, Tensor]) -> Tensor:
        masked = tree.masks(operator)
        matrices: dict[int, Matrix] = {}
        for position, slot in enumerate(operator.slots_of(len(call.arguments))):
            argument = call.arguments[position]
            own_group = slot is Slot.GROUP and isinstance(argument, Field)
            if slot in MATRICES and not isinstance(argument, Constant) and not own_group:
                part = self._input(argument, masked and slot is not Slot.GROUP, values, (ALL, ALL))
                matrices[position] = part.cpu().numpy()
        windows: Literal["partial", "strict"] = "strict" if self._strict else "partial"
        value = run_on_host(call, matrices, self._panel, windows, self._choices)
        return self._copied(value)

    # -- the panel ---------------------------------------------------------------------------------------------------

    def _copied(self, array: np.ndarray[Any, Any]) -> Tensor:
        """The array on the device; on the CPU the same memory, which nobody writes to."""
        return torch.from_numpy(typed_writable(array)).to(self.torch_device)

    def _matrix(self, node: Node, values: Mapping[Call, Tensor]) -> Tensor:
        """A node's value [dates, instruments]; of a group its codes."""
        if isinstance(node, Call):
            return values[node]
        if isinstance(node, Constant):
            return torch.full(self._panel.shape, node.value, dtype=torch.float32, device=self.torch_device)
        if node.name not in self._fields:
            field = self._panel.fields.get(node.name)
            if field is None:
                codes = self._copied(self._panel.groups[node.name])
                return codes.to(torch.float32).expand(self._panel.shape)
            self._fields[node.name] = self._copied(field)
        return self._fields[node.name]

    def _member(self) -> Tensor:
        if self._universe is None:
            self._universe = self._copied(self._panel.universe)
        return self._universe

    def _group(self, name: str) -> Groups:
        if name not in self._groups:
            self._groups[name] = Groups(self._copied(self._panel.groups[name])[None, None])
        return self._groups[name]

    def _vector(self, name: str) -> Events:
        if name not in self._events:
            vector = self._panel.vectors[name]
            lengths = np.diff(vector.offsets)
            self._events[name] = Events(self._copied(vector.values), self._copied(lengths), self._panel.shape)
        return self._events[name]


def _is_vector(call: Call) -> bool:
    """Whether it gives a vector field, which is made on the host."""
    return OPERATORS[call.operator].result is ValueType.VECTOR


def _rows_before(operator: Operator, call: Call) -> int:
    """Days before a block of dates that a kernel by rows looks at."""
    position = operator.window_of(len(call.arguments))
    return 0 if position is None else int(number_of(call.arguments[position])) - 1
