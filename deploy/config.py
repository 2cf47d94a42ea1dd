"""Environment -> Settings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from model.ways import PRECISIONS

from deploy.limits import read_rate

RATES = range(80, 451)  # words a minute

# Whole numbers and the least and greatest value that make sense.
LIMITS = {
    "port": (0, 65_535),
    "max_bytes": (1, 2**31),
    "max_pixels": (1, 178_000_000),  # above, Pillow itself refuses
    "workers": (1, 64),
    "threads": (1, 256),
    "speech_timeout": (1, 600),
    "visitor_days": (0, 36_500),
    "proxies": (0, 8),
}


class SettingsError(ValueError):
    """A setting cannot be used; the message is one sentence that names the variable."""


@dataclass(frozen=True)
class Settings:
    """What the service may be told from outside. Each field is SIGHTLINE_ + its name in capitals."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0: any free one
    model: Path | None = None  # a checkpoint folder, or a name that model.hub knows; None: model/default
    precision: str = "auto"  # in which the model computes: auto, float32, bfloat16 or int8
    instance: Path = Path(__file__).resolve().parents[1] / "instance"  # records and photos
    photos: str | None = None  # a folder or a URL of fsspec; None: photos/ in the instance
    database: str | None = None  # URL of SQLAlchemy; None: sightline.db in the instance
    max_bytes: int = 16 * 2**20  # of one photo as sent
    max_pixels: int = 50_000_000
    workers: int = 1  # processes, each with a model of its own
    threads: int = 8  # requests at once in a worker
    speech_timeout: int = 10  # seconds
    rate: str = "300/m"  # requests of an address or of a key without a rate of its own
    visitor_days: int = 30  # how long what a visitor asked about is kept; 0: until it is deleted
    proxies: int = 0  # reverse proxies in front, whose X-Forwarded-For and -Proto are believed

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read SIGHTLINE_* variables; an unset or empty one keeps its default. Raises SettingsError."""
        environment = os.environ if environment is None else environment
        given = {}
        for field in fields(cls):
            variable = "SIGHTLINE_" + field.name.upper()
            text = environment.get(variable, "").strip()
            if not text:
                continue
            if field.name in LIMITS:
                given[field.name] = _whole_number(variable, text, *LIMITS[field.name])
            elif field.name in ("model", "instance"):
                path = Path(text).expanduser()
                # A bare word that is no folder here is a name of the hub, and stays as it is.
                is_name = field.name == "model" and len(path.parts) == 1 and not path.exists()
                given[field.name] = path if is_name else path.resolve()
            else:
                given[field.name] = text
        if given.get("precision", "auto") not in PRECISIONS:
            raise SettingsError(f"SIGHTLINE_PRECISION is {given['precision']!r}; use one of {', '.join(PRECISIONS)}.")
        try:
            read_rate(given.get("rate", cls.rate))
        except ValueError as error:
            raise SettingsError(f"SIGHTLINE_RATE: {error}") from None
        return cls(**given)


def _whole_number(variable: str, text: str, least: int, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = None
    if number is None or not least <= number <= most:
        raise SettingsError(f"{variable} is {text!r}; it must be a whole number from {least} to {most}.")
    return number
