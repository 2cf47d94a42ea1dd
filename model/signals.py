"""What a caption and the other candidates for its photo tell of how likely it is right; each costs little."""

from collections.abc import Sequence
from math import exp
from statistics import fmean

from model.protocols import Caption
from model.support import claims_of


def signals_of(caption: Caption, candidates: Sequence[Caption]) -> dict[str, float]:
    """Of one of the candidates, by name: the mean and the least probability of its tokens and the mean of their
    logarithms, how many words it has, how far the candidates support its words, and, where the captioner compares them,
    its likeness to the photo, by how much that exceeds the candidates' mean, and its agreement with them."""
    signals = {
        "words": float(len(caption.text.split())),
        "support": fmean([claim.support for claim in claims_of(caption.text, [c.text for c in candidates])] or [0.0]),
    }
    if caption.log_probs:
        signals["mean_probability"] = fmean(exp(log_prob) for log_prob in caption.log_probs)
        signals["least_probability"] = exp(min(caption.log_probs))
        signals["mean_log_probability"] = fmean(caption.log_probs)
    if caption.likeness is not None and caption.agreement is not None:
        others = [other.likeness for other in candidates if other.likeness is not None]
        signals |= {
            "likeness": caption.likeness,
            "likeness_margin": caption.likeness - fmean(others),
            "agreement": caption.agreement,
        }
    return signals
