"""Opens the database and brings it to the newest version of its schema."""

from sqlalchemy import Connection, Engine, create_engine, event

from deploy.library.migrations import upgrade

WAIT_S = 10  # for another writer


def open_database(url: str) -> Engine:
    """Raises SQLAlchemyError if it cannot be opened."""
    sqlite = url.startswith("sqlite")
    options = {"connect_args": {"timeout": WAIT_S}} if sqlite else {"pool_pre_ping": True}
    engine = create_engine(url, **options)
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    upgrade(writing(engine))
    return engine


def writing(engine: Engine) -> Engine:
    """The same engine, for transactions that write."""
    return engine.execution_options(writes=True)


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its turn at once: one that has begun to read cannot wait for another that writes."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_sqlite(connection, _) -> None:
    """Readers beside one writer (WAL), a commit that is on the disk when it returns, and transactions that hold changes
    of the schema too, which Python's driver would commit one by one."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
