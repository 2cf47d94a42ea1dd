"""Workers die, disks fill up, many ask at once: what was answered is there, whole, and nothing else is served."""

import io
import json
import os
import random
import resource
import secrets
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from deploy.library import Library, NoRoom
from tests.deploy.test_server import children
from tests.helpers import OWNER, Service, a_record

WRITES, ASKING, CLIENTS, BUSY_S = 200, 4, 16, 5.0


def new_photo() -> bytes:
    """A small photo unlike any other."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(secrets.randbits(64)).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def ask(service, key, method, path, data=None):
    """-> status and JSON; status 0 where a worker died with the request."""
    request = urllib.request.Request(
        service.url + path, data=data, method=method, headers={"X-API-Key": key, "Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
            is_json = body and answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(body) if is_json else body
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
    except OSError:
        return 0, None


@pytest.fixture
def place(tmp_path, database):
    """Settings of a service with a key, and the library behind it."""
    library = Library(tmp_path, database)
    settings = {"SIGHTLINE_DATABASE": database} if database else {}
    yield tmp_path, settings, library, library.keys.create("busy")
    library.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_killed_workers_lose_nothing_that_was_answered(place):
    folder, settings, library, key = place
    service = Service(folder, SIGHTLINE_WORKERS="2", **settings)
    kept, done = [], threading.Event()

    def write(_) -> None:
        status, told = ask(service, key, "POST", "/api/v1/describe", new_photo())
        assert status in (0, 201)
        if status == 201:
            kept.append(told)
        done.set()

    try:
        with ThreadPoolExecutor(ASKING) as pool:
            writing = [pool.submit(write, number) for number in range(WRITES)]
            for _ in range(2):
                done.clear()
                assert done.wait(60)
                os.kill(random.choice(children(service.process.pid)), signal.SIGKILL)
            for each in writing:
                each.result()
        assert len(kept) >= WRITES - 2 * ASKING
        for told in kept:
            assert ask(service, key, "GET", f"/api/v1/images/{told['id']}") == (200, told)
            for part in ("photo", "audio.mp3", "audio.wav"):
                status, data = ask(service, key, "GET", f"/api/v1/images/{told['id']}/{part}")
                assert status == 200 and len(data) > 100
    finally:
        service.stop()
    records = library.records.newest("key:busy", 10 * WRITES)
    assert {told["id"] for told in kept} <= {record.id for record in records}  # one may have died before its answer
    library.sweep(older_than_s=-1)
    owned = {f"{record.id}.{kind}" for record in records for kind in ("jpg", "mp3", "wav")}
    assert set(os.listdir(folder / "photos")) == owned


def test_a_full_disk_is_said_and_what_is_there_can_be_read(place):
    folder, settings, library, key = place
    service = Service(folder)
    try:
        status, told = ask(service, key, "POST", "/api/v1/describe", new_photo())
        assert status == 201
        _, sound = ask(service, key, "GET", told["audio"]["url"])
        (worker,) = children(service.process.pid)
        unlimited = resource.prlimit(worker, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        status, problem = ask(service, key, "POST", "/api/v1/describe", new_photo())
        assert status == 507 and "no room for more photos here; delete some" in problem["detail"]
        assert ask(service, key, "GET", f"/api/v1/images/{told['id']}") == (200, told)
        words = json.dumps({"user_description": "My own words"}).encode()
        status, problem = ask(service, key, "PATCH", f"/api/v1/images/{told['id']}", words)
        assert status == 507 and "no room" in problem["detail"]
        assert ask(service, key, "GET", f"/api/v1/images/{told['id']}") == (200, told)
        assert ask(service, key, "GET", told["audio"]["url"]) == (200, sound)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, unlimited)
        assert ask(service, key, "POST", "/api/v1/describe", new_photo())[0] == 201
    finally:
        service.stop()
    assert len(library.records.newest("key:busy", 10)) == 2
    assert len(os.listdir(folder / "photos")) == 6


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_on_a_full_disk_one_can_still_delete(small_disk):
    library = Library(small_disk)
    first, second = (a_record() for _ in range(2))
    for record in (first, second):
        library.add(record, {"jpg": bytes(200_000), "mp3": b"sound", "wav": b"SOUND"})
    with open(small_disk / "filler", "wb") as filler, suppress(OSError):
        while True:
            os.write(filler.fileno(), bytes(4096))
    with pytest.raises(NoRoom):
        library.add(a_record(), {"jpg": bytes(200_000)})
    with pytest.raises(NoRoom):
        library.edit(second, "x" * 500, None, {"mp3": bytes(200_000), "wav": b"WORDS"})
    assert library.read(second, "mp3") == b"sound" and library.read(second, "wav") == b"SOUND"
    assert library.delete(first.id) and library.get(first.id) is None
    assert library.get(second.id).display_text == second.display_text
    assert library.delete_all(OWNER) == 1 and not list((small_disk / "photos").iterdir())
    library.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_many_who_write_search_and_delete_at_once(place):
    """16 clients, two workers, a few seconds: no error of the service, no record lost or doubled."""
    folder, settings, library, key = place
    service = Service(folder, SIGHTLINE_WORKERS="2", **settings)
    try:
        answers, there = keep_busy(service, key, BUSY_S)
    finally:
        service.stop()
    assert {status for _, status, _ in answers} <= {200, 201, 204}
    assert sorted(library.records.ids("key:busy")) == sorted(there)


def keep_busy(service, key: str, seconds: float) -> tuple[list[tuple[str, int, float]], set[str]]:
    """CLIENTS describe (half of the time), search and delete -> each answer's method, status and seconds, and the ids
    of the records that must be there afterwards. Also what tests.benchmarks.reliability does, for longer."""
    end = time.monotonic() + seconds

    def client(number: int) -> tuple[list[tuple[str, int, float]], set[str]]:
        answers, mine, chance = [], [], random.Random(number)
        while time.monotonic() < end:
            wish, start = chance.random(), time.perf_counter()
            if wish < 0.5 or not mine:
                method = "describe"
                status, told = ask(service, key, "POST", "/api/v1/describe", new_photo())
                mine += [told["id"]] if status == 201 else []
            elif wish < 0.8:
                method, (status, _) = "search", ask(service, key, "GET", "/api/v1/images?q=a+man")
            else:
                method, (status, _) = "delete", ask(service, key, "DELETE", f"/api/v1/images/{mine.pop()}")
            answers.append((method, status, time.perf_counter() - start))
        return answers, set(mine)

    with ThreadPoolExecutor(CLIENTS) as pool:
        each = list(pool.map(client, range(CLIENTS)))
    return [answer for answers, _ in each for answer in answers], set().union(*(mine for _, mine in each))
