"""What the service does by itself, every hour: delete what was kept long enough, and files that no record owns."""

import logging
import threading

from deploy.library import VISITOR, Library

EVERY_S = 3600.0
log = logging.getLogger(__name__)


class Housekeeper:
    """Works in a thread until closed; several workers may, beside each other."""

    def __init__(self, library: Library, visitor_days: int, every_s: float = EVERY_S):
        self._library, self._days, self._every_s = library, visitor_days, every_s
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                if self._days:
                    self._library.purge(self._days, VISITOR)
                self._library.sweep()
            except Exception:
                log.exception("housekeeping failed; it is tried again later")
            if self._closed.wait(self._every_s):
                return
