"""The ledger of side effects: a service that the drills' workflows call, and that forgets nothing.

Every request is appended to a log and fsynced before it is answered. It honours idempotency keys
as a good service does: a key that it knows is answered without doing anything. So `done` counts
effects, `again` the requests that would have been effects at a service without keys.
"""

import json
import os
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType


class _Server(ThreadingHTTPServer):
    """Its callers are killed while they wait: that is nobody's error."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class SideEffects:
    """An HTTP server on loopback while in `with`."""

    def __init__(self, log: Path) -> None:
        self.done: Counter[str] = Counter()
        """Effects by execution."""
        self.again = 0
        self.without_key = 0
        self._keys: set[str] = set()
        self._lock = threading.Lock()
        self._log = log.open("ab")
        ledger = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(length))
                key = self.headers.get("idempotency-key", "")
                ledger.take(str(body["execution"]), key)
                answer = b'{"done": true}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/effect"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def take(self, execution: str, key: str) -> None:
        """Write a request down, then do it unless its key is known."""
        with self._lock:
            self._log.write(f"{execution} {key}\n".encode())
            self._log.flush()
            os.fsync(self._log.fileno())
            if not key:
                self.without_key += 1
            if key in self._keys:
                self.again += 1
                return
            self._keys.add(key)
            self.done[execution] += 1

    def __enter__(self) -> "SideEffects":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self._log.close()
