"""Photos and descriptions, kept for their owners and found again."""

from deploy.library.keys import Key, NameTaken
from deploy.library.library import Library, LibraryError, NoRoom
from deploy.library.records import ALWAYS, Period, Record
from deploy.library.search import Found

__all__ = ["ALWAYS", "Found", "Key", "Library", "LibraryError", "NameTaken", "NoRoom", "Period", "Record"]
