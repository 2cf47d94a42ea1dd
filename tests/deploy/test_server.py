"""The service as `make run` starts it: a real gunicorn, asked over loopback."""

import os
import signal
import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from deploy.library import Library
from deploy.server import processors
from tests.helpers import Service, run_main


def get(url, **more):
    with urllib.request.urlopen(urllib.request.Request(url, **more), timeout=60) as answer:
        return answer.status, answer.read()


def test_when_it_says_where_it_is_it_is_ready(service):
    assert get(service.url + "/readyz") == (200, b'{"status":"ready"}\n')
    assert get(service.url + "/")[0] == 200


def test_many_who_ask_at_once_are_all_answered(service, cat):
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(get, service.url + "/api/v1/describe", data=cat, method="POST") for _ in range(8)]
        answers = [each.result() for each in asked]
    assert [status for status, _ in answers] == [201] * 8
    assert len({body.split(b'"id":"')[1][:22] for _, body in answers}) == 8


@pytest.mark.parametrize("chunked", [False, True])
def test_who_sends_too_much_gets_to_read_why(service, chunked):
    data = bytes(2**25)
    body = iter([data]) if chunked else data
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(service.url + "/api/v1/describe", data=body, method="POST")
    assert refused.value.code == 413
    assert b"larger than 16 MB; send a smaller" in refused.value.read()


def test_what_one_worker_kept_another_finds_at_once(tmp_path, cat):
    library = Library(tmp_path)
    headers = {"X-API-Key": library.keys.create("two")}
    library.close()
    service = Service(tmp_path, SIGHTLINE_WORKERS="2")
    search = partial(get, service.url + "/api/v1/images?q=a+cat", headers=headers)
    try:
        with ThreadPoolExecutor(4) as pool:  # both have an index before there is anything in it
            assert all(b'"images":[]' in each.result()[1] for each in [pool.submit(search) for _ in range(12)])
        _, body = get(service.url + "/api/v1/describe", data=cat, method="POST", headers=headers)
        id = body.split(b'"id":"')[1][:22]
        with ThreadPoolExecutor(4) as pool:
            assert all(id in each.result()[1] for each in [pool.submit(search) for _ in range(12)])
    finally:
        service.stop()


def test_two_workers_share_one_library_and_stop_when_told(tmp_path, cat):
    service = Service(tmp_path, SIGHTLINE_WORKERS="2")
    location = service.url + "/api/v1/images/"
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(get, service.url + "/api/v1/describe", data=cat, method="POST") for _ in range(4)]
        ids = [each.result()[1].split(b'"id":"')[1][:22].decode() for each in asked]
    for id in ids * 3:  # whichever worker answers
        assert get(location + id)[0] == 200
    assert service.stop() == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", int(service.url.rsplit(":")[-1])), timeout=5)


def test_what_was_answered_outlives_a_killed_worker(tmp_path, cat):
    service = Service(tmp_path)
    _, body = get(service.url + "/api/v1/describe", data=cat, method="POST")
    id = body.split(b'"id":"')[1][:22].decode()
    (worker,) = children(service.process.pid)
    os.kill(worker, signal.SIGKILL)
    try:
        wait_for(lambda: children(service.process.pid) not in ([], [worker]))
        assert get(f"{service.url}/api/v1/images/{id}/audio.mp3")[0] == 200
    finally:
        service.stop()


def test_a_port_in_use_is_one_sentence(service, tmp_path):
    port = service.url.rsplit(":")[-1]
    done = run_main("serve", SIGHTLINE_PORT=port, SIGHTLINE_INSTANCE=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: 127.0.0.1:{port} is in use; stop what runs there or set SIGHTLINE_PORT to another port.\n"
    )


def test_a_strange_host_is_one_sentence(tmp_path):
    done = run_main("serve", SIGHTLINE_HOST="no such host", SIGHTLINE_INSTANCE=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "Error: SIGHTLINE_HOST is 'no such host', which is no address of this machine.\n"


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    done = run_main("serve", SIGHTLINE_PORT="0", SIGHTLINE_INSTANCE=str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Records cannot be kept in ")
    assert len(done.stderr.splitlines()) == 1


def test_a_model_that_cannot_be_loaded_ends_the_service_with_its_reason(tmp_path):
    done = run_main(
        "serve", SIGHTLINE_PORT="0", SIGHTLINE_INSTANCE=str(tmp_path), SIGHTLINE_MODEL=str(tmp_path / "none")
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert "Sightline is on" not in done.stdout


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_processors_are_counted_where_a_system_does_not_tell_which(monkeypatch):
    """As on macOS, which has no affinity."""
    assert processors() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert processors() == os.cpu_count()
