"""The JSON API: describe, and show again."""

import hashlib
import io

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import Response, request, send_file, url_for

from deploy.access import ensure_owner, find, unknown_id
from deploy.describing import cautions_of, certainty_of, describe_upload, findings_as_json, findings_of, spoken_text_of
from deploy.errors import Problem
from deploy.fields import DescribeFields
from deploy.inference import ModelBusyError, ModelError
from deploy.library import Record
from deploy.schemas import DescriptionSchema, ModelsSchema, StateSchema
from deploy.uploads import api_upload
from deploy.web import services
from model.languages.wording import wording
from model.protocols import CaptionerInfo
from model.senses.senses import Findings

api = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="Descriptions")
states = APIBlueprint("states", __name__, tag="Service")
NO_STORE = {"Cache-Control": "no-store"}
SOUND_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav"}


@api.post("/describe")
@api.input(DescribeFields, location="query", validation=False)
@api.output(DescriptionSchema, 201, description="Described and kept. Location names the record.")
@api.doc(
    responses={
        200: "The record that is there: this photo was already described in this language and style.",
        400: "No photo where it should be, or one that cannot be read.",
        413: "The photo has too many bytes or pixels.",
        415: "Not a photo in a format that is read.",
        422: "Unusable field, or a damaged photo.",
        503: "There is no captioner, or it is busy; Retry-After says when to try again.",
        507: "There is no room for more photos.",
    }
)
def describe(**_unread):
    """Describe a photo

    Send it as the field image of a multipart form, or as the body itself, whatever its content type. The other fields
    go into the query or into the form. JPEG, PNG, WebP, GIF, HEIC and AVIF are recognised by content. It is kept for
    your key or, without one, for the cookie in the answer. The same photo in the same language and style is described
    once: the second time is answered with 200 and the record that is there.
    """
    data, fields = api_upload()
    record, new = describe_upload(services(), data, DescribeFields().load(fields), ensure_owner())
    headers = {"Location": url_for("api.show", id=record.id)} | NO_STORE
    return as_json(record), 201 if new else 200, headers


@api.get("/models")
@api.output(ModelsSchema)
@api.doc(responses={503: "The captioner is still being loaded."})
def models():
    """Which captioner is in use, and what it can do"""
    return {"models": [ready_captioner()]}


@api.get("/images/<id>")
@api.output(DescriptionSchema)
def show(id: str):
    """Show a description again"""
    return as_json(find(id)), 200, NO_STORE


@api.get("/images/<id>/photo")
@api.output(FileSchema(type="string", format="binary"), content_type="image/jpeg", description="The stored photo.")
def photo(id: str):
    """The photo: upright, without metadata"""
    return send(find(id), "jpg", "image/jpeg")


@api.get("/images/<id>/audio.mp3")
@api.output(FileSchema(type="string", format="binary"), content_type="audio/mpeg", description="Sound.")
def audio_mp3(id: str):
    """The spoken description as MP3"""
    return send_sound(find(id), "mp3")


@api.get("/images/<id>/audio.wav")
@api.output(FileSchema(type="string", format="binary"), content_type="audio/wav", description="Sound.")
def audio_wav(id: str):
    """The spoken description as WAV"""
    return send_sound(find(id), "wav")


@states.get("/healthz")
@states.output(StateSchema)
def health():
    """Is the service running?"""
    return {"status": "ok"}


@states.get("/readyz")
@states.output(StateSchema)
@states.doc(responses={503: "The captioner is still being loaded, or could not be."})
def readiness():
    """Is the captioner loaded?"""
    ready_captioner()
    return {"status": "ready"}


def ready_captioner() -> CaptionerInfo:
    """Raises ModelError or ModelBusyError while there is no captioner."""
    inference = services().inference
    inference.start()
    if inference.failure:
        raise ModelError(inference.failure)
    if inference.info is None:
        raise ModelBusyError("The captioner is still being loaded; try again in a few seconds.")
    return inference.info


def as_json(record: Record) -> dict:
    """The record as DescriptionSchema has it."""
    sound = {"url": url_for("api.audio_mp3", id=record.id), "type": SOUND_TYPES["mp3"]}
    words = wording(record.language)
    return {
        "id": record.id,
        "created": record.created.isoformat(timespec="milliseconds") + "Z",
        "description": record.display_text,
        "certainty": certainty_of(record),
        "cautions": [words.cautions[kind] for kind in cautions_of(record)],
        "spoken_text": spoken_text_of(record),
        "user_description": record.user_description,
        "caption": record.caption,
        "confidence": record.confidence,
        "alternatives": record.alternatives,
        "claims": record.claims,
        "unverified": record.unverified,
        **findings_as_json(findings_of(record) or Findings(), record.language),
        "language": record.language,
        "style": record.style,
        "audio": None if record.audio_error else sound,
        "audio_error": record.audio_error,
        "image": {"url": url_for("api.photo", id=record.id), "width": record.width, "height": record.height},
        "model": record.model,
        "timings_ms": record.timings_ms,
    }


def send_sound(record: Record, kind: str) -> Response:
    if record.audio_error:
        raise Problem(404, "No sound", f"This description could not be spoken: {record.audio_error}")
    return send(record, kind, SOUND_TYPES[kind])


def send(record: Record, kind: str, type: str) -> Response:
    try:
        data = services().library.read(record, kind)
    except FileNotFoundError:  # deleted since we looked
        raise unknown_id() from None
    if "Range" in request.headers and (request.range is None or len(request.range.ranges) != 1):
        del request.environ["HTTP_RANGE"]  # what is no range is none (RFC 9110), and several may be answered as a whole
    tag = hashlib.blake2b(data, digest_size=12).hexdigest()
    response = send_file(io.BytesIO(data), mimetype=type, conditional=True, etag=tag)
    response.headers["Cache-Control"] = "private, no-cache"  # a deleted photo is not to be seen again
    return response
