"""`python -m tests.benchmarks.reliability`: many describe, search and delete at once; what is lost, what it takes.

16 clients of two workers, on SQLite and on PostgreSQL, as the test does for some seconds.
"""

import statistics
import tempfile
from collections import Counter
from pathlib import Path

import click

from deploy.library import Library
from tests.benchmarks.library import DATABASES, database_at
from tests.deploy.test_reliability import keep_busy
from tests.helpers import Service


@click.command()
@click.option("--seconds", type=float, default=60.0, show_default=True)
@click.option("--database", "kinds", type=click.Choice(DATABASES), multiple=True, default=DATABASES)
def main(seconds: float, kinds: tuple[str, ...]) -> None:
    """Keep a service busy, then compare what it answered with what is there."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder, database_at(Path(folder), kind) as url:
            library = Library(Path(folder), url)
            key = library.keys.create("busy")
            service = Service(Path(folder), SIGHTLINE_WORKERS="2", **({"SIGHTLINE_DATABASE": url} if url else {}))
            try:
                answers, expected = keep_busy(service, key, seconds)
            finally:
                service.stop()
            found = library.records.ids("key:busy")
            library.close()
        lost, others = len(expected - set(found)), len(set(found) - expected)
        click.echo(
            f"{kind}: {len(answers)} requests in {seconds:.0f} s, {len(found)} records; lost {lost}, "
            f"not deleted or doubled {others}; statuses {dict(Counter(status for _, status, _ in answers))}"
        )
        for method in ("describe", "search", "delete"):
            took = [1000 * taken for name, _, taken in answers if name == method]
            if took:
                click.echo(
                    f"  {method}: {len(took)}, median {statistics.median(took):.0f} ms, slowest {max(took):.0f} ms"
                )


if __name__ == "__main__":
    main()
