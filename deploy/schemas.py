"""What the API answers, field by field; the API documentation is made from this."""

from apiflask import Schema
from apiflask.fields import Boolean, Dict, Float, Integer, List, Nested, String
from apiflask.validators import OneOf

from deploy.fields import about
from model.certainty import Certainty
from model.protocols import STYLES

ALL_CERTAINTIES = [str(each) for each in Certainty]


class AlternativeSchema(Schema):
    text = String(**about("A caption.", example="a white dog on green grass"))
    confidence = Float(allow_none=True, **about("As the description has it."))


class ClaimSchema(Schema):
    text = String(**about("A word of the caption.", example="dog"))
    support = Float(**about("Share of the captions it considered that say it, 0 to 1."))


class TextLineSchema(Schema):
    text = String(**about("A line of text, as it was read.", example="Platform 9"))
    confidence = Float(**about("0 to 1, as the reader has it."))
    box = List(
        List(Float()), **about("Its four corners in pixels of the photo, from where the text begins, clockwise.")
    )


class CodeSchema(Schema):
    kind = String(**about("web, wifi, contact, event, email, phone, sms, place, payment, app, product, text or data."))
    content = String(**about("What it holds, cleaned of control characters. Nobody opened or checked it."))
    told = String(**about("The same in words.", example="A QR code with a web address at example.com."))
    format = String(**about("Kind of code.", example="QRCode"))
    box = List(List(Float()), **about("Its four corners in pixels of the photo."))


class NameSchema(Schema):
    text = String(**about("What a thing in the photo likely is.", example="espresso"))
    probability = Float(**about("0 to 1."))


class AudioSchema(Schema):
    url = String(**about("Path of the spoken description. Replace .mp3 by .wav for WAV."))
    type = String(**about("Its media type.", example="audio/mpeg"))


class ImageSchema(Schema):
    url = String(**about("Path of the stored photo: upright, a JPEG, without metadata."))
    width = Integer(**about("In pixels, of the stored photo."))
    height = Integer(**about("In pixels, of the stored photo."))


class DescriptionSchema(Schema):
    id = String(**about("Whoever has it can read this description; nobody can guess it."))
    created = String(**about("When, in UTC.", format="date-time"))
    description = String(
        **about("What is said of the photo, in its owner's words if there are any. Tell it with its certainty.")
    )
    certainty = String(
        validate=OneOf(ALL_CERTAINTIES),
        **about(
            "How sure it is. high: say the sentence. medium, low: say that you doubt it, as spoken_text does. none: "
            "nothing can be said, and there is no caption. unknown: nobody measured how often this captioner is right."
        ),
    )
    cautions = List(String(), **about("Sentences to be said with it, in its language.", example=[
        "Do not rely on it alone to walk or to cross."]))  # fmt: skip
    spoken_text = String(**about("What the sound says: words of doubt, the description, the cautions."))
    user_description = String(allow_none=True, **about("The owner's own words for the photo; null if there are none."))
    caption = String(allow_none=True, **about("What the captioner says; null if the certainty is none."))
    confidence = Float(
        allow_none=True,
        **about(
            "0 to 1: the share of such captions that were right on dev photos, or, of a captioner that was not "
            "calibrated so, its own number; null if it has none."
        ),
    )
    alternatives = List(
        Nested(AlternativeSchema),
        **about(
            "What else it could be: other captions that differ in content, none with more confidence than the first."
        ),
    )
    claims = List(Nested(ClaimSchema), **about("How far the captions that it considered agree on each word."))
    unverified = List(
        String(),
        **about("What the captioner claimed and nobody could check, so that it was taken out.", example=["light"]),
    )
    text = List(Nested(TextLineSchema), **about("Text in the photo, line by line in reading order."))
    codes = List(Nested(CodeSchema), **about("QR and bar codes in the photo."))
    names = List(Nested(NameSchema), **about("Things in the photo that have a name of their own, at most two."))
    quality = Dict(
        keys=String(),
        allow_none=True,
        **about("Kind of picture, its problems and the figures behind them; null if it was not looked at."),
    )
    advice = List(String(), **about("How to take a better photo, in the language of the description."))
    failed = List(String(), **about("What could not be looked for, such as text; the rest is told."))
    language = String(**about("Language of the description, such as en or id."))
    style = String(validate=OneOf(STYLES), **about("caption, long or guide."))
    audio = Nested(AudioSchema, allow_none=True, **about("The description spoken; null if that failed."))
    audio_error = String(allow_none=True, **about("Why there is no sound, in one sentence; else null."))
    image = Nested(ImageSchema, **about("The photo as it is kept."))
    model = String(**about("Name of the captioner."))
    timings_ms = Dict(
        keys=String(), values=Float(), **about("How long each step took, in milliseconds; model_*: inside describe.")
    )


class HitSchema(DescriptionSchema):
    score = Float(**about("How well it fits beside the others of this answer; 0 without a search."))
    match_reasons = List(String(), **about("What makes it an answer.", example=["looks like it", "says 'platform'"]))


class SearchPageSchema(Schema):
    images = List(Nested(HitSchema), **about("Best first, or newest first without a search."))
    next = String(allow_none=True, **about("The cursor for the next page; null if there is none."))
    message = String(allow_none=True, **about("What the list does not say, such as that there is no good match."))


class SimilarPhotoSchema(DescriptionSchema):
    score = Float(**about("Cosine of the two photos' embeddings; 1 is the same photo."))
    near_duplicate = Boolean(**about("Whether it is nearly the same photo."))


class SimilarSchema(Schema):
    images = List(Nested(SimilarPhotoSchema), **about("The nearest first."))


class ModelSchema(Schema):
    name = String(**about("Name of the captioner, as descriptions have it in model."))
    family = String(**about("What kind of captioner it is."))
    precision = String(**about("In what it computes: float32, bfloat16 or int8."))
    languages = List(String(), **about("What lang may be."))
    styles = List(String(), **about("What style may be."))
    parameters = Integer(allow_none=True, **about("How many it has; null if that is not known."))
    runs_elsewhere = Boolean(**about("Whether photos leave this machine to be described."))


class ModelsSchema(Schema):
    models = List(Nested(ModelSchema), **about("The captioners in use: one."))


class StateSchema(Schema):
    status = String(**about("ok or ready."))


class ProblemDetails(Schema):
    type = String(**about("about:blank: title and status say what kind of problem it is."))
    title = String(**about("The kind of problem in a few words."))
    status = Integer(**about("The HTTP status."))
    detail = String(**about("One sentence: what was wrong and what would work."))
    instance = String(**about("Path of the request."))
