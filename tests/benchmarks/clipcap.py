"""`python -m tests.benchmarks.clipcap`: ClipCap at full size, ours beside others, turn by turn on the same photo.

CLIP RN50x4, transformer mapping network with prefix 40, GPT-2 small, all with random weights; nothing stops a caption
before its number of tokens. "original" is a plain restatement of the original's algorithm: float32, no cache, every
beam read from the start at every token.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    GenerationConfig,
    GPT2Config,
    GPT2LMHeadModel,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTModel,
)

from model import checkpoint
from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.decoding import DecodingOptions, decode
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.tokenizer import Gpt2Tokenizer
from model.clip.pair import ClipPair, PairConfig
from model.clip.preprocess import clip_preprocess
from model.clip.tokenizer import ClipTokenizer
from model.describe import Describer
from model.serving import optimize_for_inference
from tests.model import original as small
from tests.model import published

ROOT = Path(__file__).resolve().parents[2]
GPT2_VOCABULARY, CLIP_VOCABULARY = 50257, 49408
NEVER = -1  # as the token that ends a caption
# A fresh process loads a checkpoint: seconds, and in MB the most memory that took beyond the imports and what is
# resident after it, after a caption and after a text.
LOADING = """
import sys, time
from PIL import Image
from model.describe import Describer
def mb(field):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024
before = mb("VmRSS"); start = time.perf_counter()
describer = Describer.load(sys.argv[1], precision=sys.argv[2])
print(time.perf_counter() - start, mb("VmHWM") - before, mb("VmRSS"))
describer.describe(Image.new("RGB", (640, 480)))
print(mb("VmRSS"))
describer.embed_texts(["a red bicycle by the station"])
print(mb("VmRSS"))
"""


def full_size(precision: str = "float32", laid_out: bool = True) -> tuple[ClipPair, ClipCap]:
    """RN50x4 and its text tower, mapping network and GPT-2 small, the same random weights at every call; as the service
    has them or, not `laid_out`, as transformers does."""
    torch.manual_seed(0)
    config = PairConfig(
        vocabulary=CLIP_VOCABULARY, pad_id=0, start_id=49406, end_id=49407, embedding_dim=640, grid_side=0,
        text_width=640, text_layers=12, text_heads=10, text_context=77, tokenizer="clip",
        activation="quick_gelu", image="resnet", image_layers=(4, 6, 10, 6), image_width=80, image_heads=40,
        image_size=288,
    )  # fmt: skip
    pair = ClipPair(config, None, clip_preprocess(288)).eval()
    clipcap = ClipCap(
        ClipCapConfig(
            embedding_dim=640,
            prefix_length=40,
            vocabulary=GPT2_VOCABULARY,
            width=768,
            layers=12,
            heads=12,
            positions=1024,
            mapper="transformer",
            clip_length=40,
            mapper_layers=8,
            mapper_heads=8,
            normalized=False,
            dropout=0.0,
        )  # fmt: skip
    ).eval()
    with torch.no_grad():
        clipcap.gpt.transformer.ln_f.weight.mul_(8)  # some tokens are likelier than others, as in a trained one
    if precision == "bfloat16":
        pair.bfloat16()
        clipcap.bfloat16()
    if laid_out:
        optimize_for_inference(FeatureCaptioner(clipcap, None, DecodingOptions()), precision)
        pair.image_tower.to(memory_format=torch.channels_last)
    return pair, clipcap


def full_size_tokenizers() -> tuple[Gpt2Tokenizer, ClipTokenizer]:
    """Small ones, filled up to the published number of tokens."""
    filled = []
    for words, count in ((small.gpt2_tokenizer(), GPT2_VOCABULARY), (published.clip_tokenizer(), CLIP_VOCABULARY)):
        words.add_tokens([f"<{i}>" for i in range(count - words.get_vocab_size())])
        filled.append(words)
    return Gpt2Tokenizer(filled[0]), ClipTokenizer(filled[1])


@torch.inference_mode()
def ours(model: tuple[ClipPair, ClipCap], photos: list[Image.Image], beams: int, tokens: int) -> list[tuple[int, ...]]:
    pair, clipcap = model
    features = pair.encode_image(pair.preprocess(photos))
    options = DecodingOptions.clipcap(beams, tokens)
    return [own[0].token_ids for own in decode(clipcap, clipcap.prefix(features.embedding), [], NEVER, options)]


@torch.inference_mode()
def original(
    model: tuple[ClipPair, ClipCap], photos: list[Image.Image], beams: int, tokens: int
) -> list[tuple[int, ...]]:
    """One photo after the other."""
    pair, clipcap = model
    captions = []
    for photo in photos:
        prefix = clipcap.prefix(pair.image_tower(pair.preprocess([photo])).embedding)
        logits = clipcap.gpt(inputs_embeds=prefix, use_cache=False).logits
        totals, ids = logits[0, -1].log_softmax(-1).topk(beams)  # (K,)
        ids = ids[:, None]  # (K, T)
        generated = torch.cat([prefix.expand(beams, -1, -1), clipcap.gpt.transformer.wte(ids)], dim=1)
        for length in range(2, tokens + 1):
            logits = clipcap.gpt(inputs_embeds=generated, use_cache=False).logits
            sums = totals[:, None] + logits[:, -1].log_softmax(-1)  # (K, V)
            means, flat = (sums / length).flatten().topk(beams)
            source, token = flat // sums.shape[1], flat % sums.shape[1]
            totals, ids = means * length, torch.cat([ids[source], token[:, None]], dim=1)
            word = clipcap.gpt.transformer.wte(token)[:, None]
            generated = torch.cat([generated[source], word], dim=1)
        captions.append(tuple(ids[totals.argmax()].tolist()))
    return captions


@torch.inference_mode()
def generate(model: tuple[ClipPair, ClipCap], photos: list[Image.Image], beams: int, tokens: int) -> Tensor:
    """transformers' beam search with its cache, behind the same CLIP and mapping network."""
    pair, clipcap = model
    prefix = clipcap.prefix(pair.encode_image(pair.preprocess(photos)).embedding)
    return clipcap.gpt.generate(
        inputs_embeds=prefix, attention_mask=torch.ones(prefix.shape[:2]), generation_config=fixed(beams, tokens)
    )


