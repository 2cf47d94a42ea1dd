"""Search by words, by the database's own full-text index."""

import re

from sqlalchemy import Engine, text

# Words that say nothing of a photo, in English and Indonesian.
ENGLISH = """
a an and are at by did do does find for from get has have i in is it its me my of on or our photo photos picture
pictures show that the there these this to was we were what when where which who with you your
"""
INDONESIAN = """
ada adalah aku atau cari dan dari dengan di foto gambar ini itu ke mana oleh pada saya sebuah seorang untuk yang
"""
STOPWORDS = frozenset((ENGLISH + INDONESIAN).split())
MARK = "\x1f"  # no text holds it
FTS5 = text(
    "SELECT records.number, highlight(record_words, 0, :mark, :mark) AS marked "
    "FROM record_words JOIN records ON records.number = record_words.rowid "
    "WHERE record_words MATCH :wanted AND records.owner = :owner ORDER BY bm25(record_words) LIMIT :most"
)


def keywords(query: str) -> list[str]:
    """The words of a query that count, in lower case, each once; all of them where only stopwords are there."""
    every = list(dict.fromkeys(re.findall(r"\w+", query.lower())))
    return [word for word in every if word not in STOPWORDS] or every


def by_words(engine: Engine, owner: str, query: str, most: int) -> dict[int, list[str]]:
    """Numbers of the owner's records that hold words of the query, best first (BM25), each with those words as the
    record has them. A record that holds fewer than half of the query's words is left out."""
    wanted = keywords(query)
    if not wanted:
        return {}
    match = " OR ".join(f'"{word}"' for word in wanted)
    with engine.connect() as connection:
        rows = connection.execute(FTS5, {"mark": MARK, "wanted": match, "owner": owner, "most": most}).all()
    found = {number: list(dict.fromkeys(marked.lower().split(MARK)[1::2])) for number, marked in rows}
    return {number: held for number, held in found.items() if 2 * len(held) >= len(wanted)}
