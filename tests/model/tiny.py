"""A tiny random captioner of the real classes, for tests that compare ways of computing the same thing."""

import torch

from model.caption.clipcap import ClipCap, ClipCapConfig
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.tokenizer import CaptionTokenizer
from model.clip.pair import ClipPair, PairConfig

TEXTS = [
    "a dog runs over the grass with a red ball",
    "two people cross the street at a zebra crossing",
    "seekor anjing berlari di rumput dengan bola merah",
    "dua orang menyeberang jalan di zebra cross",
    "careful, the road ahead is broken, keep to the left",
] * 4


def tokenizer() -> CaptionTokenizer:
    return CaptionTokenizer.train(TEXTS, 400)


def clipcap(vocabulary: int = 60, seed: int = 0, **shape) -> ClipCap:
    torch.manual_seed(seed)
    shape = {"embedding_dim": 12, "prefix_length": 3, "width": 32, "layers": 2, "heads": 4, "positions": 64} | shape
    model = ClipCap(ClipCapConfig(vocabulary=vocabulary, **shape))
    # Sharper than the usual start and less drawn to the last token, so that captions differ between photos.
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.25)
    with torch.no_grad():
        model.gpt.transformer.wte.weight.mul_(0.2)
        model.gpt.transformer.ln_f.weight.mul_(20)
    return model.eval()


def checkpoint_parts(seed: int = 0) -> tuple[ClipPair, FeatureCaptioner]:
    words = tokenizer()
    torch.manual_seed(seed)
    pair = ClipPair(
        PairConfig(len(words), words.pad_id, words.end_id, embedding_dim=16, grid_side=2, text_width=32, text_layers=1),
        words,
    )
    model = clipcap(len(words), seed, embedding_dim=16, grid_cells=4, grid_channels=1280)
    return pair.eval(), FeatureCaptioner(model, words, DecodingOptions(beams=2, max_tokens=12))
