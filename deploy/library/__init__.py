"""Photos and descriptions, kept for their owners and found again."""

from deploy.library.keys import ApiKey, NameTaken
from deploy.library.library import Library, LibraryError, NoRoom
from deploy.library.records import ALWAYS, KEY, VISITOR, Period, Record
from deploy.library.search import Hit

__all__ = [
    "ALWAYS",
    "KEY",
    "VISITOR",
    "ApiKey",
    "Hit",
    "Library",
    "LibraryError",
    "NameTaken",
    "NoRoom",
    "Period",
    "Record",
]
