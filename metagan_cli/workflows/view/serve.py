"""The page on this machine alone, and what it may ask for: to write some of its own pictures, and to end."""

import json
import secrets
import sys
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any

from metagan_cli.errors import MetaganError, UsageError
from metagan_cli.workflows.view.page import page
from metagan_cli.workflows.view.picked import Write, alone
from metagan_cli.workflows.view.shown import View

HOST, HOSTS = "127.0.0.1", ("127.0.0.1", "localhost")
PATIENCE = 30  # seconds that a browser may take to say what it wants
ROOM = 1024  # bytes of a request's body beside the names of all pictures
JSON = "application/json"
Say = Callable[[str], None]


class Refused(Exception):  # noqa: N818 (an answer, not a fault)
    """A request that is not fulfilled, and why."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class PageServer(ThreadingTCPServer):
    """Serves one page at an address that nobody else on the machine can guess."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, view: View, write: Write, each: Path, port: int, say: Say) -> None:
        """At a free port where that is 0. Raises UsageError where the port cannot be had."""
        self.view, self.write, self.each, self.say = view, alone(write), each, say
        self.page, self.token, self.writing = page(view, each), secrets.token_urlsafe(24), threading.Lock()
        self.most = len(json.dumps([choice.name for choice in view.choices])) + ROOM
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            raise UsageError(f"--port {port}: cannot be served at ({error.strerror}); 0 takes a free one") from error

    @property
    def port(self) -> int:
        """The one that it has."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    def serve(self) -> None:
        """Serves until the page is done, or an interruption; ends no sooner than what is being written is whole."""
        try:
            self.serve_forever(poll_interval=0.1)
        finally:
            with self.writing:
                self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of browsers that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def written(self, names: list[str]) -> str:
        """Writes the pictures of these names, and what to say of it. Raises Refused, or MetaganError."""
        wanted = set(names)
        known = [choice.name for choice in self.view.choices if choice.name in wanted]
        if not wanted or len(known) < len(wanted):
            raise Refused(HTTPStatus.BAD_REQUEST, "pictures of this page alone can be written, and one at least")
        with self.writing:
            self.write(known)
        told = f"wrote {len(known)} {'image' if len(known) == 1 else 'images'} to {self.each}"
        self.say(told)
        return told


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: PageServer
    timeout = PATIENCE
    server_version, sys_version = "metagan", ""
    body, is_done = b"", False

    def do_GET(self) -> None:
        """The page."""
        self._fulfil({"": lambda: self.server.page}, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        """What the page asks for."""
        self._fulfil({"write": self._write, "done": self._done}, JSON)
        if self.is_done:
            self.server.shutdown()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def _fulfil(self, answers: dict[str, Callable[[], bytes]], kind: str) -> None:
        """Answers one of these requests, or says why not."""
        status = HTTPStatus.OK
        try:
            self.body = self._read() if self.command == "POST" else b""  # before all else: what is not read cuts the answer off
            body = answers[self._what(answers)]()
        except Refused as refusal:
            status, kind, body = refusal.status, JSON, _json(error=str(refusal))
        except MetaganError as error:
            status, kind, body = HTTPStatus.CONFLICT, JSON, _json(error=str(error))
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
        headers |= {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _read(self) -> bytes:
        """The body of a request. Raises Refused where it may be longer than any that the page sends."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "how long the request is has to be said")
        if len(length) > 9 or int(length) > self.server.most:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {self.server.most} bytes, which all pictures' names fit in"
            )
        return self.rfile.read(int(length))

    def _what(self, answers: Iterable[str]) -> str:
        """What is asked for. Raises Refused unless whoever asks has the address from here."""
        host, _, port = self.headers.get("Host", "").rpartition(":")
        if host not in HOSTS or port != str(self.server.port):
            raise Refused(HTTPStatus.FORBIDDEN, "this page is for a browser on this machine, at the address that was printed")
        for what in answers:
            if secrets.compare_digest(self.path.encode(), f"/{self.server.token}/{what}".encode()):
                return what
        raise Refused(HTTPStatus.NOT_FOUND, "not here: use the address that was printed")

    def _write(self) -> bytes:
        picked = self._asked().get("picked")
        if not isinstance(picked, list) or not all(isinstance(name, str) for name in picked):
            raise Refused(HTTPStatus.BAD_REQUEST, 'not understood: {"picked": [names of pictures]} is')
        return _json(told=self.server.written(picked))

    def _done(self) -> bytes:
        self._asked()
        self.is_done = True
        return _json(told="metagan has ended; this page can be closed")

    def _asked(self) -> dict[str, Any]:
        """What the body says, which has to be an object in JSON. Raises Refused."""
        if self.headers.get_content_type() != JSON:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "JSON alone is understood")
        try:
            values = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Refused(HTTPStatus.BAD_REQUEST, "not understood: this is no JSON") from error
        if not isinstance(values, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "not understood: this is no object")
        return values


def _json(**values: str) -> bytes:
    return json.dumps(values).encode()
