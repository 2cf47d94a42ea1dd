"""Embeddings on disk: one row a photo, memory-mapped, with what made them.

A finished folder holds `embeddings.npy` (N, D) float32, `ids.json` (N names), if asked `grid.npy` (N, T, C)
float16, and `made_by.json`, which is written last. While a folder is being written, `made_by.part.json` stands in
its place and `ids.part` has one line a finished row, so that after a kill the next writer continues behind the last
whole row.
"""

import json
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from data.embedding_files import (
    GRID,
    IDS,
    MADE_BY,
    VECTORS,
    EmbeddingsError,
    compare,
    header_bytes,
    map_array,
    read_json,
    replace_text,
    write_header,
    write_json,
    writing,
)

IDS_PART, MADE_BY_PART = "ids.part", "made_by.part.json"
REQUIRED = ("model", "checkpoint_sha256", "normalised", "dataset")


@dataclass(frozen=True)
class EmbeddingStore:
    """A finished folder. `vectors` (N, D) float32 and `grid` (N, T, C) float16 or None are mapped, not loaded."""

    folder: Path
    ids: tuple[str, ...]
    vectors: np.ndarray
    grid: np.ndarray | None
    made_by: dict

    @classmethod
    def open(cls, folder: str | Path, expect: dict | None = None) -> "EmbeddingStore":
        """Map the folder. `expect` is what `made_by.json` must say, field by field; raises EmbeddingsError."""
        folder = Path(folder)
        if not (folder / MADE_BY).is_file():
            state = "is not finished" if (folder / MADE_BY_PART).is_file() else "holds no embeddings"
            raise EmbeddingsError(f"{folder / MADE_BY}: is missing, the folder {state}; run training.prepare on it")
        made_by = read_json(folder / MADE_BY, dict)
        compare(folder / MADE_BY, made_by, expect or {})
        ids = tuple(read_json(folder / IDS, list))
        if not all(isinstance(name, str) for name in ids):
            raise EmbeddingsError(f"{folder / IDS}: ids: one is no string; run training.prepare into an empty folder")
        if len(set(ids)) != len(ids):
            raise EmbeddingsError(f"{folder / IDS}: ids: one is there twice; run training.prepare into an empty folder")
        vectors = map_array(folder / VECTORS, np.float32, (len(ids), made_by.get("dim")))
        grid = made_by.get("grid") and map_array(folder / GRID, np.float16, (len(ids), *made_by["grid"]))
        return cls(folder, ids, vectors, grid, made_by)

    @staticmethod
    def create(folder: str | Path, dim: int, made_by: dict, grid: tuple[int, int] | None = None) -> "EmbeddingWriter":
        """A writer into `folder`, which continues where an earlier one with the same `made_by` stopped.

        made_by: `model`, `checkpoint_sha256`, `normalised`, `dataset` (its name, not its path), and what else matters.
        grid: (T, C) of a second array. Raises EmbeddingsError if the folder was made by something else.
        """
        return EmbeddingWriter(Path(folder), dim, made_by, grid)

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, ids: Sequence[str]) -> np.ndarray:
        """Row numbers (len(ids),) int64 of the photos, for `vectors[rows]`; EmbeddingsError names one not embedded."""
        row_of = {name: row for row, name in enumerate(self.ids)}
        missing = next((name for name in ids if name not in row_of), None)
        if missing is not None:
            raise EmbeddingsError(f"{self.folder / IDS}: ids: {missing!r} is not there; run training.prepare again")
        return np.array([row_of[name] for name in ids], dtype=np.int64)


