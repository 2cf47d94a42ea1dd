"""Search by words, by the database's own full-text index. It is given terms (model.languages.words), so that both
databases know the same forms of words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Engine

from deploy.library.records import ALWAYS, IN_PERIOD, Period, in_period
from model.languages.words import keywords, terms_of
from model.retrieval import all_then_any, count_held, fts5_query, holds_enough

FTS5 = in_period(
    "SELECT records.number, records.people_words, records.machine_words "
    "FROM record_words JOIN records ON records.number = record_words.rowid "
    f"WHERE record_words MATCH :asked AND records.owner = :owner AND {IN_PERIOD} "
    "ORDER BY record_words.rank LIMIT :most"
)
ANYBODYS, PEOPLES = "{people_words machine_words}", "people_words"  # columns
OWNERS_OWN = 'owner : "{owner}" AND {columns} : ({query})'  # in FTS5's own language
# PostgreSQL, where people's words have the weight A. {held}: how many of the words a record holds.
TSQUERY = (
    "SELECT number, people_words, machine_words FROM records, to_tsquery('simple', :asked) AS asked "
    f"WHERE owner = :owner AND {IN_PERIOD} AND words_index @@ asked AND 2 * ({{held}}) >= :wanted "
    "ORDER BY words_index @@ to_tsquery('simple', :peoples) DESC, "
    "ts_rank_cd(words_index, asked, 1) DESC, number DESC LIMIT :most"  # 1: the shorter the better
)
Row = tuple[int, str, str]  # number, terms of people's words, terms of a machine's


@dataclass(frozen=True)
class WordHits:
    """Numbers of records that hold at least half of a query's words, best first, each once: all of them in people's
    words (the owner's, and those in the photo), at least half of them there, and the others."""

    all_by_people: list[int]
    by_people: list[int]
    by_machine: list[int]


def by_words(engine: Engine, owner: str, query: str, most: int, period: Period = ALWAYS) -> WordHits:
    """`most` of the owner's records of that period that hold words of the query: those that hold all of them in
    people's words, then those that hold all, then others, each by BM25; in PostgreSQL by cover density."""
    wanted = keywords(query)
    hits = WordHits([], [], [])
    if not wanted:
        return hits
    find = _by_fts5 if engine.dialect.name == "sqlite" else _by_tsquery
    with engine.connect() as connection:
        rows = all_then_any(partial(find, connection, owner, wanted, most, period), len(wanted), most)
    for number, people, machine in rows:
        peoples = count_held(people, wanted)
        if peoples == len(wanted):
            hits.all_by_people.append(number)
        elif holds_enough(peoples, len(wanted)):
            hits.by_people.append(number)
        elif holds_enough(count_held(f"{people} {machine}", wanted), len(wanted)):
            hits.by_machine.append(number)
    return hits


def _by_fts5(
    connection: Connection, owner: str, wanted: list[str], most: int, period: Period, every: bool
) -> list[Row]:
    def holding(columns: str) -> list[Row]:
        asked = OWNERS_OWN.format(owner=owner, columns=columns, query=fts5_query(wanted, every))
        found = connection.execute(FTS5, {"asked": asked, "owner": owner, "most": most} | vars(period))
        return [tuple(row) for row in found]

    rows = holding(ANYBODYS)
    if every and len(rows) == most:  # there may be more, of which people's come first
        rows = list(dict.fromkeys(holding(PEOPLES) + rows))
    return rows


def _by_tsquery(
    connection: Connection, owner: str, wanted: list[str], most: int, period: Period, every: bool
) -> list[Row]:
    held = " + ".join(f"(words_index @@ to_tsquery('simple', :word{i}))::int" for i in range(len(wanted)))
    asked: dict[str, str | int] = {f"word{i}": _tsquery([word]) for i, word in enumerate(wanted)}
    asked |= {"asked": _tsquery(wanted, every), "peoples": _tsquery(wanted, every=True, weight=":A")}
    asked |= {"owner": owner, "wanted": len(wanted), "most": most}
    return [tuple(row) for row in connection.execute(in_period(TSQUERY.format(held=held)), asked | vars(period))]


def _tsquery(words: Sequence[str], every: bool = False, weight: str = "") -> str:
    either = (" | ".join(f"'{term}'{weight}" for term in terms_of(word)) for word in words)
    return (" & " if every else " | ").join(f"({terms})" for terms in either)
