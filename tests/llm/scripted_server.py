"""A real HTTP server on loopback that speaks the OpenAI API and says what a test tells it to.

It runs in threads of its own, so that tests of any kind can use it, from a unit test to a kernel in
another process::

    with ScriptedServer() as server:
        server.script(text("Paris"), failure(429, "slow down", headers={"retry-after": "0"}))
        ...  # ask at server.base_url
        assert server.requests[0].body["messages"][0]["content"] == "Where?"

Each chat request takes the next reply of the script; the last one repeats. Every reply serves a request with
``"stream": true`` as events and any other as one body.
"""

from __future__ import annotations

import hashlib
import json
import select
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STEP = 0.01
"""Seconds between looks at whether the client has gone."""
PATIENCE = 20.0
"""Seconds that a request waits for others to come beside it; `most_at_once` tells whether they came."""


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """What to answer a chat request.

    Attributes:
        pieces: The answer's text, in the pieces that a stream sends.
        calls: Tool calls: pairs of name and arguments (a dict, or a text that is sent as it is).
        status: HTTP status; anything but 200 answers with `error`.
        error: The body of an error.
        headers: Further headers.
        finish_reason: Empty leaves it out.
        usage: Tokens of the prompt and of the answer; None leaves it out.
        delay: Seconds before the first byte.
        pause: Seconds between events.
        together: Answer once so many requests are being answered, or have been, at the same time (or after `PATIENCE`).
        steps: If set, each event but the first waits until this is released once more.
        cut_after: Close the connection after so many events, without ending the stream.
        hang_after: Stay silent after so many events until the client goes.
        raw: A body that is sent as it is.
        content_type: Of `raw`.
        reasoning: Visible thinking, sent before the text.
    """

    pieces: tuple[str, ...] = ()
    calls: tuple[tuple[str, Any], ...] = ()
    status: int = 200
    error: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: tuple[int, int] | None = (10, 5)
    delay: float = 0.0
    pause: float = 0.0
    together: int = 0
    steps: threading.Semaphore | None = None
    cut_after: int | None = None
    hang_after: int | None = None
    raw: bytes | None = None
    content_type: str = "application/json"
    reasoning: str = ""


def text(*pieces: str, **options: Any) -> Reply:
    """An answer in these pieces."""
    return Reply(pieces=pieces, **options)


def calls(*tool_calls: tuple[str, Any], **options: Any) -> Reply:
    """An answer that asks for tools."""
    return Reply(calls=tool_calls, **options)


def failure(
    status: int, message: str, *, code: str | None = None, headers: dict[str, str] | None = None
) -> Reply:
    """An error in OpenAI's shape."""
    return Reply(status=status, error={"error": {"message": message, "code": code}}, headers=headers or {})


Script = Callable[[Asked], Reply]


