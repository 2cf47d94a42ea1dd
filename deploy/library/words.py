"""Search by words, by the database's own full-text index."""

from sqlalchemy import Engine, text

from model.retrieval import fts5_query, holds_enough, keywords

MARK = "\x1f"  # no text holds it
FTS5 = text(
    "SELECT records.number, highlight(record_words, 0, :mark, :mark) AS marked "
    "FROM record_words JOIN records ON records.number = record_words.rowid "
    "WHERE record_words MATCH :wanted AND records.owner = :owner ORDER BY bm25(record_words) LIMIT :most"
)
# PostgreSQL marks with the same sign; "english" stems as FTS5's porter does.
TSVECTOR = text(
    "SELECT number, ts_headline('english', words, asked, 'HighlightAll=true, StartSel=\x1f, StopSel=\x1f') "
    "FROM records, to_tsquery('english', :wanted) AS asked "
    "WHERE owner = :owner AND to_tsvector('english', words) @@ asked "
    "ORDER BY ts_rank_cd(to_tsvector('english', words), asked) DESC LIMIT :most"
)


def by_words(engine: Engine, owner: str, query: str, most: int) -> dict[int, list[str]]:
    """Numbers of the owner's records that hold words of the query, best first (BM25), each with those words as the
    record has them. A record that holds fewer than half of the query's words is left out."""
    wanted = keywords(query)
    if not wanted:
        return {}
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            asked = {"mark": MARK, "wanted": fts5_query(wanted), "owner": owner, "most": most}
            rows = connection.execute(FTS5, asked).all()
        else:
            any_of = " | ".join(f"'{word}'" for word in wanted)
            rows = connection.execute(TSVECTOR, {"wanted": any_of, "owner": owner, "most": most}).all()
    found = {number: list(dict.fromkeys(marked.lower().split(MARK)[1::2])) for number, marked in rows}
    return {number: held for number, held in found.items() if holds_enough(held, wanted)}
