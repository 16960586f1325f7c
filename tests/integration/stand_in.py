"""A program that stands where another will: it says ready, serves little, ends on SIGTERM.

With `PENSTOCK_LISTEN_FD` it answers every HTTP request with its pid, and those to its siblings.
It runs as `python -m tests.integration.stand_in`; `stand_in_that_dies` beside it dies at once.
"""

import http.server
import json
import os
import signal
import socket
import sys
import threading


class Answer(http.server.BaseHTTPRequestHandler):
    """Tells which process answered."""

    def do_GET(self) -> None:
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(fd: int) -> None:
    """Answer on a socket that listens already."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=fd)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    """Be ready until told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if "PENSTOCK_LISTEN_FD" in os.environ:
        siblings = os.environ["PENSTOCK_SIBLING_FDS"].split(",")
        for fd in (os.environ["PENSTOCK_LISTEN_FD"], *filter(None, siblings)):
            serve(int(fd))
    print(json.dumps({"event": "ready", "env": sorted(os.environ)}), file=sys.stderr, flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