class EmbeddingWriter:
    """Appends rows; use it as a context: left without an exception the folder is finished, else it can be continued."""

    def __init__(self, folder: Path, dim: int, made_by: dict, grid: tuple[int, int] | None):
        lacking = [name for name in REQUIRED if name not in made_by]
        if lacking:
            raise EmbeddingsError(f"{folder / MADE_BY}: {lacking[0]}: is not given; say what makes these embeddings")
        self.folder = folder
        self.made_by = json.loads(json.dumps(made_by | {"dim": dim, "grid": list(grid) if grid else None}))
        self.arrays: dict[str, tuple[np.dtype, tuple[int, ...]]] = {VECTORS: (np.dtype(np.float32), (dim,))}
        if grid:
            self.arrays[GRID] = (np.dtype(np.float16), tuple(grid))
        with writing(folder):
            self.ids = self.earlier_ids()
            self.known = set(self.ids)
            self.files = {name: self.continue_array(name) for name in self.arrays}
            self.id_lines = (folder / IDS_PART).open("a", encoding="utf-8")

    def __enter__(self) -> "EmbeddingWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.finish()
        self.close()

    def __contains__(self, photo_id: str) -> bool:
        return photo_id in self.known

    def append(self, ids: Sequence[str], vectors: np.ndarray, grid: np.ndarray | None = None) -> None:
        """Add rows: vectors (B, D) and, if the folder has one, grid (B, T, C). A row counts once its id is written."""
        given = {VECTORS: np.asarray(vectors)} | ({} if grid is None else {GRID: np.asarray(grid)})
        if self.known.intersection(ids) or len(set(ids)) < len(ids):
            raise ValueError("a photo is embedded once: ask `id in writer` before")
        if grid is not None and GRID not in self.arrays:
            raise ValueError("this folder was created without a grid")
        for name, (_, shape) in self.arrays.items():
            found = given[name].shape if name in given else ()
            if found != (len(ids), *shape):
                raise ValueError(f"{name} takes {(len(ids), *shape)} here, not {found}")
        with writing(self.folder):
            for name, (dtype, _) in self.arrays.items():
                self.files[name].write(np.ascontiguousarray(given[name], dtype=dtype).tobytes())
                self.files[name].flush()
            self.id_lines.writelines(json.dumps(name) + "\n" for name in ids)
            self.id_lines.flush()
        self.ids.extend(ids)
        self.known.update(ids)

    def finish(self) -> None:
        """Make the folder one that `open` takes: headers with the count, `ids.json`, and last `made_by.json`."""
        if not self.ids:
            raise EmbeddingsError(f"{self.folder / VECTORS}: photos: there are none; embed at least one")
        with writing(self.folder):
            for name in self.arrays:
                write_header(self.files[name], *self.arrays[name], rows=len(self.ids))
                self.files[name].flush()
            write_json(self.folder / IDS, self.ids)
            when = datetime.now(UTC).isoformat(timespec="seconds")
            write_json(self.folder / MADE_BY, self.made_by | {"photos": len(self.ids), "when": when})
            self.close()
            (self.folder / MADE_BY_PART).unlink()
            (self.folder / IDS_PART).unlink()

    def close(self) -> None:
        """Close the files, finished or not; what they still hold in memory is lost if the disk is full."""
        for file in (*self.files.values(), self.id_lines):
            with suppress(OSError):
                file.close()

    def earlier_ids(self) -> list[str]:
        """The ids already in the folder, which is unfinished from here on; refuses one that something else made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        finished, part = self.folder / MADE_BY, self.folder / MADE_BY_PART
        for file in (finished, part):
            if file.is_file():
                compare(file, read_json(file, dict), self.made_by)
                break
        ids: list[str] = []
        if finished.is_file():
            # Opened first as a store, so that a damaged folder is refused rather than written on.
            ids = list(EmbeddingStore.open(self.folder).ids)
        elif part.is_file() and (self.folder / IDS_PART).is_file():
            lines = (self.folder / IDS_PART).read_bytes().split(b"\n")[:-1]  # what follows the last newline was torn
            try:
                ids = [json.loads(line) for line in lines]
            except ValueError:
                raise EmbeddingsError(
                    f"{self.folder / IDS_PART}: ids: are damaged; delete the folder and start again"
                ) from None
            ids = ids[: min(self.whole_rows(name) for name in self.arrays)]
        write_json(part, self.made_by)
        replace_text(self.folder / IDS_PART, "".join(json.dumps(name) + "\n" for name in ids))
        finished.unlink(missing_ok=True)
        return ids

    def whole_rows(self, name: str) -> int:
        """How many whole rows an unfinished array has."""
        dtype, shape = self.arrays[name]
        file = self.folder / name
        size = file.stat().st_size if file.is_file() else 0
        return max(0, size - header_bytes(dtype, shape)) // (dtype.itemsize * math.prod(shape))

    def continue_array(self, name: str):
        """The array's file, cut after the last row that has an id, ready to append."""
        dtype, shape = self.arrays[name]
        path = self.folder / name
        file = path.open("r+b" if path.is_file() else "w+b")
        write_header(file, dtype, shape, rows=len(self.ids))
        file.truncate(header_bytes(dtype, shape) + len(self.ids) * dtype.itemsize * math.prod(shape))
        file.seek(0, os.SEEK_END)
        return file
