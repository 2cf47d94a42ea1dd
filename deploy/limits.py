"""How often somebody may ask."""

import math
import re
import time

import limits

UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}


def read_rate(text: str) -> limits.RateLimitItem:
    """`60/m` and its like. Raises ValueError in one sentence."""
    found = re.fullmatch(r"([1-9]\d{0,8})/([smhd])", text)
    if not found:
        raise ValueError(
            f"{text!r} is not a valid rate; write 60/m for 60 a minute; s, h and d are second, hour and day."
        )
    return limits.parse(f"{found[1]} per {UNITS[found[2]]}")


class Limiter:
    """Counts in this process: several workers together let through as many times more."""

    def __init__(self):
        self._limiter = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())

    def wait_s(self, rate: limits.RateLimitItem, who: str) -> int:
        """Count one request; 0 if it may pass, else in how many seconds the next may."""
        if self._limiter.hit(rate, who):
            return 0
        return max(1, math.ceil(self._limiter.get_window_stats(rate, who).reset_time - time.time()))
