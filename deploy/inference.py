"""Many requests -> few batches.

One thread owns the captioner. While it works on one batch, requests queue up; it then takes all that ask for the same
language and style, or for embeddings, so a lone request never waits for company and a crowd shares its batches.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from model.checkpoint_files import CheckpointError
from model.describe import Describer, Description
from model.errors import SightlineError
from model.protocols import CaptionerInfo, EmbeddingSpace

MAX_BATCH = 8
RETRY_S = 5
T = TypeVar("T")
log = logging.getLogger(__name__)


class ModelError(SightlineError):
    """No captioner could be loaded, or it is going away; the message is one sentence."""


class ModelBusyError(SightlineError):
    """The captioner does not answer now; ask again in RETRY_S seconds."""


@dataclass(frozen=True, eq=False)
class DescribeJob:
    photo: Image.Image
    language: str
    style: str
    answer: Future[Description] = field(default_factory=Future)

    @property
    def key(self) -> tuple[str, ...]:
        """Jobs with the same one can share a batch."""
        return ("describe", self.language, self.style)


@dataclass(frozen=True, eq=False)
class EmbedJob:
    text: str
    answer: Future[np.ndarray | None] = field(default_factory=Future)
    key: tuple[str, ...] = ("embed",)


Job = DescribeJob | EmbedJob


class Inference:
    """`load` gives a describer; it is called once, in the thread that will use it, when `start` is. `timeout_s`: how
    long a request waits. `waiting_while_loading`: requests that may wait until it is loaded; more are refused at once.
    `on_loaded` is called in the same thread before the first request is answered."""

    def __init__(
        self,
        load: Callable[[], Describer],
        max_batch: int = MAX_BATCH,
        *,
        timeout_s: float = 60.0,
        waiting_while_loading: int = 4,
        on_loaded: Callable[[Describer], None] | None = None,
    ):
        self._load, self._max_batch, self._on_loaded = load, max_batch, on_loaded
        self._timeout_s, self._waiting_while_loading = timeout_s, waiting_while_loading
        self._jobs: list[Job] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.ready = False
        self.info: CaptionerInfo | None = None  # once ready
        self.space: EmbeddingSpace | None = None  # once ready; None without an embedder
        self.failure: str | None = None

    def start(
        self, on_ready: Callable[[], None] | None = None, on_failure: Callable[[str], None] | None = None
    ) -> None:
        """Load the captioner in the background; more calls do nothing. Call it after any fork, never before."""
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, args=(on_ready, on_failure), name="inference", daemon=True
                )
                self._thread.start()

    def describe(self, photo: Image.Image, language: str, style: str) -> Description:
        """The scene alone (Describer.describe_scenes). Waits for the captioner if it is loading. Raises ModelError if
        there is none, ModelBusyError if it does not answer in time or too many wait for it, and UnsupportedOption."""
        job = DescribeJob(photo, language, style)
        self._submit(job)
        return self._wait(job.answer)

    def embed(self, text: str) -> np.ndarray | None:
        """-> the text's embedding, (D,) float32 of length 1, or None without an embedder. Waits, and raises, as
        `describe` does."""
        job = EmbedJob(text)
        self._submit(job)
        return self._wait(job.answer)

    def _submit(self, job: Job) -> None:
        self.start()
        with self._changed:
            if self.failure or self._closed:
                raise ModelError(self.failure or "The service is stopping.")
            if not self.ready and len(self._jobs) >= self._waiting_while_loading:
                raise ModelBusyError("The captioner is still being loaded; try again in a few seconds.")
            self._jobs.append(job)
            self._changed.notify()

    def _wait(self, answer: Future[T]) -> T:
        try:
            return answer.result(self._timeout_s)
        except TimeoutError:
            answer.cancel()  # unless it is being worked on, nobody needs it any more
            raise ModelBusyError(
                "The captioner did not answer within %(seconds)s seconds; try again in a moment.",
                seconds=f"{self._timeout_s:g}",
            ) from None

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
            if self._on_loaded:
                self._on_loaded(describer)
        except Exception as error:
            if not isinstance(error, ModelError):
                log.exception("loading the captioner failed")
            self._refuse(str(error))
            if on_failure:
                on_failure(str(error))
            return
        self.info, self.space = describer.info, describer.space
        self.ready = True
        if on_ready:
            on_ready()
        while batch := self._next_batch():
            self._answer(describer, batch)
        self.ready = False
        self._refuse("The service is stopping.")

    def _next_batch(self) -> list[Job]:
        """The oldest job and all that go with it; empty when closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if self._closed:
                    return []
                batch = [job for job in self._jobs if job.key == self._jobs[0].key][: self._max_batch]
                self._jobs = [job for job in self._jobs if job not in batch]
                if batch := [job for job in batch if job.answer.set_running_or_notify_cancel()]:
                    return batch

    def _refuse(self, reason: str) -> None:
        with self._changed:
            self.failure = reason
            jobs, self._jobs = self._jobs, []
        for job in jobs:
            if job.answer.set_running_or_notify_cancel():
                job.answer.set_exception(ModelError(reason))

    def _answer(self, describer: Describer, batch: list[Job]) -> None:
        try:
            answers = _work_on(describer, batch)
        except Exception as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            for job in batch:  # one photo must not spoil the others' answers
                self._answer(describer, [job])
            return
        for job, answer in zip(batch, answers, strict=True):
            job.answer.set_result(answer)  # type: ignore[arg-type]


def _work_on(describer: Describer, batch: list[Job]) -> list[Description] | list[np.ndarray] | list[None]:
    """What each job of a batch, all with the same key, asks for."""
    photos = [job for job in batch if isinstance(job, DescribeJob)]
    if photos:
        return describer.describe_scenes([job.photo for job in photos], photos[0].language, photos[0].style)
    embeddings = describer.embed_texts([job.text for job in batch if isinstance(job, EmbedJob)])
    return [None] * len(batch) if embeddings is None else list(embeddings)


def load_describer(source: Path | None, precision: str) -> Describer:
    """The captioner in the folder or of the name `source`, or the embedded one. Imports torch. Raises ModelError."""
    try:
        return Describer.load(source, precision=precision)
    except CheckpointError as error:
        raise ModelError(str(error)) from error
