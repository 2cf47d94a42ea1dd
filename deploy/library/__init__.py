"""Photos and descriptions, kept."""

from deploy.library.library import Library, LibraryError
from deploy.library.records import Record

__all__ = ["Library", "LibraryError", "Record"]
