"""What the API answers, field by field; the API documentation is made from this."""

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from apiflask.validators import OneOf
from model.ways import LANGUAGES, STYLES


def about(description: str, **more) -> dict:
    return {"metadata": {"description": description, **more}}


class Guess(Schema):
    text = String(**about("A caption.", example="a white dog on green grass"))
    confidence = Float(**about("Mean probability of the caption's tokens, 0 to 1. Not the chance that it is true."))


class Caption(Guess):
    alternatives = List(Nested(Guess), **about("Other captions that were considered, best first."))


class Audio(Schema):
    url = String(**about("Path of the spoken description. Replace .mp3 by .wav for WAV."))
    type = String(**about("Its media type.", example="audio/mpeg"))


class Image(Schema):
    url = String(**about("Path of the stored photo: upright, a JPEG, without metadata."))
    width = Integer(**about("In pixels, of the stored photo."))
    height = Integer(**about("In pixels, of the stored photo."))


class Description(Schema):
    id = String(**about("Whoever has it can read this description; nobody can guess it."))
    created = String(**about("When, in UTC.", format="date-time"))
    description = String(
        **about("All that is told about the photo, in its owner's words if it was mended. This is what is spoken.")
    )
    mended = Boolean(**about("Whether the description is in its owner's words."))
    caption = Nested(Caption, **about("What the captioner said."))
    language = String(validate=OneOf(LANGUAGES), **about("Language of the description: en or id."))
    style = String(validate=OneOf(STYLES), **about("The way of telling: caption, long or guide."))
    audio = Nested(
        Audio, allow_none=True, **about("The description spoken, after words of doubt if confidence is low; else null.")
    )
    audio_error = String(allow_none=True, **about("Why there is no sound, in one sentence; else null."))
    image = Nested(Image, **about("The photo as it is kept."))
    model = String(**about("Name of the captioner."))
    timings_ms = Dict(
        keys=String(), values=Float(), **about("How long each step took, in milliseconds; model_*: inside describe.")
    )


class Result(Description):
    score = Float(**about("How well it fits beside the others of this answer; 0 without a search."))
    why = List(String(), **about("What makes it an answer.", example=["looks like it", "says 'platform'"]))


class Images(Schema):
    images = List(Nested(Result), **about("Best first, or newest first without a search."))
    next = String(allow_none=True, **about("The cursor for the rest; null if there is none."))
    message = String(allow_none=True, **about("What the list does not say, such as that there is no good match."))


class Likeness(Description):
    score = Float(**about("Cosine of the two photos' embeddings; 1 is the same photo."))
    near_duplicate = Boolean(**about("Whether it is nearly the same photo."))


class Similar(Schema):
    images = List(Nested(Likeness), **about("The nearest first."))


class Mend(Schema):
    description = String(
        required=True, **about("Your own words for the photo, at most 500 characters; empty for the captioner's.")
    )


class Model(Schema):
    name = String(**about("Name of the captioner, as descriptions have it in model."))
    precision = String(**about("In what it computes: float32, bfloat16 or int8."))
    languages = List(String(), **about("What lang may be."))
    styles = List(String(), **about("What style may be."))
    parameters = Integer(**about("How many numbers it is made of."))


class Models(Schema):
    models = List(Nested(Model), **about("The captioners in use: one."))


class State(Schema):
    status = String(**about("ok or ready."))


class ProblemDetails(Schema):
    type = String(**about("about:blank: title and status say what kind of problem it is."))
    title = String(**about("The kind of problem in a few words."))
    status = Integer(**about("The HTTP status."))
    detail = String(**about("One sentence: what was wrong and what would work."))
    instance = String(**about("Path of the request."))
