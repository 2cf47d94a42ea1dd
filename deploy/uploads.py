"""A request -> the bytes of its photo, or a Problem that says how to send it."""

from flask import request
from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage

from deploy.errors import Problem

PICKERS = ("image", "camera")  # the page's form has two, for `capture` takes the gallery away where it works


def api_upload() -> tuple[bytes, dict[str, str]]:
    """-> the photo's bytes, sent as the field image or as the body, and the other fields."""
    if request.mimetype != "multipart/form-data":
        data = request.get_data(cache=False)  # before anything parses a form: curl calls every body one
        if not data:
            raise _no_photo()
        return data, request.args.to_dict()
    photos = [file for file in request.files.getlist("image") if _is_chosen(file)]
    others = sorted(set(request.files) - {"image"})
    if others:
        raise Problem(
            400,
            "Wrong field",
            f"The photo was sent as the field '{others[0][:80]}'; send it as the field 'image'.",
        )
    if "image" in request.form:
        raise Problem(
            400, "Not a file", "The field 'image' holds text; send the photo as a file, with curl -F image=@photo.jpg."
        )
    if len(photos) > 1:
        raise Problem(400, "Several photos", "Several photos were sent; send one in each request.")
    if not photos:
        raise _no_photo()
    return photos[0].read(), request.args.to_dict() | request.form.to_dict()


def form_upload() -> bytes:
    """The bytes of the one photo in the page's form."""
    files = [request.files[name] for name in PICKERS if name in request.files and _is_chosen(request.files[name])]
    if not files:
        raise Problem(400, "No photo", _("No photo was chosen; choose a photo or take one, then ask again."))
    if len(files) > 1:
        raise Problem(400, "Two photos", _("Two photos were sent; choose one or take one, not both."))
    return files[0].read()


def _is_chosen(file: FileStorage) -> bool:
    """Forms send a nameless empty file where nothing was chosen."""
    some = file.stream.read(1)
    file.stream.seek(0)
    return bool(file.filename or some)


def _no_photo() -> Problem:
    return Problem(400, "No photo", "No photo was sent; send it as the field 'image' or as the body.")
