"""CLIP and its weights as published, written down once more in the plainest form, to compare ours with.

Tensors are under OpenAI's names (arXiv 2103.00020 and its weights); `photo_embedding` and `text_embedding` compute with
them and torch's own functions alone.
"""

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn

TEXTS = ["a photo of a dog", "two people cross the street at a zebra crossing", "a red bicycle by the station"] * 3


def clip_tokenizer() -> Tokenizer:
    """A small one of CLIP's kind: lower case, byte-level, words that end in </w>, the end token last."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        end_of_word_suffix="</w>",
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    return tokenizer


def bottleneck(t: dict, name: str, channels: int, planes: int, stride: int) -> int:
    convolution(t, f"{name}.conv1", f"{name}.bn1", channels, planes, 1)
    convolution(t, f"{name}.conv2", f"{name}.bn2", planes, planes, 3)
    convolution(t, f"{name}.conv3", f"{name}.bn3", planes, 4 * planes, 1)
    if stride > 1 or channels != 4 * planes:
        convolution(t, f"{name}.downsample.0", f"{name}.downsample.1", channels, 4 * planes, 1)
    return 4 * planes


def convolution(t: dict, conv: str, norm: str, channels: int, out: int, kernel: int) -> None:
    t[f"{conv}.weight"] = torch.randn(out, channels, kernel, kernel) * (2 / (channels * kernel**2)) ** 0.5
    t[f"{norm}.weight"], t[f"{norm}.bias"] = 0.5 + torch.rand(out) / 2, torch.randn(out) / 10
    t[f"{norm}.running_mean"], t[f"{norm}.running_var"] = torch.randn(out) / 10, 0.5 + torch.rand(out)
    t[f"{norm}.num_batches_tracked"] = torch.tensor(7)


def linear(t: dict, name: str, inputs: int, outputs: int) -> None:
    t[f"{name}.weight"], t[f"{name}.bias"] = torch.randn(outputs, inputs) / inputs**0.5, torch.randn(outputs) / 10


def norm(t: dict, name: str, width: int) -> None:
    t[f"{name}.weight"], t[f"{name}.bias"] = 0.5 + torch.rand(width), torch.randn(width) / 10


def transformer(t: dict, name: str, width: int, layers: int) -> None:
    for i in range(layers):
        block = f"{name}transformer.resblocks.{i}"
        t[f"{block}.attn.in_proj_weight"] = torch.randn(3 * width, width) / width**0.5
        t[f"{block}.attn.in_proj_bias"] = torch.randn(3 * width) / 10
        linear(t, f"{block}.attn.out_proj", width, width)
        norm(t, f"{block}.ln_1", width)
        norm(t, f"{block}.ln_2", width)
        linear(t, f"{block}.mlp.c_fc", width, 4 * width)
        linear(t, f"{block}.mlp.c_proj", 4 * width, width)


def text_weights(t: dict, vocabulary: int, context: int, width: int, layers: int, dim: int) -> None:
    t["token_embedding.weight"] = torch.randn(vocabulary, width) / 5
    t["positional_embedding"] = torch.randn(context, width) / 5
    transformer(t, "", width, layers)
    norm(t, "ln_final", width)
    t["text_projection"] = torch.randn(width, dim) / width**0.5
    t["logit_scale"] = torch.tensor(4.6)


def resnet_weights(
    vocabulary: int, layers=(1, 2, 1, 1), width=16, side=2, dim=24, context=20, text_width=128, text_layers=2, seed=0
) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    t: dict[str, Tensor] = {}
    convolution(t, "visual.conv1", "visual.bn1", 3, width // 2, 3)
    convolution(t, "visual.conv2", "visual.bn2", width // 2, width // 2, 3)
    convolution(t, "visual.conv3", "visual.bn3", width // 2, width, 3)
    channels = width
    for stage, count in enumerate(layers):
        for i in range(count):
            stride = 2 if stage and not i else 1
            channels = bottleneck(t, f"visual.layer{stage + 1}.{i}", channels, width * 2**stage, stride)
    t["visual.attnpool.positional_embedding"] = torch.randn(side**2 + 1, channels) / channels**0.5
    for one in ("q_proj", "k_proj", "v_proj"):
        linear(t, f"visual.attnpool.{one}", channels, channels)
    linear(t, "visual.attnpool.c_proj", channels, dim)
    text_weights(t, vocabulary, context, text_width, text_layers, dim)
    return t


def vit_weights(vocabulary: int, width=128, layers=2, patch=8, side=3, dim=24, seed=0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    t: dict[str, Tensor] = {
        "visual.class_embedding": torch.randn(width) / 5,
        "visual.positional_embedding": torch.randn(side**2 + 1, width) / 5,
        "visual.conv1.weight": torch.randn(width, 3, patch, patch) / (3 * patch**2) ** 0.5,
        "visual.proj": torch.randn(width, dim) / width**0.5,
    }
    norm(t, "visual.ln_pre", width)
    norm(t, "visual.ln_post", width)
    transformer(t, "visual.", width, layers)
    text_weights(t, vocabulary, 20, 128, 2, dim)
    return t


def photo_embedding(t: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """(B, 3, S, S) -> (B, D)."""
    return _vit(t, pixels) if "visual.proj" in t else _resnet(t, pixels)


def _conv_norm(t: dict, x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
    weight = t[f"{conv}.weight"]
    x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
    names = ("running_mean", "running_var", "weight", "bias")
    return F.batch_norm(x, *(t[f"{norm}.{name}"] for name in names))


def _resnet(t: dict, x: Tensor) -> Tensor:
    v = "visual."
    x = F.relu(_conv_norm(t, x, v + "conv1", v + "bn1", stride=2))
    x = F.relu(_conv_norm(t, x, v + "conv2", v + "bn2"))
    x = F.avg_pool2d(F.relu(_conv_norm(t, x, v + "conv3", v + "bn3")), 2)
    for stage in (1, 2, 3, 4):
        i = 0
        while f"{v}layer{stage}.{i}.conv1.weight" in t:
            b = f"{v}layer{stage}.{i}."
            stride = 2 if stage > 1 and i == 0 else 1
            y = F.relu(_conv_norm(t, x, b + "conv1", b + "bn1"))
            y = F.relu(_conv_norm(t, y, b + "conv2", b + "bn2"))
            y = _conv_norm(t, F.avg_pool2d(y, stride), b + "conv3", b + "bn3")
            if f"{b}downsample.0.weight" in t:
                x = _conv_norm(t, F.avg_pool2d(x, stride), b + "downsample.0", b + "downsample.1")
            x, i = F.relu(x + y), i + 1
    p = "visual.attnpool."
    width = x.shape[1]
    cells = x.flatten(2).permute(2, 0, 1)  # (S S, B, C)
    cells = torch.cat([cells.mean(0, keepdim=True), cells]) + t[p + "positional_embedding"][:, None]
    pooled, _ = F.multi_head_attention_forward(
        cells[:1], cells, cells, width, width // 64, None,
        torch.cat([t[f"{p}{one}_proj.bias"] for one in "qkv"]), None, None, False, 0.0,
        t[p + "c_proj.weight"], t[p + "c_proj.bias"], training=False, need_weights=False,
        use_separate_proj_weight=True, q_proj_weight=t[p + "q_proj.weight"], k_proj_weight=t[p + "k_proj.weight"],
        v_proj_weight=t[p + "v_proj.weight"],
    )  # fmt: skip
    return pooled[0]


def _transformer(t: dict, x: Tensor, name: str, mask: Tensor | None) -> Tensor:
    """(L, B, W) -> (L, B, W)."""
    i, width = 0, x.shape[-1]
    while f"{name}transformer.resblocks.{i}.ln_1.weight" in t:
        b = f"{name}transformer.resblocks.{i}."
        y = F.layer_norm(x, (width,), t[b + "ln_1.weight"], t[b + "ln_1.bias"])
        y, _ = F.multi_head_attention_forward(
            y, y, y, width, width // 64, t[b + "attn.in_proj_weight"], t[b + "attn.in_proj_bias"], None, None, False,
            0.0, t[b + "attn.out_proj.weight"], t[b + "attn.out_proj.bias"], training=False, need_weights=False,
            attn_mask=mask,
        )  # fmt: skip
        x = x + y
        y = F.layer_norm(x, (width,), t[b + "ln_2.weight"], t[b + "ln_2.bias"])
        y = F.linear(y, t[b + "mlp.c_fc.weight"], t[b + "mlp.c_fc.bias"])
        x = x + F.linear(y * torch.sigmoid(1.702 * y), t[b + "mlp.c_proj.weight"], t[b + "mlp.c_proj.bias"])
        i += 1
    return x


def _vit(t: dict, x: Tensor) -> Tensor:
    weight = t["visual.conv1.weight"]
    x = F.conv2d(x, weight, stride=weight.shape[-1]).flatten(2).transpose(1, 2)  # (B, L, W)
    x = torch.cat([t["visual.class_embedding"].expand(len(x), 1, -1), x], dim=1) + t["visual.positional_embedding"]
    x = F.layer_norm(x, x.shape[-1:], t["visual.ln_pre.weight"], t["visual.ln_pre.bias"])
    x = _transformer(t, x.transpose(0, 1), "visual.", None)[0]
    return F.layer_norm(x, x.shape[-1:], t["visual.ln_post.weight"], t["visual.ln_post.bias"]) @ t["visual.proj"]


def text_embedding(t: dict[str, Tensor], ids: list[int]) -> Tensor:
    """One sentence, start and end token included, padded with 0 to the context; pooled at the highest id -> (D,)."""
    context = len(t["positional_embedding"])
    tokens = torch.tensor(ids + [0] * (context - len(ids)))
    x = t["token_embedding.weight"][tokens] + t["positional_embedding"]
    mask = torch.full((context, context), float("-inf")).triu(1)
    x = _transformer(t, x[:, None], "", mask)[:, 0]
    x = F.layer_norm(x, x.shape[-1:], t["ln_final.weight"], t["ln_final.bias"])
    return x[tokens.argmax()] @ t["text_projection"]


def torchscript(t: dict[str, Tensor], path) -> None:
    """Save the tensors as OpenAI's archive has them: half precision, scripted, three numbers beside the weights."""
    root = nn.Module()
    for name, tensor in t.items():
        *parents, last = name.split(".")
        module = root
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, nn.Module())
            module = getattr(module, parent)
        if last.startswith(("running", "num")):
            module.register_buffer(last, tensor.clone())
        else:
            module.register_parameter(last, nn.Parameter(tensor.half(), requires_grad=False))
    for name, value in (("input_resolution", 64), ("context_length", 20), ("vocab_size", 400)):
        root.register_buffer(name, torch.tensor(value))
    torch.jit.save(torch.jit.script(root), str(path))
