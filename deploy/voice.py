"""The speech process that `deploy.speech` starts: JSON lines in, samples out, over the socket that is its stdin.

It drives espeak through the binding that pyttsx3 carries and not through pyttsx3's engine. The engine gives sound only
as a file, written inside a callback where an error is swallowed and its event loop then waits for ever, and it copies
all samples for each new buffer, which makes long texts slow. The binding's synchronous mode returns when all is spoken,
with the samples in memory, and says how far it came.

A request is {"number", "text", "voice", "rate"}; the answer is {"number", "size"}, a line end and `size` bytes of
16-bit samples, or {"number", "error"}.
"""

import ctypes
import json
import os
import queue
import socket
import sys
import threading
import traceback

import espeakng_loader


class Voice:
    """espeak, of which a process can have one, and which knows no threads."""

    def __init__(self):
        """Raises OSError or RuntimeError if espeak's library or data cannot be loaded."""
        # espeak keeps its data's path in 160 bytes, which a deep virtual environment exceeds: "." never does.
        os.chdir(espeakng_loader.get_data_path())
        os.environ["ESPEAK_DATA_PATH"] = "."
        # Loaded first, so that pyttsx3 finds it by its name although it lies in no folder of the system's.
        ctypes.CDLL(espeakng_loader.get_library_path(), mode=ctypes.RTLD_GLOBAL)
        from pyttsx3.drivers import _espeak

        self._espeak = _espeak
        self._samples = bytearray()
        self._end = 0  # characters spoken so far
        if _espeak.Initialize(_espeak.AUDIO_OUTPUT_SYNCHRONOUS, 1000) < 0:
            raise RuntimeError("espeak cannot read its data")
        _espeak.SetSynthCallback(self._collect)

    def speak(self, text: str, voice: str, rate: int) -> bytes:
        """16-bit samples, mono, 22.05 kHz. Raises ValueError, one sentence, if not all of the text was spoken."""
        espeak = self._espeak
        self._samples.clear()
        self._end = 0
        if espeak.SetVoiceByName(voice.encode()) != espeak.EE_OK:
            raise ValueError(f"The voice '{voice}' is missing.")
        espeak.SetParameter(espeak.RATE, rate)
        done = espeak.Synth(text, flags=espeak.CHARS_UTF8 | espeak.ENDPAUSE)
        if done != espeak.EE_OK or self._end < len(text):
            raise ValueError("The text could not be spoken to its end.")
        if not self._samples.strip(b"\0"):
            raise ValueError("There is nothing in the text that can be spoken.")
        return bytes(self._samples)

    def _collect(self, samples, count: int, events) -> int:
        """espeak's callback, for each second of sound. Returns 0: go on."""
        if count:
            self._samples += ctypes.string_at(samples, count * 2)
        i = 0
        while events[i].type != self._espeak.EVENT_LIST_TERMINATED:
            if events[i].type == self._espeak.EVENT_END:  # of a clause
                self._end = events[i].text_position
            i += 1
        return 0


def answer(connection: socket.socket, requests: queue.SimpleQueue) -> None:
    """Speak the requests one after the other, for ever; end the process when that is no longer possible."""
    try:
        voice = Voice()
        while True:
            request = requests.get()
            number = request.pop("number")
            try:
                samples = voice.speak(**request)
            except ValueError as error:
                connection.sendall(json.dumps({"number": number, "error": str(error)}).encode() + b"\n")
            else:
                connection.sendall(json.dumps({"number": number, "size": len(samples)}).encode() + b"\n" + samples)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


def main() -> None:
    connection = socket.socket(fileno=0)
    requests: queue.SimpleQueue[dict] = queue.SimpleQueue()
    threading.Thread(target=answer, args=(connection, requests), daemon=True).start()
    # Read here, not in the thread that speaks, to notice at once, even in the middle of a text, that the service has
    # gone: however it went, its end of the socket closed.
    with connection.makefile("rb") as lines:
        for line in lines:
            requests.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main()
