"""The API described, from the schemas of fields and answers, and the description as a page without scripts."""

from typing import Any

from apiflask import APIFlask
from apispec.ext.marshmallow import OpenAPIConverter
from flask import Blueprint, current_app, render_template

from deploy.fields import DescribeFields
from deploy.schemas import ProblemDetails

pages = Blueprint("docs", __name__)
INTRODUCTION = (
    "Sends a photo in, gets a sentence and its sound back. Nothing leaves the machine that runs it, unless its "
    "captioner runs elsewhere (see models). Errors are problem+json (RFC 9457) whose field detail says what would work."
)
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, by `sightline keys create NAME`."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same, as a header of its own."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sightline",
        "description": "Of a visitor without a key; the first answer to describe sets it.",
    },
}
# What every call may answer.
COMMON_PROBLEMS = {
    "400": "The request cannot be read.",
    "401": "The key is not known or was revoked.",
    "403": "A page of another site sent it, or it is not yours.",
    "414": "The address is too long.",
    "429": "Too many requests; Retry-After says when to try again.",
    "500": "Something went wrong in the service.",
    "503": "The service cannot answer now; Retry-After says when to try again.",
}
# Of curl: options, and what follows the path. Each call is run by a test.
CALLS = {
    ("/api/v1/describe", "post"): ("-F image=@photo.jpg ", "?lang=en&style=caption"),
    ("/api/v1/images", "get"): ("", "?q=a+cat&since=2026-01-31"),
    ("/api/v1/images/{id}", "patch"): (
        "-H 'Content-Type: application/json' -d '{\"user_description\": \"Our cat\"}' ",
        "",
    ),
    ("/api/v1/images/{id}/photo", "get"): ("-o upright.jpg ", ""),
    ("/api/v1/images/{id}/audio.mp3", "get"): ("-o description.mp3 ", ""),
    ("/api/v1/images/{id}/audio.wav", "get"): ("-o description.wav ", ""),
    ("/api/v1/export", "get"): ("-o sightline.zip ", ""),
}
PHOTO = {"type": "string", "format": "binary", "description": "The photo as a file."}
ID = "The id in the answer to describe."


def install(app: APIFlask) -> None:
    app.config["HTTP_ERROR_SCHEMA"] = ProblemDetails
    app.config["VALIDATION_ERROR_SCHEMA"] = ProblemDetails
    app.config["NOT_FOUND_DESCRIPTION"] = "No such description, or it was deleted."
    app.config["AUTO_SERVERS"] = False
    app.config["OPENAPI_VERSION"] = "3.0.3"
    app.config["SERVERS"] = [{"url": "/", "description": "The service that serves this description."}]
    app.config["SECURITY_SCHEMES"] = SECURITY_SCHEMES
    app.description = INTRODUCTION
    app.schema_name_resolver = schema_name
    app.spec_processor(complete)  # type: ignore[arg-type]
    app.register_blueprint(pages)


def schema_name(schema: Any) -> str:
    """DescriptionSchema is called Description."""
    cls = schema if isinstance(schema, type) else schema.__class__
    return cls.__name__.removesuffix("Schema")


def complete(spec: dict) -> dict:
    """Add what holds for every call, the body that may be two things, and an example of each call."""
    spec["paths"]["/api/v1/describe"]["post"]["requestBody"] = describe_body()
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    spec["security"] = [{}, *({name: []} for name in SECURITY_SCHEMES)]
    spec["paths"] = dict(sorted(spec["paths"].items(), key=lambda item: not item[0].startswith("/api/")))
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            operation["x-codeSamples"] = [{"lang": "Shell", "source": call(path, method)}]
            for parameter in operation.get("parameters", []):
                if parameter["name"] == "id":
                    parameter["description"] = ID
            for status, description in COMMON_PROBLEMS.items():
                operation["responses"].setdefault(status, {"description": description})
            operation["responses"] = dict(sorted(operation["responses"].items()))
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    response["content"] = problem
    return spec


def describe_body() -> dict:
    """A form with the photo and the fields of DescribeFields, or the photo alone."""
    fields = OpenAPIConverter("3.0.3", schema_name, None).schema2jsonschema(DescribeFields())["properties"]  # type: ignore[arg-type]
    form = {"type": "object", "required": ["image"], "properties": {"image": PHOTO, **fields}}
    alone = {"type": "string", "format": "binary", "description": "The photo itself, nothing else."}
    return {"required": True, "content": {"multipart/form-data": {"schema": form}, "*/*": {"schema": alone}}}


def call(path: str, method: str) -> str:
    """By curl; SIGHTLINE is where the service is, KEY an API key, ID a record's."""
    options, query = CALLS.get((path, method), ("", ""))
    verb = f"-X {method.upper()} " if method in ("patch", "delete") else ""  # curl knows the others by its options
    return f'curl -H "X-API-Key: $KEY" {verb}{options}"$SIGHTLINE{path.replace("{id}", "$ID")}{query}"'


@pages.get("/api/docs")
def docs() -> str:
    return render_template(
        "docs.html",
        spec=current_app.spec,  # type: ignore[attr-defined]
        rows=rows,
    )


def rows(parameters: list[dict]) -> list[tuple[str, dict]]:
    """As the properties of an object are listed."""
    return [(each["name"], each["schema"] | {"description": each["description"]}) for each in parameters]
