"""A real HTTP server on loopback for the tests of `http` and `auth`; it also serves as a proxy."""

from __future__ import annotations

import base64
import gzip
import json
import select
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: WebServer

    def serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = {"method": self.command, "path": self.path, "headers": headers, "body": body.decode("latin-1")}
        self.web.seen.append(seen)
        path = self.path.split("?")[0].removeprefix("http://named.test")
        getattr(self, f"_{path.strip('/').split('/')[0] or 'echo'}", self._missing)(seen)

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _echo(self, seen: dict[str, Any]) -> None:
        self._answer(200, json.dumps(seen).encode(), Content_Type="application/json", X_Twice="a")

    def _missing(self, seen: dict[str, Any]) -> None:
        self._answer(404, b"no such page")

    def _redirect(self, seen: dict[str, Any]) -> None:
        _, _, status, where = self.path.split("/", 3)
        self._answer(int(status), Location=where)

    def _large(self, seen: dict[str, Any]) -> None:
        self._answer(200, b"x" * 200_000)

    def _bomb(self, seen: dict[str, Any]) -> None:
        self._answer(200, gzip.compress(b"x" * 5_000_000), Content_Encoding="gzip")

    def _broken(self, seen: dict[str, Any]) -> None:
        self._answer(200, b"no gzip", Content_Encoding="gzip")

    def _cut(self, seen: dict[str, Any]) -> None:
        self._answer(200, gzip.compress(b"x" * 5000)[:20], Content_Encoding="gzip")

    def _strange(self, seen: dict[str, Any]) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n")
        self.close_connection = True

    def _short(self, seen: dict[str, Any]) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
        self.close_connection = True

    def _drop(self, seen: dict[str, Any]) -> None:
        self.close_connection = True

    def _hang(self, seen: dict[str, Any]) -> None:
        """Stay silent until the client goes."""
        finish = time.monotonic() + 30
        while time.monotonic() < finish:
            ready, _, _ = select.select([self.connection], [], [], 0.02)
            if ready and not self.connection.recv(1):
                self.web.gone.set()
                break
        self.close_connection = True

    def _meet(self, seen: dict[str, Any]) -> None:
        """Answer when twenty are here."""
        self.web.twenty.wait()
        self._answer(200, b"at last")

    def _token(self, seen: dict[str, Any]) -> None:
        wanted = "Basic " + base64.b64encode(b"me:client-secret-value").decode()
        if seen["headers"].get("authorization") != wanted:
            self._answer(401, b'{"error": "invalid_client"}')
            return
        self._answer(200, json.dumps({"access_token": "token-abcdef", "expires_in": "60"}).encode())

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are part of the tests."""


class WebServer:
    """Serves until the end of its `with` block; `seen` has the requests, `gone` is set when one was given up."""

    def __enter__(self) -> WebServer:
        self.seen: list[dict[str, Any]] = []
        self.gone = threading.Event()
        self.twenty = threading.Barrier(20, timeout=20)
        methods = {f"do_{name}": _Handler.serve for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")}
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"web": self, **methods})
        )
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
