"""The API described: what APIFlask cannot see in the views is added here, and the whole is a page without scripts."""

from apiflask import APIFlask
from flask import Blueprint, current_app, render_template

from deploy.config import RATES
from deploy.schemas import ProblemDetails
from model.ways import LANGUAGES, STYLES

pages = Blueprint("docs", __name__)
INTRODUCTION = (
    "Sends a photo in, gets a sentence and its sound back. Everything runs on this machine. "
    "Errors are problem+json (RFC 9457) whose field detail says what would work."
)
OPTIONS = {
    "lang": {
        "type": "string",
        "enum": list(LANGUAGES),
        "default": "en",
        "description": "Language of the description: English or Indonesian.",
    },
    "style": {
        "type": "string",
        "enum": list(STYLES),
        "default": "caption",
        "description": "caption: a sentence. long: with more detail. guide: what a companion would say is ahead.",
    },
    "rate": {
        "type": "integer",
        "minimum": RATES.start,
        "maximum": RATES.stop - 1,
        "description": "Speed of the voice in words a minute; left out, the voice's own.",
    },
}
PHOTO = {"type": "string", "format": "binary", "description": "The photo as a file."}
REQUEST = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["image"], "properties": {"image": PHOTO, **OPTIONS}}
        },
        "*/*": {"schema": {"type": "string", "format": "binary", "description": "The photo itself, nothing else."}},
    },
}
# What each operation may answer beside success.
PROBLEMS = {
    "/api/v1/describe": {
        "400": "No photo where it should be, or one that cannot be read.",
        "413": "The photo has too many bytes or pixels.",
        "415": "Not a photo in a format that is read.",
        "422": "Unknown language, style, rate or field.",
        "503": "There is no captioner; try again later.",
        "507": "There is no room for more photos.",
    },
    "/api/v1/models": {"503": "Not yet."},
    "/api/v1/images": {"422": "Unusable field."},
    "/api/v1/export": {"404": "Nothing is kept for you."},
    "/readyz": {"503": "Not yet."},
}
ID = "The id in the answer to describe."


def install(app: APIFlask) -> None:
    app.config["HTTP_ERROR_SCHEMA"] = ProblemDetails
    app.config["NOT_FOUND_DESCRIPTION"] = "No such description, or it was deleted."
    app.config["AUTO_SERVERS"] = False
    app.description = INTRODUCTION
    app.spec_processor(complete)
    app.register_blueprint(pages)


def complete(spec: dict) -> dict:
    """Add the request body that may be two things, and the problems."""
    describe = spec["paths"]["/api/v1/describe"]["post"]
    describe["parameters"] = [
        {
            "name": name,
            "in": "query",
            "description": schema["description"],
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in OPTIONS.items()
    ]
    describe["requestBody"] = REQUEST
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    spec["paths"] = dict(sorted(spec["paths"].items(), key=lambda item: not item[0].startswith("/api/")))
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "id":
                    parameter["description"] = ID
            for status, description in PROBLEMS.get(path, {}).items():
                operation["responses"][status] = {"description": description}
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    response["content"] = problem
    return spec


@pages.get("/api/docs")
def docs() -> str:
    return render_template("docs.html", spec=current_app.spec, rows=rows)


def rows(parameters: list[dict]) -> list[tuple[str, dict]]:
    """As the properties of an object are listed."""
    return [(each["name"], each["schema"] | {"description": each["description"]}) for each in parameters]
