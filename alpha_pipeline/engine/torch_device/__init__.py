"""The engine on a torch device: the same expressions, fields and rules as `alpha_pipeline.engine.Engine`, batches of
expressions at a time.

    plan     in which order the calls of a batch run, which of them as one; no torch
    device   matrices on the device, a step's kernel run on blocks that fit
    kernels  operators as functions of stacked tensors
    host     operators without such a kernel, by the CPU engine

What is held equal to the CPU engine, and tested on torch's CPU device:

- Every cell of every operator: missing and infinite cells the same, values within 2e-5 of their size as the CPU kernels
  are held to the plain ones. Both work in float64 and round once, so that nearly all float32 results are the same bits;
  logarithms and powers may differ in the last bits, which are NumPy's float32 ones there.
- Metrics (sharpe, turnover, fitness) within a relative 1e-5.

Results do not depend on the memory, on which expressions run together or on how they are cut. Torch is imported when a
`TorchEngine` is made, not before.
"""

from alpha_pipeline.engine.torch_device.engine import TorchEngine

__all__ = ["TorchEngine"]
