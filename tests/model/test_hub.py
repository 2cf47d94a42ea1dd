"""Pulling, resuming, refusing: against a server on loopback that speaks as the hub does and may misbehave."""

import contextlib
import hashlib
import os
import pty
import re
import resource
import subprocess
import sys
import termios
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from model.hub import KNOWN, HubError, check_published

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROOT = Path(__file__).parents[2]
MODELS = [sys.executable, "-m", "deploy.main", "models"]


class Hub(ThreadingHTTPServer):
    """Serves `files`, path -> bytes. `faults`: what the next GETs do instead: "cut", "corrupt" or a status."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list = []
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, range
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        hub: Hub = self.server
        hub.requests.append((self.command, self.path, self.headers.get("Range")))
        repo, _, name = re.sub(f"/resolve/(main|{COMMIT})/", "\n", self.path.lstrip("/")).partition("\n")
        body = hub.files.get(f"{repo}/{name}")
        fault = hub.faults.pop(0) if with_body and hub.faults else None
        if body is None or isinstance(fault, int):
            known = any(path.startswith(repo + "/") for path in hub.files)
            self.send_response(fault or 404)
            if not fault:
                self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        digest = hashlib.sha256(body).hexdigest()
        start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0]) if self.headers.get("Range") else 0
        sent = body[start:]
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{digest}"')
        self.send_header("X-Linked-Etag", f'"{digest}"')
        self.send_header("X-Linked-Size", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        if not with_body:
            return
        if fault == "cut":
            self.wfile.write(sent[: len(sent) // 2])
            self.close_connection = True
            self.connection.close()
        else:
            self.wfile.write(bytes(len(sent)) if fault == "corrupt" else sent)


@pytest.fixture
def hub():
    hub = Hub()
    for known in KNOWN.values():
        for file in known.files:
            hub.files[f"{known.repo}/{file}"] = (file.encode() * 40_000)[:400_000]
    yield hub
    hub.shutdown()
    hub.server_close()


@pytest.fixture
def call(hub, tmp_path):
    """Run `sightline models ...` against the server, with a cache of its own: (status, output)."""

    def run(*arguments: str, most_bytes: int = resource.RLIM_INFINITY, **environment: str) -> tuple[int, str]:
        given = {
            "PATH": os.environ["PATH"], "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": "1", "SIGHTLINE_HUB_WAIT": "0.01",
        } | environment  # fmt: skip
        done = subprocess.run(
            [*MODELS, *arguments], cwd=ROOT, env=given, capture_output=True, text=True, timeout=120,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


def last_line(output: str) -> str:
    assert "Traceback" not in output, output
    return output.strip().splitlines()[-1]


def test_pull_list_verify(hub, call, tmp_path):
    status, output = call("pull", "clipcap-coco")
    assert status == 0, output
    for name in ("clip-vit-b32", "gpt2", "clipcap-coco"):
        for file in KNOWN[name].files:
            path = next(line for line in output.splitlines() if line.startswith(f"{name}: ") and line.endswith(file))
            assert Path(path.partition(": ")[2]).read_bytes() == hub.files[f"{KNOWN[name].repo}/{file}"]
            assert str(tmp_path / "cache") in path
    hub.requests.clear()
    call("pull", "clipcap-coco")
    assert not [path for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path]  # nothing twice
    listed = call("list")[1].splitlines()
    assert {line.split()[0]: line.split()[1] for line in listed} == {
        name: "here" if name in ("clip-vit-b32", "gpt2", "clipcap-coco") else "-" for name in KNOWN
    }
    status, output = call("verify")
    assert status == 0 and output.count("whole") == 3


def test_progress_is_shown_in_a_terminal(hub, tmp_path):
    hub.files[f"{KNOWN['gpt2'].repo}/model.safetensors"] = bytes(12_000_000)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    environment = {"PATH": os.environ["PATH"], "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "TERM": "xterm"}
    subprocess.run(
        [*MODELS, "pull", "gpt2"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=theirs, timeout=120,
        check=True,
    )  # fmt: skip
    os.close(theirs)
    shown = ""
    with contextlib.suppress(OSError):  # how a terminal ends that nobody writes to any more
        while piece := os.read(ours, 4096):
            shown += piece.decode()
    os.close(ours)
    assert "100%" in shown and "12.0M" in shown


def test_goes_on_where_it_was_cut(hub, call):
    hub.files[f"{KNOWN['gpt2'].repo}/model.safetensors"] = bytes(25_000_000)  # the client writes 10 MB at a time
    hub.faults = ["cut"]
    status, output = call("pull", "gpt2")
    assert status == 0, output
    assert any(asked and not asked.startswith("bytes=0-") for _, _, asked in hub.requests)


def test_a_corrupt_file_is_fetched_again_and_never_kept(hub, call, tmp_path):
    hub.faults = ["corrupt"]
    assert call("pull", "gpt2")[0] == 0
    hub.files[f"{KNOWN['clip-rn50x4'].repo}/tokenizer.json"] = b"x" * 1000
    hub.faults = ["corrupt"] * 20
    status, output = call("pull", "clip-rn50x4")
    assert status == 1 and "wrong sha256" in last_line(output)
    kept = [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and "clip.openai" in str(p) and p.stat().st_size]
    assert not [p for p in kept if "blobs" in str(p) and not p.name.endswith(".incomplete")]


def test_verify_finds_damage(call):
    output = call("pull", "gpt2")[1]
    path = Path(next(line for line in output.splitlines() if line.endswith("model.safetensors")).partition(": ")[2])
    path.write_bytes(b"changed")
    status, output = call("verify", "gpt2")
    assert status == 1 and "damaged" in last_line(output) and "pull again" in last_line(output)


@pytest.mark.parametrize("status_code, words", [(500, "answered 500"), (429, "answered 429")])
def test_a_failing_hub_is_said(hub, call, status_code, words):
    hub.faults = [status_code] * 40
    status, output = call("pull", "gpt2", HF_HUB_DOWNLOAD_TIMEOUT="2")
    assert status == 1 and "try again later" in last_line(output) and "could not be downloaded" in last_line(output)


def test_what_is_not_there(hub, call):
    del hub.files[f"{KNOWN['gpt2'].repo}/tokenizer.json"]
    status, output = call("pull", "gpt2")
    assert status == 1 and "the hub has no tokenizer.json" in last_line(output)
    for file in KNOWN["gpt2"].files:
        hub.files.pop(f"{KNOWN['gpt2'].repo}/{file}", None)
    status, output = call("pull", "gpt2", HF_HOME="/nonexistent/cache-of-another")
    assert status == 1 and "\n" not in last_line(output)


def test_offline(call):
    status, output = call("pull", "gpt2", HF_HUB_OFFLINE="1")
    assert status == 1 and "HF_HUB_OFFLINE is set" in last_line(output)
    assert call("pull", "gpt2")[0] == 0
    status, output = call("pull", "gpt2", HF_HUB_OFFLINE="1")
    assert status == 0 and "model.safetensors" in output


def test_no_server(call):
    status, output = call("pull", "gpt2", HF_ENDPOINT="http://127.0.0.1:9")
    assert status == 1 and "the hub cannot be reached" in last_line(output)


def test_unknown_and_missing_names(call):
    status, output = call("pull", "gpt5")
    assert status == 1 and "choose one of" in last_line(output)
    status, output = call("verify", "gpt2")
    assert status == 1 and "sightline models pull gpt2" in last_line(output)


def test_no_room(call, tmp_path):
    """No file may grow beyond 200 kB: what a used-up quota looks like to the one who writes."""
    status, output = call("pull", "gpt2", most_bytes=200_000)
    assert status == 1 and "the disk is full" in last_line(output) and "set HF_HOME" in last_line(output)
    assert not list((tmp_path / "cache").rglob("model.safetensors"))
    assert call("pull", "gpt2")[0] == 0  # once there is room


def test_a_pinned_name_is_pulled_at_its_revision_alone(hub, call, tmp_path):
    configuration = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    assert "not pinned" in next(line for line in call("list", **configuration)[1].splitlines() if "gpt2 " in line)
    status, output = call("pin", "gpt2", **configuration)
    assert status == 1 and "sightline models pull gpt2" in last_line(output)  # nothing to pin yet
    assert call("pull", "gpt2", **configuration)[0] == 0
    status, output = call("pin", "gpt2", **configuration)
    assert status == 0 and f"gpt2: pinned to revision {COMMIT}" in output and output.count("  ") >= 2
    listed = call("list", **configuration)[1]
    assert f"pinned to {COMMIT[:12]}" in listed and listed.count("not pinned") == len(KNOWN) - 1
    hub.requests.clear()
    for file in KNOWN["gpt2"].files:
        hub.files[f"{KNOWN['gpt2'].repo}/{file}"] = b"another revision"
    status, output = call("pull", "gpt2", HF_HOME=str(tmp_path / "elsewhere"), **configuration)
    assert status == 1 and "not what was pinned (wrong sha256)" in last_line(output)
    assert all(f"/resolve/{COMMIT}/" in path for _, path, _ in hub.requests)


def test_a_damaged_file_of_pins_is_one_sentence(call, tmp_path):
    (tmp_path / "config" / "sightline").mkdir(parents=True)
    (tmp_path / "config" / "sightline" / "pins.json").write_text("{")
    status, output = call("pull", "gpt2", XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert status == 1 and "cannot be read; delete it" in last_line(output)


def test_a_published_file_is_told_from_another_of_its_name(tmp_path):
    (tmp_path / "RN50x4.pt").write_bytes(b"weights")
    with pytest.raises(HubError, match="is not the file that was published under this name"):
        check_published(tmp_path / "RN50x4.pt")
    (tmp_path / "mine.pt").write_bytes(b"weights")
    check_published(tmp_path / "mine.pt")
