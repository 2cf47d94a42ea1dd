"""What tests share beside fixtures: paths, records, the terminal, a running service."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

from model.certainty import Certainty

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data" / "samples"
OWNER = "visitor:test"


def visitor(app, owner: str):
    client = app.test_client()
    with client.session_transaction() as session:
        session["owner"] = owner
    return client


def a_record(**fields):
    """A Record that nobody described, with these fields."""
    from deploy.library import Record

    usual = {
        "sha256": secrets.token_hex(32),
        "width": 4,
        "height": 3,
        "description": "A cat.",
        "caption": "a cat",
        "confidence": 0.5,
        "certainty": Certainty.MEDIUM,
        "alternatives": [{"text": "a dog", "confidence": 0.25}],
        "language": "en",
        "style": "caption",
        "rate": None,
        "model": "test",
        "audio_error": None,
        "timings_ms": {},
        "owner": OWNER,
    }
    if "embedding" in fields:
        usual["space"] = "test"
    return Record(**usual | fields)


def run_main(*arguments: str, **settings: str) -> subprocess.CompletedProcess:
    """`python -m deploy.main` with those arguments and settings, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.main", *arguments],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )


class Service:
    """`python -m deploy.main serve` with a folder of its own, on a free port, stopped by `stop`."""

    def __init__(self, folder: Path, **settings: str):
        environment = (
            os.environ
            | {"SIGHTLINE_INSTANCE": str(folder), "SIGHTLINE_PORT": "0", "SIGHTLINE_RATE": "100000/m"}
            | settings
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.main"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        first = self.process.stdout.readline()
        found = re.search(r"http://\S+", first)
        if not found:
            self.stop()
            raise RuntimeError(f"the service said {first!r}")
        self.url = found[0]

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self.process.stdout.close()