def fixed(beams: int, tokens: int, **ids: int) -> GenerationConfig:
    return GenerationConfig(
        num_beams=beams, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=0, **ids
    )


def blip() -> Callable:
    """BLIP-base as transformers has it by default."""
    torch.manual_seed(0)
    model = BlipForConditionalGeneration(BlipConfig()).eval()
    size = model.config.vision_config.image_size

    @torch.inference_mode()
    def run(photos: list[Image.Image], beams: int, tokens: int) -> Tensor:
        pixels = clip_preprocess(size)(photos)
        return model.generate(pixel_values=pixels, generation_config=fixed(beams, tokens, bos_token_id=1))

    return run


def vit_gpt2() -> Callable:
    """ViT-base and GPT-2 small with cross-attention, as VisionEncoderDecoder models of that kind are."""
    torch.manual_seed(0)
    decoder = GPT2LMHeadModel(GPT2Config(add_cross_attention=True, is_decoder=True))
    model = VisionEncoderDecoderModel(encoder=ViTModel(ViTConfig(), add_pooling_layer=False), decoder=decoder).eval()

    @torch.inference_mode()
    def run(photos: list[Image.Image], beams: int, tokens: int) -> Tensor:
        pixels = clip_preprocess(224)(photos)
        return model.generate(
            pixel_values=pixels,
            generation_config=fixed(beams, tokens, decoder_start_token_id=50256, bos_token_id=50256),
        )

    return run


