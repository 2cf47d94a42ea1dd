"""Many requests -> few batches.

One thread owns the model. While it works on one batch, requests queue up; it then takes all that ask for the same
language and style, or for embeddings, so a lone request never waits for company and a crowd shares its batches.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

MAX_BATCH = 8
EMBED = ("embed",)
log = logging.getLogger(__name__)


class ModelError(Exception):
    """No model could be loaded, or it is going away; the message is one sentence."""


@dataclass(frozen=True, eq=False)
class Job:
    """`what` is to be done to in the way `key`: (language, style) of a photo's description, or EMBED for a text."""

    what: Image.Image | str
    key: tuple[str, ...]
    answer: Future = field(default_factory=Future)


class Inference:
    """`load` gives a describer; it is called once, in the thread that will use it, when `start` is."""

    def __init__(self, load: Callable[[], Any], max_batch: int = MAX_BATCH):
        self._load, self._max_batch = load, max_batch
        self._jobs: list[Job] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.ready = False
        self.about: Any = None  # a model.describe.About, once ready
        self.failure: str | None = None

    def start(
        self, on_ready: Callable[[], None] | None = None, on_failure: Callable[[str], None] | None = None
    ) -> None:
        """Load the model in the background; more calls do nothing. Call it after any fork, never before."""
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, args=(on_ready, on_failure), name="inference", daemon=True
                )
                self._thread.start()

    def describe(self, photo: Image.Image, language: str, style: str) -> Any:
        """-> model.describe.Description. Waits for the model if it is loading. Raises ModelError if there is none."""
        return self._do(Job(photo, (language, style)))

    def embed(self, text: str) -> Any:
        """-> the text's embedding, (D,) float32 of length 1. Waits, and raises, as `describe` does."""
        return self._do(Job(text, EMBED))

    def _do(self, job: Job) -> Any:
        self.start()
        with self._changed:
            if self.failure or self._closed:
                raise ModelError(self.failure or "The service is stopping.")
            self._jobs.append(job)
            self._changed.notify()
        return job.answer.result()

    def close(self) -> None:
        """Finish the batch in hand, refuse the rest."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def _run(self, on_ready: Callable[[], None] | None, on_failure: Callable[[str], None] | None) -> None:
        try:
            describer = self._load()
        except Exception as error:
            if not isinstance(error, ModelError):
                log.exception("loading the model failed")
            self._refuse(str(error))
            if on_failure:
                on_failure(str(error))
            return
        self.about, self.ready = describer.about, True
        if on_ready:
            on_ready()
        while batch := self._next_batch():
            self._answer(describer, batch)
        self.ready = False
        self._refuse("The service is stopping.")

    def _next_batch(self) -> list[Job]:
        """The oldest job and all that go with it; empty when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closed)
            if self._closed:
                return []
            batch = [job for job in self._jobs if job.key == self._jobs[0].key][: self._max_batch]
            self._jobs = [job for job in self._jobs if job not in batch]
            return batch

    def _refuse(self, reason: str) -> None:
        with self._changed:
            self.failure = reason
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.answer.set_exception(ModelError(reason))

    def _answer(self, describer: Any, batch: list[Job]) -> None:
        what, key = [job.what for job in batch], batch[0].key
        try:
            answers = describer.pair.embed_texts(what) if key == EMBED else describer.describe_many(what, *key)
        except Exception as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            for job in batch:  # one photo must not spoil the others' answers
                self._answer(describer, [job])
            return
        for job, answer in zip(batch, answers, strict=True):
            job.answer.set_result(answer)


def load_describer(source: Path | None, precision: str):
    """The captioner in the folder or of the name `source`, or the embedded one. Imports torch. Raises ModelError."""
    from model.checkpoint import CheckpointError
    from model.describe import Describer

    try:
        return Describer.load(source, precision=precision)
    except CheckpointError as error:
        raise ModelError(str(error)) from error
