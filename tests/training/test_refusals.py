"""Known faults of the steps, each now one sentence or done right, on tiny random captioners."""

import errno
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from data.embeddings import EmbeddingStore
from model import checkpoint
from model.certainty import Calibration, Thresholds
from model.clip.pair import ClipPair, PairConfig
from model.describe import Describer
from tests.training.steps import call, refused, write_checkpoint, write_gpt2_checkpoint, write_set
from training import contrastive, evaluate, export, language, prepare, selfcritical, train
from training.pretrained import load_language, load_start

pytestmark = pytest.mark.training
CALIBRATION = Calibration({("en", "caption"): Thresholds(0.6, 0.4, 0.2)})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """27 training, 3 dev and 6 test photos."""
    return write_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A checkpoint with thresholds."""
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), CALIBRATION)


@pytest.fixture(scope="module")
def embeddings(data, start, tmp_path_factory):
    """Of the pair of `start`, which is the pair of every tiny checkpoint."""
    out = tmp_path_factory.mktemp("embeddings") / "out"
    call(prepare, "--data", data, "--pair", start, "--workers", 0, "--out", out)
    return out


def tune(data, embeddings, start, out, *more, fails: bool = False) -> str:
    return call(selfcritical, "--data", data, "--start", start, "--embeddings", embeddings, "--out", out, "--steps", 1,
                "--samples", 2, "--batch-size", 4, *more, fails=fails)  # fmt: skip


def captioner(data, embeddings, start, out, *more, fails: bool = False) -> str:
    return call(train, "--data", data, "--pair", start, "--embeddings", embeddings, "--out", out, "--epochs", 1,
                "--batch-size", 8, *more, fails=fails)  # fmt: skip


@pytest.fixture(scope="module")
def gpt2_start(tmp_path_factory):
    """A checkpoint of an imported CLIP and a GPT-2."""
    return write_gpt2_checkpoint(tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="module")
def small_language(data, tmp_path_factory):
    """A folder of `training.language` with another tokenizer than the tiny checkpoints have."""
    out = tmp_path_factory.mktemp("language")
    call(language, "--data", data, "--vocabulary", 300, "--width", 32, "--layers", 1, "--heads", 2, "--epochs", 1,
         "--batch-size", 8, "--prefix-total", 20, "--out", out)  # fmt: skip
    return out


def test_contrastive_names_the_tower_it_trains(data, gpt2_start, tmp_path):
    more = ("--data", data, "--out", tmp_path / "x")
    message = refused(contrastive, "--start", gpt2_start, *more)
    assert "has a ResNet image tower, and this step trains the MobileNet tower" in message
    assert "training.prepare and training.train as --pair" in message and not (tmp_path / "x").exists()
    assert "there is no folder" in refused(contrastive, "--start", tmp_path / "none", *more)


def test_contrastive_refuses_options_that_contradict(data, start, small_language, tmp_path):
    pair = tmp_path / "pair"
    pair.mkdir()
    loaded = load_start(start)
    contrastive.save_weights(contrastive.Joint(loaded.pair, None, None), pair)
    more = ("--data", data, "--start", pair, "--out", tmp_path / "x")
    message = refused(contrastive, *more, "--language", small_language, "--caption-weight", 1)
    assert "has another tokenizer than its pair; leave --caption-weight out" in message
    (tmp_path / "net.tflite").write_bytes(b"no net")
    backbone = ("--backbone", tmp_path / "net.tflite")
    assert "--backbone is for a new pair" in refused(contrastive, *more, *backbone)
    more = ("--data", data, "--language", small_language, "--out", tmp_path / "x")
    assert "net.tflite is no MobileNetV2 as .tflite" in refused(contrastive, *more, *backbone)


def test_train_refuses_a_language_whose_checkpoint_could_not_be_loaded(
    data, embeddings, start, small_language, tmp_path
):
    """The tokenizer of the pair is the captioner's, and a checkpoint has one place for it."""
    message = captioner(data, embeddings, start, tmp_path / "x", "--language", small_language, fails=True)
    assert "has another tokenizer than the pair" in message and "give the --language that the pair was" in message


def test_selfcritical_from_a_gpt2_captioner(data, gpt2_start, tmp_path):
    embeddings = tmp_path / "embeddings"
    message = tune(data, data, gpt2_start, tmp_path / "x", "--task", "id/caption", fails=True)
    assert "--task id/caption is not what this captioner can be asked for; use one of en/caption" in message
    call(prepare, "--data", data, "--pair", gpt2_start, "--workers", 0, "--out", embeddings)
    tune(data, embeddings, gpt2_start, tmp_path / "tuned")
    before, after = (load_start(folder).clipcap.mapper.model[0].weight for folder in (gpt2_start, tmp_path / "tuned"))
    assert not torch.equal(before, after)


