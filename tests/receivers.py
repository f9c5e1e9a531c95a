"""Receivers on this machine: what is sent to them arrives as it would elsewhere, and they answer as they are told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

_ORIGINAL = "X-Original-Url"
_HELD_UP = 60.0
_LONGEST = 2**24

_T = TypeVar("_T")


@dataclass(frozen=True)
class Reply:
    """What an HTTP receiver answers, after `delay` seconds."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0

    @classmethod
    def of(cls, content: dict[str, Any], status: int = 200) -> Reply:
        return cls(status, json.dumps(content), {"Content-Type": "application/json"})


@dataclass(frozen=True)
class Request:
    """What an HTTP receiver got; `url` is the one that was called, before it was led here."""

    url: str
    headers: dict[str, str]
    content: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def query(self) -> dict[str, str]:
        """The query as any server reads it: decoded once."""
        return dict(parse_qsl(urlsplit(self.url).query))

    @property
    def json(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.content)
        return body


class HttpReceiver:
    """
    An HTTP server that keeps what it is sent.

    It answers with `reply`, or with the first of `replies` as long as there are any. It can be taken down and
    brought up again on the same port.
    """

    def __init__(self) -> None:
        self.reply = Reply()
        self.replies: list[Reply] = []
        self.requests: list[Request] = []
        self.at_a_time = self.most_at_a_time = 0
        self._lock = threading.Lock()
        self._port = 0
        self.up()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def up(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                url = self.headers.get(_ORIGINAL) or f"http://{receiver.address}{self.path}"
                with receiver._lock:
                    receiver.at_a_time += 1
                    receiver.most_at_a_time = max(receiver.most_at_a_time, receiver.at_a_time)
                    receiver.requests.append(Request(url, dict(self.headers), content))
                    reply = receiver.replies.pop(0) if receiver.replies else receiver.reply
                receiver._leave.wait(reply.delay)
                with receiver._lock:
                    receiver.at_a_time -= 1
                # Whoever asked may have gone by now.
                with suppress(ConnectionError):
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reply.body.encode())))
                    self.end_headers()
                    self.wfile.write(reply.body.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet."""

        self._leave = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def down(self) -> None:
        self._leave.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def lead_to(receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lead every request of this process to `receiver`, whatever host it is for; TLS ends here."""

    class ToReceiver(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
            assert request.url
            request.headers[_ORIGINAL] = request.url
            request.url = f"http://{receiver.address}{request.path_url}"
            return super().send(request, *args, **options)

    monkeypatch.setattr(requests.Session, "get_adapter", lambda self, url: ToReceiver())


@dataclass(frozen=True)
class Letter:
    """A mail as a server got it: who it is said to be from and for, and what was written."""

    sender: str
    readers: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class SmtpReceiver:
    """
    A mail server that keeps the letters that it accepts.

    It answers a verb (MAIL, RCPT, DATA, AUTH; CONNECT; "." for the end of a letter) with what `replies` has for it
    or `replies_to` one reader, and falls silent at the verb `silent_at`. It can be taken down and brought up again on
    the same port.
    """

    def __init__(self) -> None:
        self.replies: dict[str, str] = {}
        self.replies_to: dict[str, str] = {}
        self.silent_at = ""
        self.letters: list[Letter] = []
        self.sessions = 0
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._conversations: set[asyncio.Task[Any]] = set()
        self.up()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def up(self) -> None:
        self._server = self._run(asyncio.start_server(self._converse, "127.0.0.1", self._port, limit=_LONGEST))
        self._port = self._server.sockets[0].getsockname()[1]

    def down(self) -> None:
        self._run(self._hang_up())

    def close(self) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, what: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _hang_up(self) -> None:
        self._server.close()
        for conversation in tuple(self._conversations):
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await self._server.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me
        self._conversations.add(me)
        self.sessions += 1
        try:
            await self._session(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # they have gone, or we go
        finally:
            self._conversations.discard(me)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender, readers = "", list[str]()

        async def answer(verb: str, usual: str) -> bool:
            """Answer, and tell whether it was the usual thing."""
            if verb == self.silent_at:
                await asyncio.sleep(_HELD_UP)
            told = self.replies.get(verb, usual)
            writer.write(f"{told}\r\n".encode())
            await writer.drain()
            return told == usual

        if not await answer("CONNECT", "220 receiver ESMTP"):
            return
        while True:
            line = (await reader.readuntil(b"\r\n")).decode().strip()
            verb = line.split()[0].upper()
            if verb == "EHLO":
                await answer(verb, "250-receiver\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                await answer(verb, "235 welcome")
            elif verb == "MAIL":
                sender = _between(line)
                await answer(verb, "250 ok")
            elif verb == "RCPT":
                reader_told = self.replies_to.get(_between(line))
                if reader_told:
                    writer.write(f"{reader_told}\r\n".encode())
                elif await answer(verb, "250 ok"):
                    readers.append(_between(line))
            elif verb == "DATA":
                if not await answer(verb, "354 go on"):
                    continue
                content = await reader.readuntil(b"\r\n.\r\n")
                if await answer(".", "250 kept"):
                    kept = content[:-3].replace(b"\r\n..", b"\r\n.")
                    self.letters.append(Letter(sender, tuple(readers), kept))
                readers = []
            elif verb == "RSET":
                readers = []
                await answer(verb, "250 ok")
            elif verb == "QUIT":
                await answer(verb, "221 bye")
                return
            else:
                await answer(verb, "502 what?")


def _between(line: str) -> str:
    return line[line.index("<") + 1 : line.index(">")]
