"""`python -m tests.benchmarks.safety`: how often the filter of safety claims and orders is right, as a table.

Of tests/model/safety_sentences.csv: sentences that were written before the patterns, by somebody who had not seen them.
Every second one, from the first, was then looked at while the patterns were made; the others were only counted.
"""

import csv
from pathlib import Path

from model.safety_claims import is_unsafe

SENTENCES = Path(__file__).parents[1] / "model" / "safety_sentences.csv"
KINDS = ("promise", "order", "harmless")


def counts(seen: bool) -> dict[tuple[str, str], tuple[int, int]]:
    """(language, kind) -> how many sentences are stopped, and of how many; of those that were seen or held out."""
    with SENTENCES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[0 if seen else 1 :: 2]
    found = {}
    for key in {(row["language"], row["kind"]) for row in rows}:
        stopped = [is_unsafe(row["sentence"], key[0]) for row in rows if (row["language"], row["kind"]) == key]
        found[key] = (sum(stopped), len(stopped))
    return found


def main() -> None:
    held_out, seen = counts(seen=False), counts(seen=True)
    print("| language | sentences | stopped, held out | stopped, seen |\n|---|---|---|---|")
    for language in ("en", "id"):
        for kind in KINDS:
            cells = (f"{stopped} of {count}" for stopped, count in (held_out[language, kind], seen[language, kind]))
            print(f"| {language} | {kind} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
