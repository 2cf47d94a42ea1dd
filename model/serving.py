"""How a captioner computes while it serves: in which precision, with linear layers optimised for few rows at a time.

A beam search multiplies every weight with as many rows as it has beams, again for every token: reading the weights is
what takes time.
"""

import ctypes
import sys

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

LARGE = 100_000_000  # parameters; a smaller model reads its weights fast enough as they are
PACKED_FROM = 2**18  # weights; in a smaller layer the call costs more than the layout gains


class PackedLinear(nn.Module):
    """A linear layer in oneDNN's own layout, about twice as fast for 4 to 40 rows. (..., in) -> (..., out), in the
    weights' precision, without gradients."""

    def __init__(self, weight: Tensor, bias: Tensor | None):
        """`weight` (out, in), `bias` (out,)."""
        super().__init__()
        self._weight, self._bias = torch.ops.mkldnn._reorder_linear_weight(weight), bias

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")


class Int8Linear(nn.Module):
    """A linear layer whose weights are int8 with one scale an output; a call's input is quantised with one scale, as
    it comes. (..., in) float32 -> (..., out) float32, without gradients."""

    def __init__(self, weight: Tensor, bias: Tensor | None):
        """`weight` (out, in), `bias` (out,), float32."""
        super().__init__()
        scales = weight.abs().amax(1).clamp(min=1e-8).double() / 127
        zeros = torch.zeros(len(scales), dtype=torch.long)
        rounded = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        self._packed = torch.ops.quantized.linear_prepack(rounded, bias)
        self._reduce_range = not torch.cpu._is_vnni_supported()  # older processors add up in 16 bits

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.quantized.linear_dynamic(x, self._packed, self._reduce_range)


def resolve_precision(precision: str, parameters: int) -> str:
    """What "auto" means on this machine: bfloat16 for a large model where the processor computes in it."""
    if precision != "auto":
        return precision
    return "bfloat16" if parameters >= LARGE and torch.cpu._is_avx512_bf16_supported() else "float32"


@torch.no_grad()
def optimize_for_inference(captioner: nn.Module, precision: str) -> None:
    """Replace the linear layers of a captioner on a CPU, in place; it can be neither trained nor saved afterwards."""
    if precision != "int8" and not torch.backends.mkldnn.is_available():
        return
    kind, least = (Int8Linear, 0) if precision == "int8" else (PackedLinear, PACKED_FROM)
    places = [
        (module, name)
        for module in captioner.modules()
        for name, layer in module.named_children()
        if isinstance(layer, nn.Linear | Conv1D) and layer.weight.numel() >= least
    ]
    for module, name in places:  # nothing else holds a layer: each is freed as soon as it is replaced
        layer = getattr(module, name)
        # GPT-2's Conv1D has its weight the other way round.
        weight = layer.weight.T.contiguous() if isinstance(layer, Conv1D) else layer.weight
        setattr(module, name, kind(weight, layer.bias))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):  # glibc keeps what was freed between what was not
            libc.malloc_trim(0)
