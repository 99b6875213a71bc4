"""A loopback stand-in for what Alertmanager notifies: PagerDuty, Slack and webhooks over HTTP, mail over SMTP.

Keeps what arrives and answers as the real ones do; what a notification should say is the tests' business.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One notification; `body` is the JSON of an HTTP request, or for mail a mapping (subject, to, text, html)."""

    receiver: str
    """The receiver's name in Alertmanager's configuration."""
    kind: str
    """Which of its ways: pagerduty, slack, webhook or email."""
    body: Any
    authorization: str
    """The request's Authorization header, or ``""``."""

    @property
    def text(self) -> str:
        """Everything it says, to look for a word in it."""
        return json.dumps(self.body, ensure_ascii=False)


class Catcher:
    """Where the notifications arrive: `web` takes `/<receiver>/<kind>`, `mail` takes SMTP on a port of its own."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.web = ""
        self.mail = ""

    def took_web(self, path: str, body: bytes, authorization: str) -> int:
        """Keep a request; answers the status that its service would send."""
        _, receiver, kind = path.partition("?")[0].split("/")[:3]
        self.received.append(Received(receiver, kind, json.loads(body), authorization))
        return 202 if kind == "pagerduty" else 200

    def took_mail(self, raw: bytes) -> None:
        """Keep a mail; the receiver's name stands in front of the `@` of its address."""
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        to = str(message["To"])
        parts = {form: part.get_content() for form in ("plain", "html") if (part := message.get_body((form,)))}
        body = {"subject": str(message["Subject"]), "to": to, "text": parts.get("plain"), "html": parts.get("html")}
        self.received.append(Received(to.partition("@")[0], "email", body, ""))


@contextlib.contextmanager
def catching() -> Iterator[Catcher]:
    """Both servers, on loopback, until the block ends."""
    catcher = Catcher()

    class Web(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(catcher.took_web(self.path, body, self.headers.get("Authorization", "")))
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            _smtp(self, catcher)

    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as web, _MailServer(("127.0.0.1", 0), Mail) as mail:
        catcher.web = f"http://127.0.0.1:{web.server_port}"
        catcher.mail = f"127.0.0.1:{mail.server_address[1]}"
        servers: tuple[socketserver.BaseServer, ...] = (web, mail)
        threads = [threading.Thread(target=each.serve_forever, args=(0.05,)) for each in servers]
        for thread in threads:
            thread.start()
        try:
            yield catcher
        finally:
            for server in servers:
                server.shutdown()
            for thread in threads:
                thread.join()


class _MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


def _smtp(handler: socketserver.StreamRequestHandler, catcher: Catcher) -> None:
    """As much of SMTP as one sender needs: every command is fine, data ends with a lone dot."""

    def say(words: str) -> None:
        handler.wfile.write(f"{words}\r\n".encode())

    say("220 loopback")
    while line := handler.rfile.readline():
        command = line.strip().upper()
        if command.startswith(b"DATA"):
            say("354 go on")
            raw = b""
            while (part := handler.rfile.readline()) not in {b".\r\n", b""}:
                raw += part[1:] if part.startswith(b".") else part
            catcher.took_mail(raw)
        say("221 bye" if command == b"QUIT" else "235 in" if command.startswith(b"AUTH") else "250 loopback")
        if command == b"QUIT":
            return
