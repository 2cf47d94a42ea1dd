"""A wish -> the owner's photos that answer it: the way that the API and the pages share."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from flask_babel import gettext as _
from model.ways import LANGUAGES

from deploy.describing import parts
from deploy.errors import Problem
from deploy.inference import ModelError
from deploy.library import ALWAYS, Found, Period

FIELDS = ("q", "limit", "cursor", "since", "until", "lang")
MOST = 100  # results at once
MOST_QUERY = 500  # characters
MOST_NUMBER = 2**31 - 1  # of a record, as PostgreSQL counts


@dataclass(frozen=True)
class Wish:
    """What to look for: `query`, or "" for the newest; at most `limit`, from `cursor` on; of a `period`; `language` of
    the query, None if it was not said."""

    query: str = ""
    limit: int = 20
    cursor: int | None = None
    period: Period = ALWAYS
    language: str | None = None

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> "Wish":
        """From FIELDS as sent. Raises Problem."""
        for name in fields:
            if name not in FIELDS:
                raise Problem(422, "Unknown field", f"There is no field '{name}'; use {', '.join(FIELDS)}.")
        query = " ".join(fields.get("q", "").split())
        if len(query) > MOST_QUERY:
            raise Problem(
                422, "Too long", _("The search is too long; use at most %(most)s characters.", most=MOST_QUERY)
            )
        language = fields.get("lang") or None
        if language not in (None, *LANGUAGES):
            raise Problem(422, "Unknown language", f"lang is '{language}'; use en for English or id for Indonesian.")
        return cls(
            query,
            _whole(fields, "limit", 1, MOST) or cls.limit,
            _whole(fields, "cursor", 0, MOST_NUMBER),
            _period(fields),
            language,
        )


@dataclass(frozen=True)
class Answer:
    """What was `found`; the cursor of the `next` ones, None if there are no more; why only words were searched: None
    (what photos look like was searched too), "language" (the captioner does not know it), "captioner" (there is none)
    or "others" (photos were described by another captioner)."""

    found: list[Found]
    next: int | None = None
    only_words: str | None = None


def look(wish: Wish, owner: str | None) -> Answer:
    """Answer from the owner's photos alone; a visitor who never sent one has none."""
    if owner is None:
        return Answer([])
    library = parts().library
    if not wish.query:
        newest = library.records.newest(owner, wish.limit + 1, wish.cursor, wish.period)
        shown = newest[: wish.limit]
        return Answer([Found(record, 0.0) for record in shown], shown[-1].number if len(newest) > wish.limit else None)
    vector, about, only_words = _embedded(wish)
    first = wish.cursor or 0
    model, least = (about.name, about.least_cosine) if about else ("", -1.0)
    found = library.search.find(owner, wish.query, vector, model, wish.period, least, first, wish.limit + 1)
    if not only_words and not any(each.looks for each in found) and not library.records.are_all_of(owner, model):
        only_words = "others"
    more = len(found) > wish.limit
    return Answer(found[: wish.limit], first + wish.limit if more else None, only_words)


def _embedded(wish: Wish):
    """-> the query's embedding or None, what is known of the captioner or None, and why only words can be searched."""
    inference = parts().inference
    try:
        vector = inference.embed(wish.query)
    except ModelError:
        return None, None, "captioner"
    if wish.language not in (None, *inference.about.languages):
        return None, inference.about, "language"
    return vector, inference.about, None


def _whole(fields: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = fields.get(name)
    if not text:
        return None
    if not (re.fullmatch("[0-9]{1,19}", text) and least <= int(text) <= most):
        what = f"a whole number from {least} to {most}" if name == "limit" else "the field next of an earlier answer"
        raise Problem(422, f"Unusable {name}", f"{name} is '{text}'; use {what}.")
    return int(text)


def _period(fields: Mapping[str, str]) -> Period:
    period = Period(_moment(fields, "since"), _moment(fields, "until"))
    if period.since and period.until and period.since > period.until:
        raise Problem(422, "No such period", _("The first day comes after the last; change one of them."))
    return period


def _moment(fields: Mapping[str, str], name: str) -> datetime | None:
    """A date, or a date and time, to UTC without a zone. `until` a date holds the whole day."""
    text = fields.get(name)
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time.max if name == "until" else time.min)
    except ValueError:  # more than a date
        pass
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise Problem(422, f"Unusable {name}", _("%(text)s is no date; write it as 2026-01-31.", text=text)) from None
