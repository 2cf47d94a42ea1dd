"""Environment -> Settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.limits import read_rate
from model.errors import SightlineError
from model.imaging import MAX_BYTES, MAX_PIXELS
from model.protocols import PRECISIONS

RATES = range(80, 451)  # words a minute
PREFIX = "SIGHTLINE_"


class SettingsError(SightlineError):
    """A setting cannot be used; the message is one sentence that names the variable."""


def _whole(least: int, most: int) -> Any:
    def check(value: object) -> int:
        text = str(value).strip()
        if not (text.isdecimal() and least <= int(text) <= most):
            raise ValueError(f"is {text!r}; it must be a whole number from {least} to {most}.")
        return int(text)

    return BeforeValidator(check)


def _precision(value: str) -> str:
    if value not in PRECISIONS:
        raise ValueError(f"is {value!r}; use one of {', '.join(PRECISIONS)}.")
    return value


def _rate(value: str) -> str:
    try:
        read_rate(value)
    except ValueError as error:
        raise ValueError(f"cannot be used: {error}") from None
    return value


def _folder(value: Path) -> Path:
    return value.expanduser().resolve()


def _model(value: Path | None) -> Path | None:
    """A bare word that is no folder here is a name of the hub, and stays as it is."""
    if value is None or (len(value.parts) == 1 and not value.expanduser().exists() and "~" not in str(value)):
        return value
    return _folder(value)


class Settings(BaseSettings):
    """How the service is configured. Each field is SIGHTLINE_ + its name in capitals; an unset or empty
    variable keeps its default."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", protected_namespaces=()
    )

    host: str = "127.0.0.1"
    port: Annotated[int, _whole(0, 65_535)] = 8000  # 0: any free one
    model: Annotated[Path | None, AfterValidator(_model)] = None  # a checkpoint folder, or a name of model.hub
    precision: Annotated[str, AfterValidator(_precision)] = "auto"  # in which the captioner computes
    # Records and photos.
    instance: Annotated[Path, AfterValidator(_folder)] = Field(
        default_factory=lambda: platformdirs.user_data_path("sightline")
    )
    photos: str | None = None  # a folder or a URL of fsspec; None: photos/ in the instance
    database: str | None = None  # URL of SQLAlchemy; None: sightline.db in the instance
    max_bytes: Annotated[int, _whole(1, 2**31)] = MAX_BYTES  # of one photo as sent
    max_pixels: Annotated[int, _whole(1, 178_000_000)] = MAX_PIXELS  # above, Pillow itself refuses
    workers: Annotated[int, _whole(1, 64)] = 1  # processes, each with a captioner of its own
    threads: Annotated[int, _whole(1, 256)] = 8  # requests at once in a worker
    captioner_timeout: Annotated[int, _whole(1, 600)] = 60  # seconds that a request waits for the captioner
    speech_timeout: Annotated[int, _whole(1, 600)] = 10  # seconds
    rate: Annotated[str, AfterValidator(_rate)] = "300/m"  # requests of an address or of a key without its own rate
    visitor_days: Annotated[int, _whole(0, 36_500)] = 30  # how long a visitor's photos are kept; 0: until deleted
    proxies: Annotated[int, _whole(0, 8)] = 0  # reverse proxies in front, whose X-Forwarded-For and -Proto are believed

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if not isinstance(value, str) or value.strip()}

    @classmethod
    def from_environment(cls, **given: Any) -> "Settings":
        """Of the SIGHTLINE_* variables; `given` come before them. Raises SettingsError."""
        try:
            return cls(**given)
        except ValidationError as error:
            raise SettingsError(_sentence(error.errors()[0])) from None


def _sentence(error: Mapping[str, Any]) -> str:
    """Of the first thing that pydantic found wrong."""
    variable = PREFIX + str(error["loc"][0]).upper()
    ours = error.get("ctx", {}).get("error")
    return (
        f"{variable} {ours if isinstance(ours, ValueError) else 'is ' + repr(error['input']) + ', which it cannot be.'}"
    )
