"""The files of a folder of embeddings: npy arrays that grow, JSON that is whole or not there."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

Json = TypeVar("Json", dict, list)
VECTORS, GRID, IDS, MADE_BY = "embeddings.npy", "grid.npy", "ids.json", "made_by.json"


class EmbeddingsError(ValueError):
    """What is wrong with a folder of embeddings: `FILE: field: what; what to do`, one sentence."""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns an OSError of what is written there, such as a full disk, into an EmbeddingsError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise EmbeddingsError(
            f"{folder}: cannot be written ({reason}); make room and run training.prepare again, which continues there"
        ) from None


def write_header(file, dtype: np.dtype, shape: tuple[int, ...], rows: int) -> None:
    """Write the npy header for (rows, *shape). numpy leaves room for the first axis to grow, so its length stays."""
    file.seek(0)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *shape)}
    np.lib.format.write_array_header_1_0(file, header)


def header_bytes(dtype: np.dtype, shape: tuple[int, ...]) -> int:
    """The length of that header."""
    buffer = io.BytesIO()
    write_header(buffer, dtype, shape, rows=0)
    return buffer.tell()


def map_array(path: Path, dtype: type[np.generic], shape: tuple) -> np.ndarray:
    """The array of an npy file, mapped read-only, if it is of this type and shape and whole."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise EmbeddingsError(f"{path}: cannot be read ({error.strerror}); run training.prepare again") from None
    except (ValueError, EOFError):  # numpy: the header is damaged, or the file is shorter than it says
        raise EmbeddingsError(
            f"{path}: the file is cut off or damaged; delete the folder and run training.prepare"
        ) from None
    if array.dtype != dtype:
        raise EmbeddingsError(f"{path}: dtype: is {array.dtype}, not {np.dtype(dtype)}; run training.prepare again")
    if array.shape[0] != shape[0]:
        raise EmbeddingsError(
            f"{path}: rows: {array.shape[0]}, but {IDS} has {shape[0]} ids; run training.prepare again"
        )
    if array.shape != shape:
        raise EmbeddingsError(
            f"{path}: shape: is {array.shape}, but {MADE_BY} says {shape}; run training.prepare again"
        )
    return array


def compare(path: Path, made_by: dict, expect: dict) -> None:
    """Refuse a folder that something else made: name the file, the field and both values."""
    for name, value in expect.items():
        if made_by.get(name) != value:
            raise EmbeddingsError(
                f"{path}: {name}: is {made_by.get(name)!r}, not {value!r}; embed the photos again into another folder"
            )


def read_json(path: Path, kind: type[Json]) -> Json:
    """The JSON object or list in a file."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        raise EmbeddingsError(f"{path}: is missing or no JSON; run training.prepare again") from None
    if not isinstance(content, kind):
        raise EmbeddingsError(
            f"{path}: is not a JSON {'object' if kind is dict else 'list'}; run training.prepare again"
        )
    return content


def write_json(path: Path, content: dict | list) -> None:
    replace_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write under another name, then rename: the file is whole or not there."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
