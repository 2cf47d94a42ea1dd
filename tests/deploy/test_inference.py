import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from deploy.inference import Inference, ModelBusyError, ModelError


class Recorder:
    """Answers each photo with its width, remembers its batches, and can be held up."""

    info = space = None

    def __init__(self):
        self.batches, self.go, self.asked = [], threading.Event(), threading.Event()
        self.go.set()

    def describe_scenes(self, photos, language, style):
        self.asked.set()
        self.go.wait(10)
        self.batches.append((language, style, len(photos)))
        if any(photo.width == 13 for photo in photos):
            raise ValueError("thirteen")
        return [(photo.width, language, style) for photo in photos]


@pytest.fixture
def model():
    return Recorder()


@pytest.fixture
def inference(model):
    inference = Inference(lambda: model)
    yield inference
    model.go.set()
    inference.close()


def ask_all(inference, model, asked):
    """Ask for one photo, and while the model is held up with it for all others."""
    model.go.clear()
    with ThreadPoolExecutor(len(asked) + 1) as pool:
        first = pool.submit(inference.describe, Image.new("RGB", (1, 1)), "en", "caption")
        assert model.asked.wait(10)
        answers = []
        for number, (width, *key) in enumerate(asked):
            answers.append(pool.submit(inference.describe, Image.new("RGB", (width, 1)), *key))
            wait_for(lambda number=number: len(inference._jobs) > number)
        model.go.set()
        first.result(10)
        return [answer.exception(10) or answer.result() for answer in answers]


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_who_asks_alone_does_not_wait(inference, model):
    assert inference.describe(Image.new("RGB", (7, 1)), "id", "guide") == (7, "id", "guide")
    assert model.batches == [("id", "guide", 1)]


def test_those_who_ask_alike_share_batches_of_eight(inference, model):
    asked = [(width, "en", "caption") for width in range(2, 12)] + [(20, "id", "caption"), (21, "en", "guide")]
    assert ask_all(inference, model, asked) == asked
    assert model.batches == [
        ("en", "caption", 1),
        ("en", "caption", 8),
        ("en", "caption", 2),
        ("id", "caption", 1),
        ("en", "guide", 1),
    ]


def test_an_error_reaches_only_who_caused_it(inference, model):
    answers = ask_all(inference, model, [(width, "en", "long") for width in (12, 13, 14)])
    assert [str(answer) for answer in answers] == ["(12, 'en', 'long')", "thirteen", "(14, 'en', 'long')"]


def test_a_model_that_cannot_be_loaded_is_told_to_all_who_ask():
    def load():
        raise ModelError("config.json is missing.")

    inference, told = Inference(load), []
    inference.start(on_failure=told.append)
    with pytest.raises(ModelError, match=r"^config.json is missing\.$"):
        inference.describe(Image.new("RGB", (1, 1)), "en", "caption")
    assert not inference.ready
    assert told == ["config.json is missing."]
    inference.close()


def test_after_close_nothing_is_asked(inference, model):
    inference.describe(Image.new("RGB", (1, 1)), "en", "caption")
    inference.close()
    with pytest.raises(ModelError, match="stopping"):
        inference.describe(Image.new("RGB", (1, 1)), "en", "caption")


def test_the_embedded_captioner_answers_a_batch_as_it_answers_one(describer, cat):
    from model.imaging import read_photo

    photo = read_photo(cat, max_bytes=2**24, max_pixels=10**8).image
    inference = Inference(lambda: describer)
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda _: inference.describe(photo, "en", "caption"), range(3)))
    inference.close()
    alone = describer.describe(photo, "en", "caption")
    assert {answer.caption.token_ids for answer in told} == {alone.caption.token_ids}


def test_a_captioner_that_does_not_answer_is_given_up(model):
    inference = Inference(lambda: model, timeout_s=0.2)
    model.go.clear()
    with pytest.raises(ModelBusyError, match="did not answer within 0.2 seconds"):
        inference.describe(Image.new("RGB", (1, 1)), "en", "caption")
    with pytest.raises(ModelBusyError):  # waits behind the first one, and is never begun
        inference.describe(Image.new("RGB", (2, 1)), "en", "caption")
    model.go.set()
    wait_for(lambda: len(model.batches) == 1)
    assert inference.describe(Image.new("RGB", (3, 1)), "en", "caption") == (3, "en", "caption")
    assert len(model.batches) == 2
    inference.close()


def test_while_the_captioner_is_loading_only_so_many_wait(model):
    loaded = threading.Event()
    inference = Inference(lambda: loaded.wait(30) and model, waiting_while_loading=2)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(inference.describe, Image.new("RGB", (w, 1)), "en", "caption") for w in (1, 2)]
        wait_for(lambda: len(inference._jobs) == 2)
        with pytest.raises(ModelBusyError, match="still being loaded; try again"):
            inference.describe(Image.new("RGB", (3, 1)), "en", "caption")
        loaded.set()
        assert [each.result(10)[0] for each in waiting] == [1, 2]
    inference.close()
