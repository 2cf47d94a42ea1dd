"""The ways of telling: in which language, in which style. Light: it imports nothing."""

LANGUAGES = ("en", "id")
STYLES = ("caption", "long", "guide")


class NotTaught(ValueError):
    """A captioner was asked for a language or style that it never learnt; one clause that says which it has."""
