"""What the modules of the web share: the services of the application, the languages of the pages."""

from flask import current_app, request

from deploy.services import Services
from model.languages.codes import primary_language

EXTENSION = "sightline"
API_PATHS = ("/api/", "/healthz", "/readyz", "/openapi.json")
# Of the pages, each with its own name; a locale is one line here and its catalogue in translations/.
LOCALES = {"en": "English", "id": "Bahasa Indonesia"}


def services() -> Services:
    """Those of the application that answers this request."""
    return current_app.extensions[EXTENSION]


def is_api() -> bool:
    return request.path.startswith(API_PATHS)


def page_locale() -> str:
    """As the address says, else as the browser does. The API speaks English."""
    if is_api():
        return "en"
    asked = primary_language(request.args.get("lang", ""))
    if asked in LOCALES:
        return asked
    accepted = (primary_language(tag) for tag in request.accept_languages.values())
    return next((locale for locale in accepted if locale in LOCALES), "en")
