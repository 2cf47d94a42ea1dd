"""The API described: what APIFlask cannot see in the views is added here, and the whole is a page without scripts."""

from apiflask import APIFlask
from flask import Blueprint, current_app, render_template
from model.ways import LANGUAGES, STYLES

from deploy.config import RATES
from deploy.finding import MOST, MOST_QUERY, Wish
from deploy.schemas import ProblemDetails

pages = Blueprint("docs", __name__)
INTRODUCTION = (
    "Sends a photo in, gets a sentence and its sound back. Everything runs on this machine. "
    "Errors are problem+json (RFC 9457) whose field detail says what would work; "
    "every call may answer 401 (unknown key) and 429 (too many requests)."
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
SEARCH = {
    "q": {"type": "string", "maxLength": MOST_QUERY, "description": "What the photo shows; without it, the newest."},
    "lang": {"type": "string", "enum": list(LANGUAGES), "description": "Language of q, if you know it."},
    "since": {"type": "string", "format": "date", "description": "First day, or moment, such as 2026-01-31."},
    "until": {"type": "string", "format": "date", "description": "Last day, or moment."},
    "limit": {
        "type": "integer",
        "minimum": 1,
        "maximum": MOST,
        "default": Wish.limit,
        "description": "How many at once.",
    },
    "cursor": {"type": "string", "description": "The field next of an earlier answer."},
}
PARAMETERS = {("/api/v1/describe", "post"): OPTIONS, ("/api/v1/images", "get"): SEARCH}
# Of curl: options, and what follows the path. Each call is run by a test.
CALLS = {
    ("/api/v1/describe", "post"): ("-F image=@photo.jpg ", "?lang=en&style=caption"),
    ("/api/v1/images", "get"): ("", "?q=a+cat&since=2026-01-31"),
    ("/api/v1/images/{id}", "patch"): ("-H 'Content-Type: application/json' -d '{\"description\": \"Our cat\"}' ", ""),
    ("/api/v1/images/{id}/photo", "get"): ("-o upright.jpg ", ""),
    ("/api/v1/images/{id}/audio.mp3", "get"): ("-o description.mp3 ", ""),
    ("/api/v1/images/{id}/audio.wav", "get"): ("-o description.wav ", ""),
    ("/api/v1/export", "get"): ("-o sightline.zip ", ""),
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
    ("/api/v1/describe", "post"): {
        "400": "No photo where it should be, or one that cannot be read.",
        "413": "The photo has too many bytes or pixels.",
        "415": "Not a photo in a format that is read.",
        "422": "Unknown language, style, rate or field.",
        "503": "There is no captioner; try again later.",
        "507": "There is no room for more photos.",
    },
    ("/api/v1/models", "get"): {"503": "Not yet."},
    ("/api/v1/images", "get"): {"422": "Unusable field."},
    ("/api/v1/images/{id}", "patch"): {
        "403": "Not yours.",
        "422": "No words, or too many.",
        "507": "There is no room for their sound.",
    },
    ("/api/v1/images/{id}", "delete"): {"403": "Not yours."},
    ("/api/v1/images/{id}/similar", "get"): {"403": "Not yours."},
    ("/api/v1/export", "get"): {"404": "Nothing is kept for you."},
    ("/readyz", "get"): {"503": "Not yet."},
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
    """Add the body that may be two things, the fields that views read themselves, examples, and the problems."""
    spec["paths"]["/api/v1/describe"]["post"]["requestBody"] = REQUEST
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    spec["paths"] = dict(sorted(spec["paths"].items(), key=lambda item: not item[0].startswith("/api/")))
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            if (path, method) in PARAMETERS:
                operation["parameters"] = in_query(PARAMETERS[path, method])
            operation["x-codeSamples"] = [{"lang": "Shell", "source": call(path, method)}]
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "id":
                    parameter["description"] = ID
            for status, description in PROBLEMS.get((path, method), {}).items():
                operation["responses"][status] = {"description": description}
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    response["content"] = problem
    return spec


def in_query(fields: dict[str, dict]) -> list[dict]:
    return [
        {
            "name": name,
            "in": "query",
            "description": schema["description"],
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in fields.items()
    ]


def call(path: str, method: str) -> str:
    """By curl; SIGHTLINE is where the service is, KEY an API key, ID a record's."""
    options, query = CALLS.get((path, method), ("", ""))
    verb = f"-X {method.upper()} " if method in ("patch", "delete") else ""  # curl knows the others by its options
    return f'curl -H "X-API-Key: $KEY" {verb}{options}"$SIGHTLINE{path.replace("{id}", "$ID")}{query}"'


@pages.get("/api/docs")
def docs() -> str:
    return render_template("docs.html", spec=current_app.spec, rows=rows)


def rows(parameters: list[dict]) -> list[tuple[str, dict]]:
    """As the properties of an object are listed."""
    return [(each["name"], each["schema"] | {"description": each["description"]}) for each in parameters]
