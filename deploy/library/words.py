"""Search by words, by the database's own full-text index."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection, Engine, bindparam, text

from deploy.library.records import ALWAYS, IN_PERIOD, Period, in_period
from model.retrieval import MARK, all_then_any, fts5_query, holds_enough, keywords, marked_words

BY_PEOPLE = "(user_description IS NOT NULL OR text IS NOT NULL)"  # not a machine's words alone
FTS5 = in_period(
    f"SELECT records.number, {BY_PEOPLE}, highlight(record_words, 1, :mark, :mark) "
    "FROM record_words JOIN records ON records.number = record_words.rowid "
    f"WHERE record_words MATCH :asked AND records.owner = :owner AND {IN_PERIOD} "
    "ORDER BY record_words.rank LIMIT :most"
)
OWNERS_OWN = 'owner : "{owner}" AND words : ({query})'  # in FTS5's own language
FTS5_WORDS = text(
    "SELECT rowid, highlight(record_words, 1, :mark, :mark) FROM record_words "
    "WHERE words MATCH :asked AND rowid IN :numbers"
).bindparams(bindparam("numbers", expanding=True))
# PostgreSQL; "english" stems as FTS5's porter does. {held}: how many of the words a record holds.
TSQUERY = (
    f"SELECT number, {BY_PEOPLE} FROM records, to_tsquery('english', :asked) AS asked "
    f"WHERE owner = :owner AND {IN_PERIOD} AND words_index @@ asked AND 2 * ({{held}}) >= :wanted "
    "ORDER BY ts_rank_cd(words_index, asked, 1) DESC, number DESC LIMIT :most"  # 1: the shorter the better
)
TSQUERY_WORDS = text(
    "SELECT number, ts_headline('english', words, to_tsquery('english', :asked), "
    "'HighlightAll=true, StartSel=\x1f, StopSel=\x1f') FROM records WHERE number IN :numbers"
).bindparams(bindparam("numbers", expanding=True))


def by_words(engine: Engine, owner: str, query: str, most: int, period: Period = ALWAYS) -> list[tuple[int, bool]]:
    """Numbers of the owner's records of that period that hold words of the query, best first (BM25; in PostgreSQL cover
    density), and whether people wrote the words: the owner, or who made what the photo shows. A record that holds fewer
    than half of the query's words is left out."""
    wanted = keywords(query)
    if not wanted:
        return []
    find = _by_fts5 if engine.dialect.name == "sqlite" else _by_tsquery
    with engine.connect() as connection:
        return all_then_any(partial(find, connection, owner, wanted, most, period), len(wanted), most)


def _by_fts5(
    connection: Connection, owner: str, wanted: list[str], most: int, period: Period, every: bool
) -> list[tuple[int, bool]]:
    query = OWNERS_OWN.format(owner=owner, query=fts5_query(wanted, every))
    rows = connection.execute(FTS5, {"mark": MARK, "asked": query, "owner": owner, "most": most} | vars(period))
    return [(number, bool(by)) for number, by, marked in rows if holds_enough(marked_words(marked), wanted)]


def _by_tsquery(
    connection: Connection, owner: str, wanted: list[str], most: int, period: Period, every: bool
) -> list[tuple[int, bool]]:
    held = " + ".join(f"(words_index @@ to_tsquery('english', :word{i}))::int" for i in range(len(wanted)))
    asked: dict[str, str | int] = {f"word{i}": f"'{word}'" for i, word in enumerate(wanted)}
    asked |= {"asked": _tsquery(wanted, every), "owner": owner, "wanted": len(wanted), "most": most}
    return [tuple(row) for row in connection.execute(in_period(TSQUERY.format(held=held)), asked | vars(period))]


def words_held(engine: Engine, numbers: Sequence[int], query: str) -> dict[int, tuple[str, ...]]:
    """For each of these records the words of the query, as it has them; none of those that hold none."""
    wanted = keywords(query)
    if not wanted or not numbers:
        return {}
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            rows = connection.execute(
                FTS5_WORDS, {"mark": MARK, "asked": fts5_query(wanted), "numbers": list(numbers)}
            ).all()
        else:
            rows = connection.execute(TSQUERY_WORDS, {"asked": _tsquery(wanted), "numbers": list(numbers)}).all()
    return {number: marked_words(marked) for number, marked in rows}


def _tsquery(words: Sequence[str], every: bool = False) -> str:
    return (" & " if every else " | ").join(f"'{word}'" for word in words)