def medians(systems: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Seconds of each call, the systems taking turns."""
    times: dict[str, list[float]] = {name: [] for name in systems}
    for turn in range(rounds + 1):
        for name, call in systems.items():
            start = time.perf_counter()
            call()
            if turn:  # the first turn warms up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(own) for name, own in times.items()}


def table(title: str, systems: dict[str, Callable], rounds: int, base: str) -> dict[str, float]:
    found = medians(systems, rounds)
    print(f"\n{title}; medians of {rounds}, seconds, and how many times as fast as {base}")
    for name, seconds in found.items():
        print(f"  {name:<28}{seconds:>8.3f}{found[base] / seconds:>8.1f} x", flush=True)
    return found


def agreement(precision: str) -> tuple[int, int]:
    """How many captions of the sample photos, in each language and style, are the same in float32; and of how many.
    Of the embedded captioner, since random weights leave the likeliest words all but equally likely."""
    photos = [Image.open(path).convert("RGB") for path in sorted((ROOT / "data/samples").glob("*.jpg"))]
    exact, other = Describer.load(), Describer.load(precision=precision)
    same = [
        a.text == b.text
        for language in exact.info.languages
        for style in exact.info.styles
        for a, b in zip(exact.describe_many(photos, language, style), other.describe_many(photos, language, style))
    ]
    return sum(same), len(same)


def print_loading() -> None:
    pair, clipcap = full_size(laid_out=False)
    words, pair.tokenizer = full_size_tokenizers()
    captioner = FeatureCaptioner(clipcap, words, DecodingOptions.clipcap())
    parameters = sum(p.numel() for part in (pair, captioner) for p in part.parameters())
    print(
        f"\n{parameters / 1e6:.0f} million parameters. Loading a checkpoint kept in 16 bits a weight, from a warm disk:"
    )
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(folder, "full-size", pair, captioner, torch.bfloat16)
        for precision in ("float32", "bfloat16", "int8"):
            command = [sys.executable, "-c", LOADING, folder, precision]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            seconds, peak, *resident = map(float, done.stdout.split())
            after = ", ".join(f"{mb:.0f} MB" for mb in resident)
            print(
                f"  {precision:<10}{seconds:>6.1f} s, {peak:>6.0f} MB more at most; resident after it, a caption, "
                f"a text: {after}"
            )


@click.command()
@click.option("--rounds", type=int, default=3, show_default=True)
@click.option("--threads", type=int, help="Of torch; by default as many as it sees fit.")
def main(rounds: int, threads: int | None) -> None:
    """Time captions of full-size models with random weights."""
    torch.set_num_threads(threads or torch.get_num_threads())
    with Image.open(ROOT / "data/samples/chelsea.jpg") as opened:
        photo = opened.convert("RGB")
    native = torch.cpu._is_avx512_bf16_supported()
    models = {name: full_size(name) for name in ["float32", "int8", *(["bfloat16"] if native else [])]}
    exact = models["float32"]
    others = {name: full_size(name, laid_out=False) for name in models if name != "int8"}
    plain = others["float32"]
    kind = "has" if native else "does not have"
    print(f"{torch.get_num_threads()} threads; the processor {kind} units for bfloat16")
    same = ours(exact, [photo], 7, 30) == original(plain, [photo], 7, 30)
    print(f"30 tokens, beam 7: ours in float32 and the original say {'the same' if same else 'NOT the same'}")
    for beams in (7, 1):
        for tokens in (12, 30):
            asked = {"photos": [photo], "beams": beams, "tokens": tokens}
            systems = {"original": partial(original, plain, **asked)}
            for name, model in models.items():
                systems[f"ours, {name}"] = partial(ours, model, **asked)
            for name, model in others.items():
                systems[f"generate(), {name}"] = partial(generate, model, **asked)
            table(f"photo to {tokens} tokens, beam {beams}", systems, rounds, "original")
    rivals = {"BLIP-base": blip(), "ViT-GPT2": vit_gpt2()}
    systems = {f"ours, {name}": partial(ours, model, [photo], 7, 12) for name, model in models.items()}
    systems |= {name: partial(run, [photo], 7, 12) for name, run in rivals.items()}
    table("photo to 12 tokens, beam 7, other models", systems, rounds, "ours, float32")
    for name, model in models.items():
        systems = {f"{n} photo{'s' * (n > 1)}, {name}": partial(ours, model, [photo] * n, 7, 12) for n in (1, 8)}
        one, eight = medians(systems, rounds).values()
        print(f"\n{name}, beam 7, 12 tokens: {1 / one:.2f} photos/s one by one, {8 / eight:.2f} in batches of 8")
    print()
    for name in ("bfloat16", "int8"):
        same, count = agreement(name)
        print(f"{name}: {same} of {count} captions of the embedded captioner are those of float32")
    print_loading()


if __name__ == "__main__":
    main()
