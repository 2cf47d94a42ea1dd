"""Every training step by its command line, on the photos that ship with the project: from nothing to a captioner."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data.embeddings import EmbeddingStore
from model import checkpoint
from model.describe import DEFAULT, Describer
from tests.training.steps import SAMPLES, call, write_set
from training import contrastive, evaluate, export, language, prepare, selfcritical, train
from training.contrastive_losses import drop_words
from training.pretrained import load_start
from training.scorers import METRICS

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """27 training, 3 dev and 6 test photos."""
    return write_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """A folder a step, made in order by the commands."""
    out = tmp_path_factory.mktemp("runs")
    small = ("--batch-size", 8, "--warmup", 2, "--ema", 0.5)
    call(language, "--data", data, "--vocabulary", 400, "--width", 32, "--layers", 1, "--heads", 2, "--epochs", 1,
         "--out", out / "language", *small)  # fmt: skip
    call(contrastive, "--data", data, "--language", out / "language", "--size", 64, "--epochs", 1, "--workers", 0,
         "--word-weight", 0.5, "--caption-weight", 1, "--out", out / "pair", *small)  # fmt: skip
    call(prepare, "--data", data, "--pair", out / "pair", "--workers", 0, "--out", out / "embeddings")
    common = ("--data", data, "--embeddings", out / "embeddings")
    call(train, *common, "--pair", out / "pair", "--language", out / "language", "--epochs", 2, "--captions", 2,
         "--name", "tiny", "--out", out / "captioner", *small)  # fmt: skip
    call(selfcritical, *common, "--start", out / "captioner", "--steps", 2, "--samples", 2, "--out", out / "tuned",
         "--task", "en/caption", "--task", "id/guide", *small)  # fmt: skip
    return out


def test_every_step_leaves_what_it_should(made):
    for step in ("language", "pair", "captioner", "tuned"):
        rows = [json.loads(line) for line in (made / step / "numbers.jsonl").read_text().splitlines()]
        assert any("loss" in row for row in rows), step
        assert (made / step / "loss.png").read_bytes().startswith(b"\x89PNG"), step
    for folder in ("captioner", "tuned"):
        description = Describer.load(made / folder).describe(Image.open(SAMPLES / "coffee.jpg"), "id", "guide")
        assert description.text and 0 <= description.caption.confidence <= 1


def test_embeddings_are_the_pairs(made, data):
    store = EmbeddingStore.open(made / "embeddings")
    assert len(store) == 30 and store.grid.shape[1:] == (16, 1280)
    unit = store.vectors[5] / np.linalg.norm(store.vectors[5])  # they are kept as the tower gives them
    pair = Describer.load(made / "captioner").embedder
    name, size = store.ids[5].split("/")[1].split()
    assert int(size) == (data / name).stat().st_size
    np.testing.assert_allclose(unit, pair.embed_photos([Image.open(data / name)])[0], atol=1e-4)


def test_prepare_reads_no_photo_twice(made, data):
    output = call(prepare, "--data", data, "--pair", made / "pair", "--workers", 0, "--out", made / "embeddings")
    assert "Embedded 0 photos" in output and "30 were there already" in output


def test_a_photo_in_the_place_of_another_is_embedded_anew(made, data, tmp_path):
    shutil.copytree(data, tmp_path / data.name)
    shutil.copytree(made / "embeddings", tmp_path / "embeddings")
    name = EmbeddingStore.open(made / "embeddings").ids[5].split("/")[1].split()[0]
    Image.new("RGB", (30, 30), "red").save(tmp_path / data.name / name)
    more = ("--pair", made / "pair", "--workers", 0, "--out", tmp_path / "embeddings")
    assert "29 were there already" in call(prepare, "--data", tmp_path / data.name, *more)
    output = call(prepare, "--data", data, "--data", tmp_path / data.name, *more, fails=True)
    assert "two of the sets have the same name and photos of the same names; rename a folder" in output


def test_views_are_crops_of_the_training_photos(made, data, tmp_path):
    arguments = ("--data", data, "--pair", made / "pair", "--workers", 0, "--views", 3, "--out", tmp_path / "views")
    assert "Embedded 84 photos" in call(prepare, *arguments)  # 27 to train with, three times, and 3 of the dev split
    assert "84 were there already" in call(prepare, *arguments)
    plain, store = EmbeddingStore.open(made / "embeddings"), EmbeddingStore.open(tmp_path / "views")
    np.testing.assert_allclose(store.vectors[:30], plain.vectors, atol=1e-5)
    own = store.rows([f"{store.ids[0]}{view}" for view in ("", "#1", "#2")])
    whole, *crops = (v / np.linalg.norm(v) for v in store.vectors[own])
    assert all(whole @ crop > 0.5 and not np.array_equal(whole, crop) for crop in crops)
    assert not np.array_equal(*crops)
    call(train, "--data", data, "--embeddings", tmp_path / "views", "--pair", made / "pair", "--language",
         made / "language", "--epochs", 2, "--batch-size", 8, "--out", tmp_path / "out")  # fmt: skip


def test_captions_of_a_photo_become_similar(made, data, tmp_path):
    """From a text file without photos, five lines a photo."""
    lines = [f"{subject} {rest}" for subject in ("a dog", "two men", "a red bus", "a child") for rest in
             ("on a street", "by the road", "near cars", "in the town", "outside")]  # fmt: skip
    (tmp_path / "text.txt").write_text("\n".join(lines) + "\n")
    arguments = ("--data", data, "--language", made / "language", "--start", made / "pair", "--size", 64, "--epochs", 8,
                 "--workers", 0, "--text", tmp_path / "text.txt", "--word-dropout", 0.1, "--batch-size", 8,
                 "--warmup", 2, "--out", tmp_path / "pair")  # fmt: skip
    call(contrastive, *arguments)
    pair = load_start(tmp_path / "pair").pair
    embeddings = pair.embed_texts(lines).reshape(4, 5, -1)
    likeness = np.einsum("aid,bjd->abij", embeddings, embeddings).mean((2, 3))
    assert (likeness.argmax(1) == np.arange(4)).all()
    (tmp_path / "text.txt").write_text("\n".join(lines[:-1]) + "\n")
    assert "has 19 lines; 5 a photo are expected" in call(contrastive, *arguments, fails=True)
    unstarted = call(contrastive, "--data", data, "--out", made / "none", fails=True)
    assert "give --language, or --start with a checkpoint that has a captioner" in unstarted


def test_dropped_words():
    rng = np.random.default_rng(0)
    assert drop_words([4, 5, 6, 1], 0.0, rng) == [4, 5, 6, 1]
    assert drop_words([4, 5, 6, 1], 1.0, rng) == [4, 1]
    assert {len(drop_words([4, 5, 6, 1], 0.4, rng)) for _ in range(50)} == {2, 3, 4}


def test_language_frozen_and_transformer_mapper(made, data, tmp_path):
    call(train, "--data", data, "--embeddings", made / "embeddings", "--pair", made / "pair", "--language",
         made / "language", "--mapper", "transformer", "--mapper-layers", 1, "--mapper-heads", 2, "--no-grid",
         "--freeze-language", "--epochs", 1, "--batch-size", 8, "--ema", 0, "--out", tmp_path / "out")  # fmt: skip
    before = torch.load(made / "language/language.pt", weights_only=True)["state"]["transformer.wte.weight"]
    after = Describer.load(tmp_path / "out").captioner.decoder.clipcap.gpt.transformer.wte.weight
    assert torch.equal(before, after)


def test_train_resumes_to_the_same_weights(made, data, tmp_path):
    arguments = ("--data", data, "--embeddings", made / "embeddings", "--pair", made / "pair", "--captions", 2,
                 "--language", made / "language", "--epochs", 2, "--batch-size", 8, "--ema", 0.5)  # fmt: skip
    call(train, *arguments, "--out", tmp_path / "whole")
    state = tmp_path / "broken/state.pt"
    original = Path.replace

    def replace_then_stop(self, target):
        result = original(self, target)
        if Path(target) == state:
            raise KeyboardInterrupt  # right after the first epoch's checkpoint
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace_then_stop)
        call(train, *arguments, "--out", tmp_path / "broken", fails=True)
    assert state.exists() and not (tmp_path / "broken/model.safetensors").exists()
    call(train, *arguments, "--resume", "--out", tmp_path / "broken")
    assert (tmp_path / "broken/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


def test_evaluate_writes_json_table_and_report(made, data, tmp_path):
    output = call(
        evaluate, "--data", data, "--model", made / "tuned", "--retrieval", "--out-of-domain", data, "--out", tmp_path
    )
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["photos"] == 6 and set(scores["captions"]) == set(METRICS)
    for ranking in ("retrieval", "by words", "fused"):
        assert 0 <= scores[ranking]["text_to_image_r1"] <= 100
    assert set(scores["no good match, 3 photos"]) == {
        "answered_when_there", "and_the_photo_in_it", "refused_when_not_there", "refused_when_out_of_domain"
    }  # fmt: skip
    assert "BLEU-4" in output and "image_to_text_median" in output
    report = (tmp_path / "report.html").read_text()
    rows = [json.loads(line) for line in (tmp_path / "captions.jsonl").read_text().splitlines()]
    assert report.count("<img") == 6 and len(rows) == 6
    assert all(len(row["references"]) >= 1 for row in rows)


def test_errors_are_sentences(made, data, tmp_path):
    arguments = ("--data", data, "--model", made / "tuned", "--style", "guide", "--split", "dev")
    assert "no dev photo with a guide in 'en'; try" in call(evaluate, *arguments, fails=True)
    arguments = ("--data", data, "--model", made / "tuned", "--retrieval", "--out-of-domain", tmp_path)
    assert "no captions found" in call(evaluate, *arguments, fails=True)
    assert "there is no folder" in call(evaluate, "--data", data, "--model", tmp_path / "none", fails=True)
    output = call(selfcritical, "--data", data, "--start", made / "captioner", "--embeddings", made / "embeddings",
                  "--task", "fr/poem", "--out", tmp_path / "x", fails=True)  # fmt: skip
    assert "--task fr/poem is not what this captioner can be asked for; use one of en/caption, en/long" in output
    empty = tmp_path / "empty"
    empty.mkdir()
    assert str(empty) in call(language, "--data", empty, "--out", tmp_path / "x", fails=True)
    broken = tmp_path / "broken"
    shutil.copytree(data, broken)
    (broken / "0_coffee.jpg").write_bytes(b"no photo")
    output = call(language, "--data", broken, "--out", tmp_path / "x", fails=True)
    assert "0_coffee.jpg" in output and "cannot be read" in output
    output = call(language, "--data", broken, "--skip-bad", "--vocabulary", 300, "--width", 32, "--layers", 1,
                  "--heads", 2, "--epochs", 1, "--batch-size", 8, "--out", tmp_path / "x")  # fmt: skip
    assert "1 unreadable photo" in output


def test_a_checkpoint_is_trained_on(made, data, tmp_path):
    """As somebody would who tunes the embedded captioner to their own photos."""
    start = made / "captioner"
    call(contrastive, "--data", data, "--start", start, "--size", 64, "--epochs", 1,
         "--workers", 0, "--caption-weight", 1, "--batch-size", 8, "--out", tmp_path / "pair")  # fmt: skip
    call(prepare, "--data", data, "--pair", start, "--workers", 0, "--out", tmp_path / "embeddings")
    call(train, "--data", data, "--pair", start, "--embeddings", tmp_path / "embeddings", "--epochs", 1,
         "--batch-size", 8, "--out", tmp_path / "tuned")  # fmt: skip
    before, after = (load_start(folder).clipcap for folder in (start, tmp_path / "tuned"))
    assert not torch.equal(before.mapper.model[0].weight, after.mapper.model[0].weight)
    output = call(prepare, "--data", data, "--pair", data, "--out", tmp_path / "none", fails=True)
    assert "config.json is missing" in output


def test_export_halves_and_names(made, tmp_path):
    call(export, "--start", made / "tuned", "--name", "small one", "--beams", 2, "--least-cosine", 0.3,
         "--least-photo-cosine", 0.6, "--out", tmp_path / "out")  # fmt: skip
    whole, half = ((folder / "model.safetensors").stat().st_size for folder in (made / "tuned", tmp_path / "out"))
    describer = Describer.load(tmp_path / "out")
    assert half < 0.51 * whole and describer.info.name == "small one" and describer.captioner.decoder.options.beams == 2
    assert (describer.space.least_cosine, describer.space.least_photo_cosine) == (0.3, 0.6)
    call(export, "--start", made / "tuned", "--name", "x", "--beams", 0, "--out", tmp_path / "bad", fails=True)
    assert not (tmp_path / "bad").exists()


def test_export_takes_the_mean_of_several(made, tmp_path):
    other = checkpoint.load(made / "captioner")
    with torch.no_grad():
        for weight in (*other.pair.parameters(), *other.captioner.clipcap.parameters()):
            weight += 1
    checkpoint.save(tmp_path / "other", "other", other.pair, other.captioner, torch.float32)
    starts = ("--start", made / "captioner", "--start", tmp_path / "other")
    call(export, *starts, "--name", "mean", "--out", tmp_path / "out")
    one, mean = checkpoint.load(made / "captioner"), checkpoint.load(tmp_path / "out")
    for before, after in ((one.pair, mean.pair), (one.captioner.clipcap, mean.captioner.clipcap)):
        before, after = before.state_dict(), after.state_dict()
        weights = [name for name in before if before[name].is_floating_point() and "running" not in name]
        assert len(weights) > 10
        for name in weights:  # the output layer too, which is the token embedding
            assert torch.allclose(after[name], before[name] + 0.5, rtol=1e-3, atol=1e-3), name
    others = ("--start", made / "captioner", "--start", DEFAULT, "--name", "x", "--out", tmp_path / "x")
    assert "of different shapes" in call(export, *others, fails=True) and not (tmp_path / "x").exists()


def test_embeddings_of_another_pair_are_refused(made, data, tmp_path):
    other = tmp_path / "pair"
    shutil.copytree(made / "pair", other)
    state = torch.load(other / "pair.pt", weights_only=True)
    next(iter(state["pair"].values())).view(-1)[0] += 1
    torch.save(state, other / "pair.pt")
    output = call(train, "--data", data, "--embeddings", made / "embeddings", "--pair", other, "--language",
                  made / "language", "--batch-size", 8, "--out", tmp_path / "out", fails=True)  # fmt: skip
    assert "checkpoint_sha256" in output
    call(prepare, "--data", data, "--pair", other, "--workers", 0, "--out", tmp_path / "embeddings")
    output = call(selfcritical, "--data", data, "--start", made / "captioner", "--embeddings", tmp_path / "embeddings",
                  "--out", tmp_path / "out", fails=True)  # fmt: skip
    assert "checkpoint_sha256" in output


@pytest.mark.parametrize("step", [prepare, language, contrastive, train, selfcritical, evaluate])
def test_help(step):
    assert "--data" in call(step, "--help")
