"""How sure a description is, from the confidence of its caption and bounds that were measured for the captioner."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from math import exp
from typing import Any


class Certainty(StrEnum):
    """HIGH: the sentence stands alone. MEDIUM, LOW: it is told with doubt. NONE: there is no caption. UNKNOWN: nobody
    measured how often this captioner is right."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "none"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """From 0 (none) to 4 (high), to compare two; an unknown one is above none and below low."""
        return (Certainty.NONE, Certainty.UNKNOWN, Certainty.LOW, Certainty.MEDIUM, Certainty.HIGH).index(self)


@dataclass(frozen=True)
class Thresholds:
    """Least confidence, 0 to 1, of a caption that is told with that certainty; below `low` it is not told."""

    high: float
    medium: float
    low: float

    def __post_init__(self):
        if not 0 <= self.low <= self.medium <= self.high <= 1:
            raise ValueError(f"thresholds must rise from low to high within 0 to 1, not {asdict(self)}")

    def certainty(self, confidence: float) -> Certainty:
        for name in (Certainty.HIGH, Certainty.MEDIUM, Certainty.LOW):
            if confidence >= getattr(self, name):
                return name
        return Certainty.NONE


@dataclass(frozen=True)
class Estimator:
    """How often captions with such `model.signals` are right: logistic regression, `weights` by signal."""

    weights: Mapping[str, float]
    bias: float

    def probability(self, signals: Mapping[str, float]) -> float | None:
        """0 to 1; None where a signal is missing."""
        if not self.weights.keys() <= signals.keys():
            return None
        total = self.bias + sum(weight * signals[name] for name, weight in self.weights.items())
        return 1 / (1 + exp(-max(-50.0, min(50.0, total))))


@dataclass(frozen=True)
class Calibration:
    """Thresholds by (language, style), and `estimators` of that for which confidence means how often such captions were
    right; both measured on the dev photos of the captioner that carries them."""

    thresholds: Mapping[tuple[str, str], Thresholds]
    estimators: Mapping[tuple[str, str], Estimator] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Mapping[str, Mapping[str, Any]]) -> "Calibration":
        """Of {"en/caption": {"high": 0.5, "medium": 0.4, "low": 0.2}}, for an estimator with "weights" and "bias" as
        well. Raises ValueError or TypeError."""
        thresholds, estimators = {}, {}
        for name, values in config.items():
            bounds = {key: value for key, value in values.items() if key not in ("weights", "bias")}
            thresholds[_split(name)] = Thresholds(**bounds)
            if len(bounds) != len(values):
                estimators[_split(name)] = Estimator(dict(values["weights"]), float(values["bias"]))
        return cls(thresholds, estimators)

    def to_config(self) -> dict[str, dict[str, Any]]:
        return {
            "/".join(key): asdict(bounds) | (asdict(self.estimators[key]) if key in self.estimators else {})
            for key, bounds in self.thresholds.items()
        }

    def confidence(
        self, confidence: float | None, signals: Mapping[str, float], language: str, style: str
    ) -> float | None:
        """How often such a caption is right where that was measured, else the captioner's own `confidence`."""
        estimator = self.estimators.get((language, style))
        probability = estimator.probability(signals) if estimator else None
        return confidence if probability is None else probability

    def certainty(self, confidence: float, language: str, style: str) -> Certainty:
        """UNKNOWN for a language and style that was not measured."""
        bounds = self.thresholds.get((language, style))
        return bounds.certainty(confidence) if bounds else Certainty.UNKNOWN


def certainty_of(confidence: float | None, language: str, style: str, calibration: Calibration | None) -> Certainty:
    """UNKNOWN where the captioner gives no confidence or was not calibrated."""
    if confidence is None or calibration is None:
        return Certainty.UNKNOWN
    return calibration.certainty(confidence, language, style)


def one_less(certainty: Certainty) -> Certainty:
    """The next lower of those that are told; the others stay."""
    return {Certainty.HIGH: Certainty.MEDIUM, Certainty.MEDIUM: Certainty.LOW}.get(certainty, certainty)


def _split(name: str) -> tuple[str, str]:
    language, slash, style = name.partition("/")
    if not (language and slash and style):
        raise ValueError(f"{name!r} is not language/style")
    return language, style
