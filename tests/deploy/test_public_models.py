"""A checkpoint in the layout of the original ClipCap serves; what it was never taught is said, in both ways in."""

from pathlib import Path

import pytest
import torch

from deploy.config import Settings
from deploy.main import create_app
from model import checkpoint
from model.caption.clipcap_import import import_original
from tests.helpers import run_main
from tests.model import original, published


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small ClipCap, imported from its `.pt`, its CLIP and GPT-2's tokenizer."""
    made = tmp_path_factory.mktemp("original")
    words, clip_words = original.gpt2_tokenizer(), published.clip_tokenizer()
    words.save(str(made / "gpt2.json"))
    clip_words.save(str(made / "clip.json"))
    torch.save(published.resnet_weights(clip_words.get_vocab_size(), dim=24), made / "RN.pt")
    gpt = {f"gpt.{name}": tensor for name, tensor in original.gpt2(words.get_vocab_size()).state_dict().items()}
    torch.save(original.mapper("transformer", 24, prefix=6) | gpt, made / "clipcap.pt")
    loaded = import_original(
        made / "clipcap.pt", (made / "RN.pt", made / "clip.json"), (made / "none", made / "gpt2.json")
    )
    checkpoint.save(made / "out", loaded.name, loaded.pair, loaded.captioner, torch.float32)
    return made / "out"


def test_it_serves(folder, tmp_path, speaker, cat):
    app = create_app(Settings(instance=tmp_path / "instance", model=folder), speaker=speaker)
    client = app.test_client()
    answer = client.post("/api/v1/describe", data=cat)
    assert answer.status_code == 201 and answer.json["model"] == "clipcap" and answer.json["caption"]
    (model,) = client.get("/api/v1/models").json["models"]
    assert (model["languages"], model["styles"]) == (["en"], ["caption"])
    for query, words in (
        ("lang=id", "unknown language 'id'; use one of en"),
        ("style=guide", "'guide'; use one of caption"),
    ):
        refused = client.post(f"/api/v1/describe?{query}", data=cat)
        assert refused.status_code == 422 and words in refused.json["detail"]
    # Its CLIP knows no Indonesian, so an Indonesian search goes by words alone, and says so.
    edited = client.patch(f"/api/v1/images/{answer.json['id']}", json={"user_description": "kucing oranye"})
    assert edited.status_code == 200
    for query, reasons, message in (
        ("q=kucing&lang=id", [["says 'kucing'"]], "only words were searched."),
        ("q=anjing&lang=id", [], "only words were searched. No good match."),
        ("q=kucing&lang=en", [["looks like it", "says 'kucing'"]], None),
    ):
        found = client.get(f"/api/v1/images?{query}").json
        assert [image["match_reasons"] for image in found["images"]] == reasons
        assert found["message"] == message or found["message"].endswith(message)
    assert len(list((tmp_path / "instance" / "photos").iterdir())) == 3  # jpg, mp3 and wav of the one that was told
    app.extensions["sightline"].inference.close()
    app.extensions["sightline"].library.close()


@pytest.mark.process
def test_in_the_terminal(folder):
    done = run_main("describe", "--lang", "id", "data/samples/chelsea.jpg", SIGHTLINE_MODEL=str(folder))
    assert done.returncode == 1 and "unknown language 'id'; use one of en" in done.stderr
    done = run_main("describe", "data/samples/chelsea.jpg", SIGHTLINE_MODEL="clipcap-coco")
    assert done.returncode == 1 and "sightline models pull clipcap-coco" in done.stderr
