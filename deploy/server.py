"""The service behind gunicorn, in threads, its captioner loaded after the fork: torch hangs over one."""

import errno
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from deploy.config import Settings
from deploy.library import Library
from deploy.web import EXTENSION
from model.errors import SightlineError


class ServerError(SightlineError):
    """The service cannot start; the message is one sentence."""


class Server(BaseApplication):
    """Says where it is once it listens and every worker has loaded its captioner."""

    def __init__(self, settings: Settings, create_app: Callable):
        self.settings, self.create_app = settings, create_app
        self.loaded = multiprocessing.Value("i", 0)  # workers, shared by them
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"[{self.settings.host}]:{self.settings.port}"
            if ":" in self.settings.host
            else f"{self.settings.host}:{self.settings.port}",
            "workers": self.settings.workers,
            "threads": self.settings.threads,
            "worker_class": "gthread",
            "timeout": 60,
            "graceful_timeout": 10,
            "loglevel": "warning",
            "control_socket_disable": True,  # it would write into the home folder
            "post_worker_init": self._start_model,
            "worker_exit": self._close,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self):
        """In each worker, after the fork and before torch and FAISS are loaded: their threads wait for each other by
        spinning, and more of them than processors slow everything down."""
        share = processors() // self.settings.workers
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, share)))
        return self.create_app(self.settings)

    def _start_model(self, worker) -> None:
        services = worker.wsgi.extensions[EXTENSION]
        inference = services.inference

        def ready() -> None:
            with self.loaded.get_lock():
                self.loaded.value += 1
                all_are = self.loaded.value == self.settings.workers  # once, not again for one that was replaced
            if all_are:
                print(f"Sightline is on {address(worker.sockets[0].getsockname())}")
                print(f"It describes with {inference.info.name}, in {inference.info.precision}.", flush=True)

        def failed(reason: str) -> None:
            print(f"Error: {reason}", file=sys.stderr, flush=True)
            os._exit(Arbiter.APP_LOAD_ERROR)  # tells the parent not to try again

        inference.start(ready, failed)
        services.housekeeper.start()

    def _close(self, arbiter, worker) -> None:
        if getattr(worker, "wsgi", None):
            worker.wsgi.extensions[EXTENSION].close()


def serve(settings: Settings, create_app: Callable) -> None:
    """Run until stopped. Raises ServerError or LibraryError before it listens; exits 1 if a worker cannot start."""
    check_address(settings)
    # Made once, before the workers would make it all at once.
    Library(settings.instance, settings.database, settings.photos).close()
    try:
        Server(settings, create_app).run()
    except SystemExit as stop:
        raise SystemExit(1 if stop.code else 0) from None


def processors() -> int:
    """That this process may use; some systems, macOS among them, do not tell, and then all there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_address(settings: Settings) -> None:
    """Raises ServerError if nobody can listen there; gunicorn would try five times and speak of sockets."""
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
            probe.listen()
    except socket.gaierror:
        raise ServerError(f"SIGHTLINE_HOST is {settings.host!r}, which is no address of this machine.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sentence = f"{where} is in use; stop what runs there or set SIGHTLINE_PORT to another port."
        elif error.errno == errno.EACCES:
            sentence = f"You may not listen on {where}; set SIGHTLINE_PORT to a port above 1023."
        else:
            sentence = f"Nothing can listen on {where} ({error.strerror}); set SIGHTLINE_HOST and SIGHTLINE_PORT."
        raise ServerError(sentence) from None


def address(name: tuple) -> str:
    """A socket's name -> a URL that a browser on this machine can open."""
    host, port = name[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"
