"""The JSON API."""

import hashlib
import io

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import Response, request, send_file, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage

from deploy.access import find, owner_from_now_on, unknown_id
from deploy.describing import Options, describe_upload, parts
from deploy.errors import Problem
from deploy.inference import Inference
from deploy.library import Record
from deploy.schemas import Description, Models, State

api = APIBlueprint("api", __name__, url_prefix="/api/v1", tag="Descriptions")
states = APIBlueprint("states", __name__, tag="Service")
NO_STORE = {"Cache-Control": "no-store"}
SOUND_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav"}


@api.post("/describe")
@api.output(Description, 201, description="Described and kept. Location names the record.")
@api.doc(responses={200: "The record of before: this photo was asked about in this way once already."})
def describe():
    """Describe a photo

    Send it as the field image of a multipart form, or as the body itself, whatever its content type. The other fields
    go into the query or into the form. JPEG, PNG, WebP, GIF, HEIC and AVIF are recognised by content. It is kept for
    your key or, without one, for the cookie in the answer. The same photo asked about in the same way once more is
    answered with 200 and the record of before.
    """
    data, fields = read_request()
    record, new = describe_upload(data, Options.read(fields), owner_from_now_on())
    headers = {"Location": url_for("api.show", id=record.id)} | NO_STORE
    return as_json(record), 201 if new else 200, headers


@api.get("/models")
@api.output(Models)
def models():
    """Which captioner is in use, and what it can do"""
    return {"models": [ready_inference().about]}


@api.get("/images/<id>")
@api.output(Description)
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
@states.output(State)
def health():
    """Is the service running?"""
    return {"status": "ok"}


@states.get("/readyz")
@states.output(State)
def readiness():
    """Is the captioner loaded?"""
    ready_inference()
    return {"status": "ready"}


def ready_inference() -> Inference:
    """Raises Problem 503 while there is no captioner."""
    inference = parts().inference
    inference.start()
    if inference.failure:
        raise Problem(503, "No captioner", _("The captioner could not be started; the log of the service says why."))
    if not inference.ready:
        raise Problem(503, "Not ready", "The captioner is still being loaded; try again in a few seconds.")
    return inference


def read_request() -> tuple[bytes, dict[str, str]]:
    """-> the photo's bytes and the other fields. Raises Problem if the photo is not where it should be."""
    if request.mimetype != "multipart/form-data":
        data = request.get_data(cache=False)  # before anything parses a form: curl calls every body one
        if not data:
            raise no_photo()
        return data, request.args.to_dict()
    photos = [file for file in request.files.getlist("image") if is_chosen(file)]
    others = sorted(set(request.files) - {"image"})
    if others:
        raise Problem(
            400,
            "Wrong field",
            f"The photo was sent as the field '{others[0]}'; send it as the field 'image'.",
        )
    if "image" in request.form:
        raise Problem(
            400, "Not a file", "The field 'image' holds text; send the photo as a file, with curl -F image=@photo.jpg."
        )
    if len(photos) > 1:
        raise Problem(400, "Several photos", "Several photos were sent; send one in each request.")
    if not photos:
        raise no_photo()
    return photos[0].read(), request.args.to_dict() | request.form.to_dict()


def is_chosen(file: FileStorage) -> bool:
    """Forms send a nameless empty file where nothing was chosen."""
    some = file.stream.read(1)
    file.stream.seek(0)
    return bool(file.filename or some)


def no_photo() -> Problem:
    return Problem(400, "No photo", "No photo was sent; send it as the field 'image' or as the body.")


def as_json(record: Record) -> dict:
    """The record as schemas.Description has it."""
    sound = {"url": url_for("api.audio_mp3", id=record.id), "type": SOUND_TYPES["mp3"]}
    return {
        "id": record.id,
        "created": record.created.isoformat(timespec="milliseconds") + "Z",
        "description": record.said,
        "mended": record.mended is not None,
        "caption": {"text": record.caption, "confidence": record.confidence, "alternatives": record.alternatives},
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
        data = parts().library.read(record, kind)
    except FileNotFoundError:  # deleted since we looked
        raise unknown_id() from None
    if "Range" in request.headers and (request.range is None or len(request.range.ranges) != 1):
        del request.environ["HTTP_RANGE"]  # what is no range is none (RFC 9110), and several may be answered as a whole
    tag = hashlib.blake2b(data, digest_size=12).hexdigest()
    response = send_file(io.BytesIO(data), mimetype=type, conditional=True, etag=tag)
    response.headers["Cache-Control"] = "private, no-cache"  # a deleted photo is not to be seen again
    return response
