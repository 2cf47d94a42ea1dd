"""What a running service is made of."""

import logging
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from deploy.config import Settings
from deploy.housekeeping import Housekeeper
from deploy.inference import Inference, load_describer
from deploy.library import Library
from deploy.speech import Speaker
from model.describe import Describer
from model.senses.senses import Senses

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """The application layer (`deploy.describing`, `deploy.searching`) is given these; it knows no web."""

    settings: Settings
    inference: Inference
    speaker: Speaker
    library: Library
    housekeeper: Housekeeper
    senses: Senses = field(default_factory=Senses)

    @classmethod
    def make(
        cls,
        settings: Settings,
        describer: Describer | None = None,
        speaker: Speaker | None = None,
        library: Library | None = None,
    ) -> "Services":
        """Nothing heavy is loaded before `start`, or the first request that needs it. Raises LibraryError."""
        library = library or Library(settings.instance, settings.database, settings.photos)
        inference = Inference(
            lambda: describer or load_describer(settings.model, settings.precision),
            timeout_s=settings.captioner_timeout,
            waiting_while_loading=max(1, settings.threads // 2),  # the other threads go on answering
            on_loaded=lambda loaded: prepare_library(library, loaded),
        )
        housekeeper = Housekeeper(library, settings.visitor_days)
        return cls(settings, inference, speaker or Speaker(float(settings.speech_timeout)), library, housekeeper)

    def start(self) -> None:
        """Load the captioner and begin housekeeping, in the background. Call it after any fork, never before."""
        self.inference.start()
        self.housekeeper.start()

    def close(self) -> None:
        self.housekeeper.close()
        self.inference.close()
        self.speaker.close()
        self.library.close()


def prepare_library(library: Library, describer: Describer) -> None:
    """Let the library search in the space of this describer. What fails here only makes searches poorer or slower."""
    if describer.space is None:
        return
    try:
        library.records.adopt_space(describer.info.name, describer.space.id)
        library.search.prepare(describer.space.dimension)
    except SQLAlchemyError:
        log.exception("the library could not be prepared for the space of the captioner")
