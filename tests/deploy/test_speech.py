"""Real sound from the real process, which is stopped and killed on the way."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest
import soundfile

from deploy.speech import MOST_CHARACTERS, Speaker, Speech, SpeechError

ROOT = Path(__file__).resolve().parents[2]
DOG = "A brown dog runs across a green field with a red ball in its mouth."
CROSSING = "Two people wait at a zebra crossing in front of a bus, and a cyclist passes on the left."


@pytest.fixture(scope="module")
def speaker():
    speaker = Speaker(timeout_s=30)
    yield speaker
    speaker.close()


@pytest.fixture
def own_speaker():
    """For tests that hurt the process."""
    speaker = Speaker(timeout_s=30)
    yield speaker
    speaker.close()


def samples(speech: Speech) -> np.ndarray:
    """(N,) float64 in -1..1."""
    sound, rate = soundfile.read(io.BytesIO(speech.wav))
    assert rate == 22050 and sound.ndim == 1
    return sound


def envelope(sound: np.ndarray) -> np.ndarray:
    """Level in each 5 ms, smoothed over 20 ms, (N // 110 - 3,)."""
    power = (sound[: len(sound) // 110 * 110].reshape(-1, 110) ** 2).mean(1)
    return np.sqrt(np.convolve(power, np.full(4, 0.25), "valid"))


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Greatest correlation of the envelopes of two sounds over shifts of up to 100 ms. espeak's own noise makes two
    runs differ a little."""
    a, b = envelope(a), envelope(b)
    best = -1.0
    for shift in range(-20, 21):
        first, second = a[max(0, shift) :], b[max(0, -shift) :]
        n = min(len(first), len(second))
        best = max(best, np.corrcoef(first[:n], second[:n])[0, 1])
    return best


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def ends(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


@pytest.mark.parametrize("language", ["en", "id"])
def test_sound_is_loud_enough_and_not_clipped(speaker, language):
    speech = speaker.speak(DOG, language)
    sound = samples(speech)
    assert speech.seconds == pytest.approx(len(sound) / 22050)
    assert 3 < speech.seconds < 6
    assert 0.03 < np.sqrt((sound**2).mean()) < 0.3
    assert np.abs(sound).max() < 0.98


def test_duration_follows_text_and_rate(speaker):
    one, two = speaker.speak(DOG).seconds, speaker.speak(f"{DOG} {DOG}").seconds
    assert two == pytest.approx(2 * one, rel=0.05)
    slow, fast = speaker.speak(DOG, rate=80).seconds, speaker.speak(DOG, rate=450).seconds
    assert slow > 1.8 * one > 1.8 * 2 * fast


def test_mp3_is_the_same_sound(speaker):
    speech = speaker.speak(DOG)
    sound, rate = soundfile.read(io.BytesIO(speech.mp3))
    assert rate == 22050 and sound.ndim == 1
    assert len(sound) / rate == pytest.approx(speech.seconds, abs=0.15)
    assert likeness(sound, samples(speech)) > 0.95
    assert len(speech.mp3) * 8 / speech.seconds == pytest.approx(64_000, rel=0.1)


def test_indonesian_is_another_voice(speaker):
    text = "Seekor anjing cokelat berlari di lapangan hijau."
    english, indonesian, again = (samples(speaker.speak(text, language)) for language in ("en", "id", "id"))
    assert likeness(indonesian, again) > 0.95
    assert likeness(indonesian, english) < 0.8


def test_long_text_is_spoken_whole(speaker):
    text = " ".join([DOG, CROSSING] * 32)
    assert len(text) > 5000
    expected = 32 * (speaker.speak(DOG).seconds + speaker.speak(CROSSING).seconds)
    assert speaker.speak(text).seconds == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("word", ["347", "street", "1234567890" * 4])
@pytest.mark.parametrize("language", ["en", "id"])
def test_long_clause_is_spoken_whole(speaker, word, language):
    six, two = (speaker.speak(" ".join([word] * n), language).seconds for n in (6, 2))
    many = 800 // len(word)
    assert speaker.speak(" ".join([word] * many), language).seconds == pytest.approx(many * (six - two) / 4, rel=0.1)


def test_a_word_without_end_is_spoken_whole(speaker):
    assert speaker.speak("x" * 1000).seconds == pytest.approx(25 * speaker.speak("x" * 40).seconds, rel=0.15)


@pytest.mark.parametrize("text", ["one\0two", "one\x07\x1b\ud800two", "one\n\ntwo", "one \u2013 two"])
def test_odd_characters_do_not_end_the_text(speaker, text):
    assert speaker.speak(text).seconds > 1.2 * speaker.speak("one").seconds


def test_markup_is_text(speaker):
    assert speaker.speak('<break time="3s"/> [[h@l]] a').seconds > speaker.speak("a").seconds


def test_several_threads_each_get_their_own_text(speaker):
    texts = [DOG, CROSSING, "No.", "A red bus stands beside the station."]
    alone = [samples(speaker.speak(text)) for text in texts]
    assert all(likeness(a, b) < 0.8 for i, a in enumerate(alone) for b in alone[:i])
    with ThreadPoolExecutor(len(texts)) as pool:
        together = list(pool.map(speaker.speak, texts * 5))
    for i, speech in enumerate(together):
        expected = alone[i % len(texts)]
        assert len(samples(speech)) == pytest.approx(len(expected), rel=0.02)
        assert likeness(samples(speech), expected) > 0.95


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("", {}, "no text"),
        (" \n\t", {}, "no text"),
        ("...", {}, "nothing in the text"),
        ("a" * (MOST_CHARACTERS + 1), {}, "longer than the 10000 characters"),
        (DOG, {"language": "xx"}, "no voice for 'xx'; choose one of en, id"),
        (DOG, {"rate": 79}, "choose 80 to 450"),
        (DOG, {"rate": 451}, "choose 80 to 450"),
    ],
)
def test_what_cannot_be_spoken_is_said_in_a_sentence(speaker, text, options, reason):
    with pytest.raises(SpeechError, match=reason):
        speaker.speak(text, **options)
    assert speaker.speak("Still here.").seconds > 0.3


def test_killed_process_is_replaced(own_speaker):
    expected = own_speaker.speak(DOG).seconds
    first = own_speaker._process.pid
    os.kill(first, signal.SIGKILL)
    assert own_speaker.speak(DOG).seconds == pytest.approx(expected, rel=0.02)
    assert own_speaker._process.pid != first


def test_process_killed_in_the_middle_of_a_text_is_replaced(own_speaker):
    own_speaker.speak("Warm.")
    first = own_speaker._process.pid
    os.kill(first, signal.SIGSTOP)  # so that it surely dies with the text unspoken
    killer = threading.Timer(0.3, os.kill, (first, signal.SIGKILL))
    killer.start()
    assert own_speaker.speak(DOG).seconds > 3
    killer.join()
    assert not alive(first)


def test_hanging_process_is_replaced_within_the_time_limit(own_speaker):
    own_speaker.speak("Warm.")
    first = own_speaker._process.pid
    os.kill(first, signal.SIGSTOP)
    own_speaker.timeout_s = 0.5
    start = time.monotonic()
    with pytest.raises(SpeechError, match="within 0.5 seconds"):
        own_speaker.speak(DOG)
    assert time.monotonic() - start < 1.5
    assert not alive(first)
    own_speaker.timeout_s = 30
    assert own_speaker.speak(DOG).seconds > 3


def test_waiting_for_a_turn_ends_too(own_speaker):
    own_speaker.timeout_s = 0.1
    with own_speaker._lock, pytest.raises(SpeechError, match="busy"):
        own_speaker.speak(DOG)


def test_process_that_cannot_start_is_said_in_a_sentence(own_speaker, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "espeakng_loader.py").write_text("raise OSError('no such library')")
    with pytest.raises(SpeechError, match="cannot be started"):
        own_speaker.speak(DOG)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(SpeechError, match="cannot be started"):
        own_speaker.speak(DOG)
    monkeypatch.undo()
    assert own_speaker.speak(DOG).seconds > 3


def test_data_may_lie_deep(own_speaker, monkeypatch, tmp_path):
    deep = tmp_path.joinpath(*["deep" * 12] * 4)
    deep.mkdir(parents=True)
    (deep / "espeakng_loader").symlink_to(Path(espeakng_loader.__file__).parent)
    monkeypatch.setenv("PYTHONPATH", str(deep))
    assert own_speaker.speak(DOG).seconds > 3


def test_close_leaves_no_process_and_may_be_repeated(own_speaker):
    own_speaker.close()
    own_speaker.speak("One.")
    first = own_speaker._process.pid
    own_speaker.close()
    own_speaker.close()
    assert not alive(first)
    assert own_speaker.speak("Two.").seconds > 0.3


PARENT = """
import os, sys, threading
from deploy.speech import Speaker
speaker = Speaker()
speaker.speak("Warm.")
print(speaker._process.pid, flush=True)
if sys.argv[1] == "speaking":
    threading.Thread(target=speaker.speak, args=("All the words there are. " * 400,), daemon=True).start()
if sys.argv[1] == "forking":
    child = os.fork()
    if not child:
        speaker.speak("From the child.")
        print(speaker._process.pid, flush=True)
        speaker.close()
        os._exit(0)
    os.waitpid(child, 0)
    speaker.speak("From the parent.")
    print(speaker._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent():
    started = []

    def start(what: str) -> subprocess.Popen:
        pipe = subprocess.PIPE
        started.append(
            subprocess.Popen([sys.executable, "-c", PARENT, what], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("what", ["waiting", "speaking"])
def test_no_orphan_after_the_service_is_killed(parent, what):
    service = parent(what)
    voice = int(service.stdout.readline())
    time.sleep(0.1)
    assert alive(voice)
    service.kill()
    assert ends(voice)


def test_a_forked_service_starts_its_own_process(parent):
    service = parent("forking")
    first, in_child, in_parent = (int(service.stdout.readline()) for _ in range(3))
    assert in_child != first == in_parent
    assert ends(in_child)
    service.stdin.close()
    service.wait()
    assert ends(first)
