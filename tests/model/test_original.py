"""Checkpoints of the original ClipCap load, and say token for token what the original decoder says."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from model.caption.clipcap_captioner import ClipCapCaptioner
from model.caption.clipcap_import import import_original
from model.caption.decoding import DecodingOptions, decode
from model.caption.original_weights import clipcap_of
from model.checkpoint import CheckpointError
from model.describe import Describer
from model.errors import UnsupportedOption
from model.families import load_captioner
from model.tensors import TensorsError
from tests.model import original, published

ROOT = Path(__file__).parents[2]
DIM = 24  # of the small CLIP in `published`


@pytest.fixture(scope="module")
def words():
    return original.gpt2_tokenizer()


@pytest.fixture(scope="module")
def gpt(words):
    return original.gpt2(words.get_vocab_size())


def usual_stop(gpt, prefixes, beams: int) -> int:
    """The token that most beams hold, each somewhere else: with it as the full stop their lengths differ."""
    said = [ids for prefix in prefixes for ids, _ in original.beam_search(gpt, prefix, -1, beams, most=6)]
    return Counter(token for ids in said for token in set(ids)).most_common(1)[0][0]


def state(kind, gpt) -> dict[str, torch.Tensor]:
    """As `torch.save(model.state_dict(), ...)` of the original wrote it, old mask buffers included."""
    tensors = original.mapper(kind, DIM) | {f"gpt.{k}": v for k, v in gpt.state_dict().items()}
    for layer in range(original.LAYERS):
        tensors[f"gpt.transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 80, 80).tril()
        tensors[f"gpt.transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    return tensors


@pytest.fixture
def files(tmp_path, gpt, words):
    """Both kinds of ClipCap, a CLIP and a GPT-2, as they would have been downloaded."""
    for kind in ("mlp", "transformer"):
        torch.save(state(kind, gpt), tmp_path / f"{kind}.pt")
        torch.save(original.mapper(kind, DIM), tmp_path / f"{kind}_prefix.pt")
    (tmp_path / "clip").mkdir()
    tokenizer = published.clip_tokenizer()
    torch.save(published.resnet_weights(tokenizer.get_vocab_size(), dim=DIM), tmp_path / "clip" / "RN.pt")
    tokenizer.save(str(tmp_path / "clip" / "tokenizer.json"))
    (tmp_path / "gpt2").mkdir()
    save_file({k: v.clone() for k, v in gpt.transformer.state_dict().items()}, tmp_path / "gpt2" / "model.safetensors")
    words.save(str(tmp_path / "gpt2" / "tokenizer.json"))
    return tmp_path


def parts(files) -> dict:
    return {
        "clip": (files / "clip" / "RN.pt", files / "clip" / "tokenizer.json"),
        "gpt2": (files / "gpt2" / "model.safetensors", files / "gpt2" / "tokenizer.json"),
    }


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_prefix_is_the_originals(gpt, kind):
    tensors = state(kind, gpt)
    clipcap = clipcap_of(tensors)
    embeddings = 3 * torch.randn(4, DIM)  # as the tower gives them: not of length 1
    wanted = torch.stack([original.prefix_of(tensors, row) for row in embeddings])
    with torch.inference_mode():
        torch.testing.assert_close(clipcap.prefix(embeddings), wanted, atol=1e-5, rtol=1e-5)
        unit = torch.nn.functional.normalize(embeddings, dim=-1)
        wanted = torch.stack([original.prefix_of(tensors, row) for row in unit])
        got = clipcap_of(tensors, normalized=True).prefix(embeddings)
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
@pytest.mark.parametrize("beams", [1, 3, 7])
def test_captions_are_the_originals_token_for_token(gpt, kind, beams):
    tensors = state(kind, gpt)
    clipcap = clipcap_of(tensors)
    torch.manual_seed(5)
    embeddings = 3 * torch.randn(4, DIM)
    prefix = clipcap.prefix(embeddings)
    stop = usual_stop(gpt, prefix[:2], beams)
    most = DecodingOptions.clipcap().max_tokens if beams == 1 else 14  # the plain way takes its time
    got = decode(clipcap, prefix, [], stop, DecodingOptions.clipcap(beams, most))
    lengths = set()
    for row, own in zip(embeddings, got):
        wanted = original.beam_search(gpt, original.prefix_of(tensors, row), stop, beams, most)
        assert [list(h.token_ids) for h in own] == [ids for ids, _ in wanted]
        assert [h.score for h in own] == pytest.approx([score for _, score in wanted], abs=1e-5)
        assert [sum(h.log_probs) / len(h.log_probs) for h in own] == pytest.approx([h.score for h in own], abs=1e-5)
        if beams == 1:
            assert list(own[0].token_ids) == original.greedy(gpt, original.prefix_of(tensors, row), stop)
        lengths |= {len(h.token_ids) for h in own}
    assert len(lengths) > 1  # they stop, and not all at the same length


def test_batched_equals_single(gpt):
    clipcap = clipcap_of(state("mlp", gpt))
    prefix = clipcap.prefix(3 * torch.randn(5, DIM, generator=torch.Generator().manual_seed(6)))
    stop = usual_stop(gpt, prefix[:2], 7)
    together = decode(clipcap, prefix, [], stop, DecodingOptions.clipcap())
    alone = [decode(clipcap, prefix[i : i + 1], [], stop, DecodingOptions.clipcap())[0] for i in range(5)]
    assert [[h.token_ids for h in own] for own in together] == [[h.token_ids for h in own] for own in alone]


@pytest.mark.process
@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_import_and_serve(files, kind):
    """From FILE.pt to a folder by the command, and from there to a description."""
    command = ["import", files / f"{kind}.pt", "--out", files / "out", "--clip", files / "clip" / "RN.pt", "--gpt2",
               files / "gpt2"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "deploy.main", "models", *map(str, command)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"Saved {kind} into" in done.stdout and "prefix 5" in done.stdout
    describer = Describer.load(files / "out")
    direct = import_original(files / f"{kind}.pt", **parts(files))
    photo = Image.effect_noise((90, 70), 80).convert("RGB")
    told, wanted = (each.caption([photo], "en", "caption") for each in (describer.captioner, ClipCapCaptioner(direct)))
    assert told[0].candidates == wanted[0].candidates and describer.space.id == direct.pair.space.id
    decoder = describer.captioner.decoder
    assert decoder.options == DecodingOptions.clipcap() and not decoder.clipcap.config.normalized
    with pytest.raises(UnsupportedOption, match="unknown language 'id'; use one of en"):
        describer.describe(photo, "id")
    with pytest.raises(UnsupportedOption, match="unknown style 'guide'; use one of caption"):
        describer.describe(photo, "en", "guide")


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_a_file_of_the_prefix_alone_takes_gpt2_from_beside(files, kind):
    whole, alone = (import_original(files / name, **parts(files)) for name in (f"{kind}.pt", f"{kind}_prefix.pt"))
    features = whole.pair.encode_image(torch.randn(1, 3, 64, 64))
    for ours, theirs in zip(alone.captioner.caption(features)[0], whole.captioner.caption(features)[0], strict=True):
        assert ours.token_ids == theirs.token_ids
        assert ours.log_probs == pytest.approx(theirs.log_probs, abs=1e-5)  # sums depend on how memory is aligned


def test_what_does_not_fit_is_named(files, gpt):
    with pytest.raises(CheckpointError, match="no file"):
        import_original(files / "none.pt", **parts(files))
    with pytest.raises(CheckpointError, match="no ClipCap checkpoint"):
        import_original(files / "clip" / "RN.pt", **parts(files))
    with pytest.raises(CheckpointError, match="embeddings of 24 numbers; say from which CLIP"):
        import_original(files / "mlp.pt", gpt2=parts(files)["gpt2"])
    torch.save(original.mapper("mlp", 30) | {f"gpt.{k}": v for k, v in gpt.state_dict().items()}, files / "30.pt")
    with pytest.raises(CheckpointError, match="embeddings of 30 numbers, the CLIP gives 24"):
        import_original(files / "30.pt", **parts(files))
    with pytest.raises(TensorsError, match="mapping network alone"):
        clipcap_of(original.mapper("mlp", DIM))
    with pytest.raises(TensorsError, match=r"holds mapper\.model\.4\.weight, for which a ClipCap has no place"):
        clipcap_of(state("mlp", gpt) | {"clip_project.model.4.weight": torch.zeros(2, 2)})
    untied = state("mlp", gpt)
    untied["gpt.lm_head.weight"] = untied["gpt.transformer.wte.weight"] + 1
    with pytest.raises(TensorsError, match="output layer is not its token embedding"):
        clipcap_of(untied)
    for heads in (7, 0, -1):
        with pytest.raises(TensorsError, match=f"cannot be parted among {heads} mapper_heads|needs clip_length"):
            clipcap_of(state("transformer", gpt), mapper_heads=heads)
    broken = state("transformer", gpt)
    del broken["clip_project.transformer.layers.1.attn.project.bias"]
    with pytest.raises(TensorsError, match=r"attn\.project\.bias should have shape \[64\] but is missing"):
        clipcap_of(broken)
    swapped = parts(files) | {"gpt2": (files / "gpt2" / "model.safetensors", files / "clip" / "tokenizer.json")}
    with pytest.raises(CheckpointError, match="tokens, GPT-2's tokenizer has"):
        import_original(files / "mlp.pt", **swapped)


def test_public_names_want_a_pull_first():
    with pytest.raises(CheckpointError, match="sightline models pull clipcap-coco"):
        load_captioner("clipcap-coco")
    with pytest.raises(CheckpointError, match="there is no folder"):
        load_captioner("/nowhere/clipcap-coco")
    with pytest.raises(CheckpointError, match="a part of captioners"):
        load_captioner("gpt2")


def test_the_clipcap_search_refuses_what_it_does_not_know(gpt):
    for wrong in ({"no_repeat_ngram": 2}, {"length_penalty": 0.5}, {"beams": 1, "samples": 3}):
        with pytest.raises(ValueError, match="clipcap"):
            DecodingOptions(search="clipcap", **wrong)
    clipcap = clipcap_of(state("mlp", gpt))
    with pytest.raises(ValueError, match="cannot leave captions out"):
        decode(clipcap, clipcap.prefix(torch.randn(1, DIM)), [], 1, DecodingOptions.clipcap(), lambda ids: True)
