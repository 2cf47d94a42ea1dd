"""The hub's cache as a pull leaves it, for tests that bring their own small files."""

from pathlib import Path

from model.hub import KNOWN

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def place(home: Path, name: str) -> Path:
    """The new folder under HF_HOME `home` where a pull would put NAME's files."""
    folder = home / "hub" / f"models--{KNOWN[name].repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    return folder / "snapshots" / COMMIT