def test_tasks_are_what_the_tokenizer_has(start):
    tokenizer = load_start(start).tokenizer
    names = [f"{language}/{style}" for language in ("en", "id") for style in ("caption", "long", "guide")]
    assert ["/".join(pair) for pair in selfcritical.parse_tasks([], tokenizer)] == names
    assert selfcritical.parse_tasks(["id/guide", "id/guide"], tokenizer) == [("id", "guide")]


def test_too_few_dev_photos_are_named(data, embeddings, start, tmp_path):
    output = captioner(data, embeddings, start, tmp_path / "a")
    assert "No dev CIDEr-D is measured: fewer than 20 dev photos in any language and style." in output
    message = captioner(data, embeddings, start, tmp_path / "b", "--patience", 2, fails=True)
    assert "--patience waits for a better dev CIDEr-D, which needs 20 dev photos" in message
    assert "and there are 3; give more dev photos, or leave --patience out" in message
    assert not (tmp_path / "b" / "numbers.jsonl").exists()


def test_languages_and_styles_with_few_dev_photos_are_named(start, tmp_path):
    """Of 22 dev photos, all have captions and few have guides."""
    folder = write_set(tmp_path / "set", turns=2, dev=11, test=0)
    call(prepare, "--data", folder, "--pair", start, "--workers", 0, "--out", tmp_path / "embeddings")
    output = captioner(folder, tmp_path / "embeddings", start, tmp_path / "out", "--batch-size", 2, "--patience", 1)
    line = next(line for line in output.splitlines() if line.startswith("Dev CIDEr-D is not measured for"))
    assert "en/guide (" in line and "id/guide (" in line and "en/caption" not in line
    row = json.loads((tmp_path / "out" / "numbers.jsonl").read_text().splitlines()[-1])
    assert {"dev_cider_en_caption", "dev_cider_id_caption", "dev_cider"} <= set(row)


def test_shape_that_does_not_fit_the_language(data, small_language, tmp_path):
    words = load_language(small_language).tokenizer
    pair = ClipPair(PairConfig(len(words), words.pad_id, words.end_id, embedding_dim=16), words)
    (tmp_path / "pair").mkdir()
    contrastive.save_weights(contrastive.Joint(pair, None, None), tmp_path / "pair")
    more = ("--language", small_language)
    message = captioner(data, data, tmp_path / "pair", tmp_path / "x", *more, "--prefix-length", 100, fails=True)
    assert "a prefix of 116 tokens leaves no room for a caption of 48 in the 84 positions of this GPT-2" in message
    more = (*more, "--mapper", "transformer", "--mapper-heads", 5)
    message = captioner(data, data, tmp_path / "pair", tmp_path / "x", *more, fails=True)
    assert "a width of 32 cannot be parted among 5 mapper_heads" in message


