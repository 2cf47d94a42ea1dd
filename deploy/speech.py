"""Text -> sound, offline: espeak in a process of its own (`deploy.voice`), which may hang or die without harm."""

import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import wave
from dataclasses import dataclass
from pathlib import Path

import lameenc

from model.errors import SightlineError

SAMPLE_RATE = 22050  # Hz, what espeak makes
VOICES = {"en": "en-us", "id": "id"}  # language -> espeak's name of the voice
RATES = range(80, 451)  # words a minute
NORMAL_RATE = 175
MOST_CHARACTERS = 10_000  # ten minutes of speech; some seconds of work
LONGEST_WORD = 40  # characters, and
LONGEST_CLAUSE = 300  # sounds, roughly: of longer ones espeak drops the rest, so they get a space or a comma
CLAUSE_ENDS = (".", ",", ";", ":", "!", "?")
MP3_KBIT = 64
MP3_QUALITY = 7  # of 0 (best) to 9; takes half the time of 5


class SpeechError(SightlineError):
    """Nothing could be spoken; the message is one sentence that says why."""


@dataclass(frozen=True)
class Speech:
    """A spoken text: the same sound as `wav` (16-bit) and `mp3` (64 kbit/s), both mono at 22.05 kHz; `seconds` long."""

    wav: bytes
    mp3: bytes
    seconds: float


class Speaker:
    """Speaks one text after the other, asked from any number of threads.

    The process starts with the first text, again when it has died or hangs, and ends with `close` or with the
    process that made it, however that one ends: its end of the socket closes then.
    """

    def __init__(self, timeout_s: float = 10.0):
        self.timeout_s = timeout_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._socket: socket.socket | None = None
        self._owner = 0  # id of the process that started the speech process
        self._number = 0  # of the last request

    def speak(self, text: str, language: str = "en", rate: int | None = None) -> Speech:
        """Speak `text` whole, at `rate` words a minute (80 to 450).

        Waits at most `timeout_s` for its turn and as long again for the sound. Raises SpeechError.
        """
        if language not in VOICES:
            raise SpeechError(f"There is no voice for '{language}'; choose one of {', '.join(VOICES)}.")
        rate = NORMAL_RATE if rate is None else rate
        if rate not in RATES:
            raise SpeechError(f"{rate} words a minute cannot be spoken; choose {RATES[0]} to {RATES[-1]}.")
        if len(text) > MOST_CHARACTERS:
            raise SpeechError(f"The text is longer than the {MOST_CHARACTERS} characters that can be spoken at once.")
        text = _speakable(text)
        if not text:
            raise SpeechError("There is no text to speak.")
        samples = self._samples({"text": text, "voice": VOICES[language], "rate": rate})
        return Speech(_wav(samples), _mp3(samples), len(samples) / 2 / SAMPLE_RATE)

    def close(self) -> None:
        """End the speech process. A later `speak` starts another."""
        with self._lock:
            self._stop()

    def _samples(self, request: dict) -> bytes:
        """Ask the process; 16-bit samples."""
        if not self._lock.acquire(timeout=self.timeout_s):
            raise SpeechError("The voice is busy with other texts; try again in a moment.")
        try:
            deadline = time.monotonic() + self.timeout_s
            try:
                return self._exchange(request, deadline)
            except ConnectionError:  # it has died, now or since the last text: once more, with a fresh one
                self._stop()
                return self._exchange(request, deadline)
        except TimeoutError as error:
            self._stop()
            limit = f"{self.timeout_s:g} seconds"
            raise SpeechError(f"The voice did not answer within {limit}; try again, or a shorter text.") from error
        except OSError as error:
            self._stop()
            raise SpeechError("The voice cannot be started or ends at once; see the service's log.") from error
        except SpeechError:
            raise
        except BaseException:  # interrupted half way: what is still in the socket must not reach the next text
            self._stop()
            raise
        finally:
            self._lock.release()

    def _exchange(self, request: dict, deadline: float) -> bytes:
        if self._socket is None or self._owner != os.getpid():  # after a fork the old one belongs to the parent
            self._socket = self._start()
        connection = self._socket
        self._number += 1
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        connection.sendall(json.dumps({"number": self._number, **request}).encode() + b"\n")
        received = bytearray()
        while (end := received.find(b"\n")) < 0:
            received += _receive(connection, deadline)
        answer = json.loads(received[:end])
        if answer["number"] != self._number:
            raise ConnectionError("an answer to another question")
        if "error" in answer:
            raise SpeechError(answer["error"])
        del received[: end + 1]
        while len(received) < answer["size"]:
            received += _receive(connection, deadline)
        return bytes(received)

    def _start(self) -> socket.socket:
        """-> our end of the socket."""
        ours, theirs = socket.socketpair()
        # -P: modules beside voice.py must not hide the standard library's. A session of its own: Ctrl-C is for the
        # service, which then ends this process by closing the socket.
        command = [sys.executable, "-P", str(Path(__file__).with_name("voice.py"))]
        try:
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._owner = os.getpid()
        return ours

    def _stop(self) -> None:
        if self._process is not None and self._owner == os.getpid():
            if self._socket is not None:
                self._socket.close()
            self._process.kill()
            self._process.wait()
        self._process = self._socket = None


def _receive(connection: socket.socket, deadline: float) -> bytes:
    connection.settimeout(max(0.001, deadline - time.monotonic()))
    received = connection.recv(1 << 20)
    if not received:
        raise ConnectionError("the speech process has ended")
    return received


def _speakable(text: str) -> str:
    """Without control characters (a NUL would end the text early), half characters and endless words and clauses."""
    text = re.sub(r"[\0-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", " ", text).strip()
    text = re.sub(rf"(\S{{{LONGEST_WORD}}})(?=\S)", r"\1 ", text)
    words, sounds = [], 0
    for word in text.split(" "):
        sounds += sum(1 if c.isalpha() and c < "\u0250" else 8 for c in word)  # a digit or sign is a word when spoken
        if word.endswith(CLAUSE_ENDS) or "\n" in word:
            sounds = 0
        elif sounds > LONGEST_CLAUSE:
            word, sounds = word + ",", 0
        words.append(word)
    return " ".join(words)


def _wav(samples: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples)
    return buffer.getvalue()


def _mp3(samples: bytes) -> bytes:
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(SAMPLE_RATE)
    encoder.set_bit_rate(MP3_KBIT)
    encoder.set_quality(MP3_QUALITY)
    return bytes(encoder.encode(samples) + encoder.flush())
