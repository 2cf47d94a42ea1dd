"""What may be sent, field by field, declared once: read and checked here, and documented from here.

A field that cannot be used is an InvalidField: one sentence that names it and says what would work.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from apiflask import Schema
from apiflask.fields import Field, Integer, String
from apiflask.validators import Length, Range
from flask_babel import gettext as _
from marshmallow import RAISE, ValidationError, post_load, pre_load

from deploy.config import RATES
from deploy.describing import MAX_DESCRIPTION, DescribeOptions
from deploy.errors import InvalidField
from deploy.library import Period
from deploy.searching import SearchQuery
from model.languages.codes import primary_language
from model.protocols import STYLES
from model.telling import DETAILS, ORDERS, USUAL, Telling

MAX_RESULTS = 100  # at once
MAX_QUERY = 500  # characters
MAX_NUMBER = 2**31 - 1  # of a record, as PostgreSQL counts
SHOWN = 80  # characters of what was sent that an error repeats


def about(description: str, **more: Any) -> dict[str, Any]:
    """For the API documentation."""
    return {"metadata": {"description": description, **more}}


class LanguageField(String):
    """A code as apps send it: `id`, `ID`, `id-ID`, `in`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return primary_language(str(value))


class ChoiceField(String):
    """One of `choices`."""

    def __init__(self, choices: Sequence[str], *, metadata: dict[str, Any], **kwargs: Any):
        super().__init__(metadata=metadata | {"enum": list(choices)}, **kwargs)
        self._choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if value not in self._choices:
            shown = {"field": attr, "value": str(value)[:SHOWN], "instead": ", ".join(self._choices)}
            raise InvalidField(_("%(field)s is '%(value)s'; use %(instead)s.", **shown))
        return str(value)


class WholeNumber(Integer):
    """From `least` to `most`; `instead`: what an error says to use."""

    def __init__(self, least: int, most: int, instead: str = "", **kwargs: Any):
        super().__init__(validate=Range(least, most), **kwargs)
        self._range, self._instead = range(least, most + 1), instead or f"a whole number from {least} to {most}"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) in self._range):
            shown = {"field": attr, "value": text[:SHOWN], "instead": self._instead}
            raise InvalidField(_("%(field)s is '%(value)s'; use %(instead)s.", **shown))
        return int(text)


class Moment(Field[datetime]):
    """A date, or a date and time, -> UTC without a zone. With `end_of_day` a date holds the whole day."""

    def __init__(self, end_of_day: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self._time = time.max if end_of_day else time.min

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        text = str(value)
        try:
            return datetime.combine(date.fromisoformat(text), self._time)
        except ValueError:  # more than a date
            pass
        try:
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        except (ValueError, OverflowError):
            raise InvalidField(_("%(text)s is not a valid date; write it as 2026-01-31.", text=text[:SHOWN])) from None


class Fields(Schema):
    """Fields of a query or a form; an empty one counts as not sent, and one that is not known is refused."""

    class Meta:
        unknown = RAISE

    @pre_load
    def _without_blanks(self, data: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        unknown = next((name for name in data if name not in self.fields), None)
        if unknown is not None:
            raise InvalidField(f"There is no field '{unknown[:SHOWN]}'; use {', '.join(self.fields)}.")
        return {name: value for name, value in data.items() if value != ""}


class DescribeFields(Fields):
    """-> DescribeOptions."""

    lang = LanguageField(
        load_default="en",
        **about("Language of the answer, such as en or id-ID. /api/v1/models says which the captioner in use has."),
    )
    style = ChoiceField(
        STYLES,
        load_default="caption",
        **about("caption: a sentence. long: with more detail. guide: what is ahead, and where."),
    )
    order = ChoiceField(
        ORDERS,
        load_default=USUAL.order,
        **about("What is told first: text in the photo, or the scene. auto: the text where it fills the photo."),
    )
    detail = ChoiceField(
        DETAILS,
        load_default=USUAL.detail,
        **about("full, or short: without other possibilities and without advice on how to take the photo."),
    )
    read = ChoiceField(("1", "0"), load_default="1", **about("0: do not look for text and codes; it is quicker."))
    rate = WholeNumber(
        RATES.start,
        RATES.stop - 1,
        f"a whole number of words a minute from {RATES[0]} to {RATES[-1]}",
        load_default=None,
        **about("Speed of the voice in words a minute; left out, the voice's own."),
    )

    @post_load
    def _options(self, data: dict[str, Any], **kwargs: Any) -> DescribeOptions:
        telling = Telling(data["order"], data["detail"])
        return DescribeOptions(data["lang"], data["style"], data["rate"], telling, data["read"] == "1")


class SearchFields(Fields):
    """-> SearchQuery."""

    q = String(
        load_default="", validate=Length(max=MAX_QUERY), **about("What the photo shows; without it, the newest.")
    )
    lang = LanguageField(load_default=None, **about("Language of q, if you know it."))
    since = Moment(
        load_default=None, **about("First day, or moment, such as 2026-01-31.", type="string", format="date")
    )
    until = Moment(end_of_day=True, load_default=None, **about("Last day, or moment.", type="string", format="date"))
    limit = WholeNumber(1, MAX_RESULTS, load_default=SearchQuery.limit, **about("How many at once."))
    cursor = WholeNumber(
        0, MAX_NUMBER, "the field next of an earlier answer", load_default=None,
        **about("The field next of an earlier answer."),
    )  # fmt: skip

    @post_load
    def _query(self, data: dict[str, Any], **kwargs: Any) -> SearchQuery:
        period = Period(data["since"], data["until"])
        if period.since and period.until and period.since > period.until:
            raise InvalidField(_("The first day comes after the last; change one of them."))
        text = " ".join(data["q"].split())
        return SearchQuery(text, data["limit"], data["cursor"], period, data["lang"])

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any) -> None:
        raise InvalidField(_("The search is too long; use at most %(most)s characters.", most=MAX_QUERY))


class EditFields(Schema):
    """-> the owner's words, or None for the captioner's."""

    class Meta:
        unknown = RAISE

    user_description = String(
        required=True,
        allow_none=True,
        **about(f"Your own words for the photo, at most {MAX_DESCRIPTION} characters; null for the captioner's."),
    )

    @post_load
    def _words(self, data: dict[str, Any], **kwargs: Any) -> str | None:
        return data["user_description"]

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any) -> None:
        raise InvalidField('Send your words as JSON: {"user_description": "..."}.')