class ScriptedServer:
    """See the module's docstring.

    Attributes:
        requests: Everything that was asked, in order.
        models: What ``/models`` lists.
        key: If set, requests without it get a 401.
        open: Connections that are open right now.
        most_at_once: The most chat requests that were being answered at the same time.
    """

    def __init__(self, *, models: tuple[str, ...] = ("tiny-chat",), key: str = "") -> None:
        self.requests: list[Asked] = []
        self.models = models
        self.key = key
        self.open = 0
        self.most_at_once = 0
        self._answering = 0
        self._replies: list[Reply | Script] = []
        self._lock = threading.Lock()
        self._http = _Server(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._http.server_address[1]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *replies: Reply | Script) -> None:
        """Answer the next chat requests so; the last reply repeats. A function is given the request."""
        with self._lock:
            self._replies = list(replies)

    @property
    def chats(self) -> list[Any]:
        """The bodies of all chat requests."""
        return [asked.body for asked in self.requests if asked.path.endswith("/chat/completions")]

    def wait_for_chats(self, count: int = 1, seconds: float = 5.0) -> bool:
        """Whether `count` chat requests have come, or come within `seconds`."""
        deadline = time.monotonic() + seconds
        while len(self.chats) < count and time.monotonic() < deadline:
            time.sleep(STEP)
        return len(self.chats) >= count

    def wait_until_idle(self, seconds: float = 2.0) -> bool:
        """Whether every connection is closed, or is so within `seconds`."""
        deadline = time.monotonic() + seconds
        while self.open and time.monotonic() < deadline:
            time.sleep(STEP)
        return self.open == 0

    def wait_until_done(self, seconds: float = 2.0) -> bool:
        """Whether no chat request is being answered, or is so within `seconds`; connections may be kept for more."""
        deadline = time.monotonic() + seconds
        while self._answering and time.monotonic() < deadline:
            time.sleep(STEP)
        return self._answering == 0

    def next_reply(self, asked: Asked) -> Reply:
        with self._lock:
            if not self._replies:
                return failure(500, "the test has scripted no reply")
            reply = self._replies[0] if len(self._replies) == 1 else self._replies.pop(0)
        return reply if isinstance(reply, Reply) else reply(asked)

    def count(self, *, opened: int = 0, answering: int = 0) -> None:
        with self._lock:
            self.open += opened
            self._answering += answering
            self.most_at_once = max(self.most_at_once, self._answering)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, script: ScriptedServer) -> None:
        self.script = script
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the tests."""


class _Gone(Exception):
    """The client has closed the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.script.count(opened=1)

    def finish(self) -> None:
        self.server.script.count(opened=-1)
        super().finish()

    def log_message(self, *_: Any) -> None:
        """Tests look at `ScriptedServer.requests`."""

    def do_GET(self) -> None:
        if not self._let_in():
            return
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "test"}
            for name in self.server.script.models
        ]
        self._send(200, json.dumps({"object": "list", "data": data}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"null")
        if not self._let_in(body):
            return
        if self.path.endswith("/embeddings"):
            self._send(200, json.dumps(_embeddings(body)).encode())
            return
        reply = self.server.script.next_reply(self.server.script.requests[-1])
        self.server.script.count(answering=1)
        try:
            self._chat(reply, body)
        except (_Gone, ConnectionError):
            self.close_connection = True
        finally:
            self.server.script.count(answering=-1)

    def _let_in(self, body: Any = None) -> bool:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.script.requests.append(Asked(self.command, self.path, headers, body))
        key = self.server.script.key
        if key and headers.get("authorization") != f"Bearer {key}":
            self._send(
                401, b'{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}'
            )
            return False
        return True

    def _chat(self, reply: Reply, body: Any) -> None:
        self._wait(reply.delay)
        self._wait_for_others(reply.together)
        if reply.raw is not None:
            self._send(reply.status, reply.raw, reply.content_type, reply.headers)
        elif reply.status != 200:
            self._send(reply.status, json.dumps(reply.error).encode(), headers=reply.headers)
        elif body.get("stream"):
            self._stream(reply, body)
        elif reply.cut_after is not None:
            self._headers(200, "application/json", {"content-length": "1000"})
            self.wfile.write(b'{"id": "cut')
            self.close_connection = True
        elif reply.hang_after is not None:
            self._wait(float("inf"))
        else:
            self._send(200, json.dumps(_completion(reply, body["model"])).encode(), headers=reply.headers)

    def _stream(self, reply: Reply, body: Any) -> None:
        self._headers(200, "text/event-stream", {"transfer-encoding": "chunked"})
        for number, event in enumerate(_events(reply, body["model"])):
            if number == reply.cut_after:
                self.close_connection = True
                return
            if number == reply.hang_after:
                self._wait(float("inf"))
            if number:
                self._wait(reply.pause)
                self._wait_for(reply.steps)
            self._chunk(f"data: {json.dumps(event)}\n\n".encode())
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _send(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        self._headers(status, content_type, {"content-length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def _headers(self, status: int, content_type: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _wait(self, seconds: float) -> None:
        """Wait, unless the client goes first."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._look(min(left, STEP))

    def _wait_for(self, steps: threading.Semaphore | None) -> None:
        """Wait for the test to release one more event, unless the client goes first."""
        while steps and not steps.acquire(timeout=STEP):
            self._look(0)

    def _wait_for_others(self, together: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.server.script.most_at_once < together and time.monotonic() < deadline:
            self._look(STEP)

    def _look(self, seconds: float) -> None:
        readable, _, _ = select.select([self.connection], [], [], seconds)
        if readable and not self.connection.recv(1, 2):  # 2: MSG_PEEK
            raise _Gone


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────


def _finish_reason(reply: Reply) -> str | None:
    return (
        reply.finish_reason if reply.finish_reason is not None else ("tool_calls" if reply.calls else "stop")
    )


def _usage(reply: Reply) -> dict[str, int] | None:
    if reply.usage is None:
        return None
    prompt, completion = reply.usage
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _completion(reply: Reply, model: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(reply.pieces) or None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{n}",
                "type": "function",
                "function": {"name": name, "arguments": _arguments(arguments)},
            }
            for n, (name, arguments) in enumerate(reply.calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(reply) or None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [choice],
        "usage": _usage(reply),
    }


def _events(reply: Reply, model: str) -> Iterator[dict[str, Any]]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}

    def event(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    if reply.reasoning:
        yield event({"reasoning_content": reply.reasoning})
    for piece in reply.pieces:
        yield event({"role": "assistant", "content": piece})
    for n, (name, arguments) in enumerate(reply.calls):
        whole = _arguments(arguments)
        half = len(whole) // 2
        function: dict[str, Any] = {"name": name, "arguments": whole[:half]}
        yield event(
            {"tool_calls": [{"index": n, "id": f"call_{n}", "type": "function", "function": function}]}
        )
        yield event({"tool_calls": [{"index": n, "function": {"arguments": whole[half:]}}]})
    if finish_reason := _finish_reason(reply):
        yield event({}, finish_reason)
    if reply.usage is not None:
        yield {**base, "choices": [], "usage": _usage(reply)}


def _embeddings(body: Any) -> dict[str, Any]:
    """Vectors that depend on nothing but the text."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    data = [
        {
            "object": "embedding",
            "index": n,
            "embedding": [byte / 255 for byte in hashlib.sha256(t.encode()).digest()[:8]],
        }
        for n, t in enumerate(texts)
    ]
    usage = {"prompt_tokens": sum(len(t.split()) for t in texts), "total_tokens": 0}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}
