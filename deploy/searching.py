"""A SearchQuery -> the owner's photos that answer it: what API and pages share. Knows no web."""

from dataclasses import dataclass

import numpy as np

from deploy.inference import ModelBusyError, ModelError
from deploy.library import ALWAYS, Hit, Period, Record
from deploy.services import Services
from model.languages.words import keywords


@dataclass(frozen=True)
class SearchQuery:
    """What to look for: `text`, or "" for the newest photos; at most `limit`, from `cursor` on; of a `period`;
    `language` of the text, None if it is not known."""

    text: str = ""
    limit: int = 20
    cursor: int | None = None
    period: Period = ALWAYS
    language: str | None = None


@dataclass(frozen=True)
class SearchPage:
    """The `hits`; the cursor of the `next` page, None if there are no more; why only words were searched: None (photos
    were searched by similarity too), "language" (the captioner does not know it), "captioner" (it cannot embed a text)
    or "space" (only words of those photos that lie in other embedding spaces)."""

    hits: list[Hit]
    next: int | None = None
    words_only: str | None = None


def search(services: Services, query: SearchQuery, owner: str | None) -> SearchPage:
    """Answer from the owner's photos alone; a visitor who never sent one has none."""
    if owner is None:
        return SearchPage([])
    library = services.library
    if not query.text:
        newest = library.records.newest(owner, query.limit + 1, query.cursor, query.period)
        shown = newest[: query.limit]
        following = shown[-1].number if len(newest) > query.limit else None
        return SearchPage([Hit(record, 0.0) for record in shown], following)
    # What is no word, or a stop word alone, is not searched by similarity.
    vector, words_only = _embed(services, query) if keywords(query.text) else (None, None)
    first = query.cursor or 0
    space = services.inference.space
    id, least = (space.id, space.least_cosine) if space else (None, -1.0)
    hits = library.search.find(owner, query.text, vector, id, query.period, least, first, query.limit + 1)
    if id and vector is not None and not library.records.all_in_space(owner, id):
        words_only = "space"
    return SearchPage(hits[: query.limit], first + query.limit if len(hits) > query.limit else None, words_only)


def similar(services: Services, record: Record, limit: int) -> list[Hit]:
    """The owner's other photos that look like that of the record. Where it lies in the space of an earlier captioner,
    whose bound nobody knows any more, they are the nearest."""
    space = services.inference.space
    least = space.least_photo_cosine if space and space.id == record.space else -1.0
    return services.library.search.similar(record, limit, least)


def _embed(services: Services, query: SearchQuery) -> tuple[np.ndarray | None, str | None]:
    """-> the query's embedding or None, and why only words can be searched."""
    try:
        vector = services.inference.embed(query.text)
    except (ModelError, ModelBusyError):
        return None, "captioner"
    info = services.inference.info
    if vector is None or info is None:
        return None, "captioner"
    if query.language is not None and query.language not in info.languages:
        return None, "language"
    return vector, None
