"""The ways of telling, in which language, in which style; and of computing. Light: it imports nothing."""

LANGUAGES = ("en", "id")
STYLES = ("caption", "long", "guide")
PRECISIONS = ("auto", "float32", "bfloat16", "int8")  # see model.serving


class NotTaught(ValueError):
    """A captioner was asked for a language or style that it never learnt; one clause that says which it has."""
