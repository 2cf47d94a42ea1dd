"""Kept photos -> their place in the space of another embedder. Knows no web."""

from collections.abc import Callable

from deploy.library import Library
from model.imaging import PhotoError, read_photo
from model.protocols import Embedder

AT_ONCE = 16


def reembed(library: Library, embedder: Embedder, on_done: Callable[[int], None] = lambda count: None) -> list[str]:
    """Embed every photo that does not lie in the embedder's space, -> ids of the records whose photo cannot be read.

    A service may run beside it; stopped at any moment it goes on with what is left. `on_done` is told how many records
    were looked at.
    """
    space, unreadable, after = embedder.space, [], 0
    library.search.prepare(space.dimension)
    while records := library.records.outside_space(space.id, after, AT_ONCE):
        readable = []
        for record in records:
            try:
                readable.append((record, read_photo(library.read(record, "jpg")).image))
            except FileNotFoundError:  # deleted since we looked, or lost
                unreadable += [record.id] if library.get(record.id) else []
            except PhotoError:
                unreadable.append(record.id)
        if readable:
            for (record, _), vector in zip(readable, embedder.embed_photos([image for _, image in readable])):
                library.records.move_to_space(record.id, space.id, vector.astype("<f4").tobytes())
        after = records[-1].number or 0
        on_done(len(records))
    return unreadable