def test_full_disk_at_the_end_is_one_sentence(data, embeddings, start, tmp_path, monkeypatch):
    def full(*arguments, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("model.checkpoint.save_file", full)
    message = captioner(data, embeddings, start, tmp_path / "out", fails=True)
    assert "cannot be written" in message and "No space left on device" in message and "make room" in message
    monkeypatch.undo()
    captioner(data, embeddings, start, tmp_path / "out", "--resume")  # nothing is trained twice
    assert Describer.load(tmp_path / "out").info.name == "out"


def test_full_disk_while_embedding_is_one_sentence(data, start, tmp_path, monkeypatch):
    def full(self, ids):
        raise OSError(errno.ENOSPC, "No space left on device")

    more = ("--data", data, "--pair", start, "--workers", 0, "--out", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr("data.embeddings.write_json", lambda *a: full(None, None))
        message = refused(prepare, *more)
    assert "cannot be written (No space left on device); make room and run training.prepare again" in message
    assert "Embedded" in call(prepare, *more) and len(EmbeddingStore.open(tmp_path / "out")) == 30


def test_memory_that_is_not_enough_is_one_sentence(data, embeddings, start, tmp_path, monkeypatch):
    def too_much(*arguments, **more):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(train, "row_losses", too_much)
    message = captioner(data, embeddings, start, tmp_path / "out", fails=True)
    assert "not enough memory; use a smaller --batch-size, or more pieces with --accumulate" in message


def test_thresholds_are_given_kept_and_left_out(data, embeddings, start, tmp_path):
    def exported(*options):
        output = call(export, "--name", "x", *options, "--out", tmp_path / "out")
        return checkpoint.load(tmp_path / "out").calibration, output

    kept, output = exported("--start", start)
    assert kept == CALIBRATION and "not kept" not in output
    given = ("--threshold", "id/guide=0.5,0.4,0.3", "--threshold", "en/caption=0.9,0.8,0.7")
    both, _ = exported("--start", start, *given)
    assert both.thresholds == {("en", "caption"): Thresholds(0.9, 0.8, 0.7), ("id", "guide"): Thresholds(0.5, 0.4, 0.3)}
    for options, what in (
        (("--start", start, "--beams", 3), "other decoding options"),
        (("--start", start, "--start", start), "the mean of several checkpoints"),
    ):
        left, output = exported(*options)
        assert left is None and f"do not hold for {what} and are not kept" in output
        left, _ = exported(*options, *given[:2])
        assert set(left.thresholds) == {("id", "guide")}
    message = refused(export, "--name", "x", "--start", start, "--threshold", "fr/caption=0.5,0.4,0.3", "--out",
                      tmp_path / "bad")  # fmt: skip
    assert (
        "--threshold fr/caption: the captioner has the languages en, id and the styles caption, long, guide" in message
    )

    output = captioner(data, embeddings, start, tmp_path / "trained")
    assert "were measured before this training and are not kept" in output
    assert checkpoint.load(tmp_path / "trained").calibration is None
    output = tune(data, embeddings, start, tmp_path / "tuned")
    assert "were measured before this training and are not kept" in output
    assert checkpoint.load(tmp_path / "tuned").calibration is None


def test_evaluate_leaves_out_what_is_bad_and_needs_no_confidence(data, start, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "caption_scores", lambda references, captions: {"CIDEr-D": 0.5})
    shutil.copytree(data, tmp_path / "set")
    (tmp_path / "set" / "0_camera.jpg").write_bytes(b"no photo")
    more = ("--data", tmp_path / "set", "--model", start, "--out", tmp_path / "out")
    assert "0_camera.jpg cannot be read" in refused(evaluate, *more)
    output = call(evaluate, *more, "--skip-bad", "--limit", 2)
    assert "1 unreadable photo" in output and "tiny on 2 test photos" in output
    rows = [json.loads(line) for line in (tmp_path / "out" / "captions.jsonl").read_text().splitlines()]
    assert len(rows) == 2 and all(0 <= row["confidence"] <= 1 for row in rows)


def test_evaluate_takes_a_captioner_of_any_family(data, start, tmp_path, monkeypatch):
    """One without confidence, candidates for every photo, or decoding options."""
    monkeypatch.setattr(evaluate, "caption_scores", lambda references, captions: {"CIDEr-D": 0.5})
    describer = Describer.load(start)
    found = describer.captioner.caption([Image.new("RGB", (64, 64))], "en", "caption")[0]

    class Other:
        info, embedder = describer.info, None

        def caption(self, photos, language, style):
            none = type(found)(())
            some = type(found)((type(found.candidates[0])("a cat"),))
            return [some if i % 2 else none for i in range(len(photos))]

    other = Describer(Other(), describer.embedder)
    monkeypatch.setattr(evaluate.Describer, "load", lambda *a, **k: other)
    more = ("--data", data, "--out", tmp_path)
    assert "has no option --beams; leave it out" in refused(evaluate, *more, "--beams", 2)
    call(evaluate, *more, "--retrieval", "--labels")
    rows = [json.loads(line) for line in (tmp_path / "captions.jsonl").read_text().splitlines()]
    assert {(row["caption"], row["confidence"]) for row in rows} == {("a cat", None), (None, None)}
    assert json.loads((tmp_path / "scores.json").read_text())["decoding"] == {}


def test_evaluate_refuses_what_the_captioner_does_not_have(data, gpt2_start):
    more = ("--data", data, "--model", gpt2_start)
    assert "tiny-gpt2 has no --lang id; use one of en" in refused(evaluate, *more, "--lang", "id-ID")
    assert "tiny-gpt2 has no --style guide; use one of caption" in refused(evaluate, *more, "--style", "guide")


@pytest.mark.parametrize(
    ("caption", "message"),
    [
        ({"text": "a cat", "style": "poem"}, "a caption of cat.jpg has the style 'poem'; use caption, long, guide, or"),
        ({"text": "a cat", "lang": "english!"}, "a caption of cat.jpg has the language 'english!'; use a code such as"),
    ],
)
def test_unknown_styles_and_languages_are_named(tmp_path, caption, message):
    folder = tmp_path / "set"
    write_set(folder)
    Image.fromarray(np.zeros((50, 50, 3), np.uint8)).save(folder / "cat.jpg")
    with (folder / "metadata.jsonl").open("a") as file:
        file.write(json.dumps({"file_name": "cat.jpg", "split": "train", "captions": [caption]}) + "\n")
    small = ("--vocabulary", 300, "--width", 32, "--layers", 1, "--heads", 2, "--epochs", 1, "--batch-size", 8)
    assert message in refused(language, "--data", folder, *small, "--out", tmp_path / "x")
    output = call(language, "--data", folder, *small, "--skip-bad", "--out", tmp_path / "x")
    assert "set: left out 1 captions with the " in output


def test_tokenizer_has_the_languages_of_the_captions(tmp_path):
    folder = write_set(tmp_path / "set")
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    for row in lines:
        row["captions"] = [c for c in row["captions"] if c["style"] == "caption"]
        row["captions"].append({"text": "une chose sur une table", "lang": "fr-FR"})
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in lines))
    output = call(language, "--data", folder, "--vocabulary", 300, "--width", 32, "--layers", 1, "--heads", 2,
                  "--epochs", 1, "--batch-size", 8, "--out", tmp_path / "out")  # fmt: skip
    assert "languages en, id, fr; styles caption" in output
