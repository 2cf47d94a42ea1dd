"""In which precision a captioner computes: float32, bfloat16, or int8 in the captioner's linear layers."""

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from model.caption.captioner import Captioner
from model.clip.pair import ClipPair

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
LARGE = 100_000_000  # parameters; a smaller model reads its weights fast enough as they are


class Int8Linear(nn.Module):
    """A linear layer whose weights are int8 with one scale an output; a call's input is quantised with one scale, as
    it comes. (..., in) float32 -> (..., out) float32."""

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


def choose(precision: str, parameters: int) -> str:
    """What "auto" stands for on this machine: bfloat16 for a large model where the processor computes in it."""
    if precision != "auto":
        return precision
    return "bfloat16" if parameters >= LARGE and torch.cpu._is_avx512_bf16_supported() else "float32"


@torch.no_grad()
def set_precision(precision: str, pair: ClipPair, captioner: Captioner) -> None:
    """Change the loaded float32 model in place. `precision`: "float32", "bfloat16" or "int8" (on a CPU only)."""
    if precision == "bfloat16":
        pair.bfloat16()
        captioner.bfloat16()
    elif precision == "int8":
        for module in list(captioner.modules()):
            for name, layer in module.named_children():
                if isinstance(layer, nn.Linear):
                    setattr(module, name, Int8Linear(layer.weight.float(), layer.bias))
                elif isinstance(layer, Conv1D):  # GPT-2's, its weight the other way round
                    setattr(module, name, Int8Linear(layer.weight.T.contiguous(), layer.bias))
