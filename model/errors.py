"""The root of the project's own errors."""


class SightlineError(Exception):
    """One sentence that says what is wrong and what would work.

    `message`: the sentence in English, with places such as %(most)s for the `values`, so that a page can translate
    it. `str(error)` is the whole sentence in English.
    """

    def __init__(self, message: str, **values: object):
        super().__init__(message % values if values else message)
        self.message, self.values = message, values


class UnsupportedOption(SightlineError):
    """A captioner was asked for a language or style that it does not have."""
