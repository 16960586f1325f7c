"""A small client of the REST API, for commands.

Blocking, on the standard library alone, so that commands start fast. A refusal becomes a
`PenstockError` that carries the server's problem in one line and its details below it.
"""

import http.client
import json
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from penstock.subjects.config import is_http_url
from penstock.subjects.errors import PenstockError


class ApiError(PenstockError):
    """The server's refusal: `status` is HTTP's, `problem` the problem+json document."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        title = str(problem.get("title") or f"the server answered {status}")
        detail = str(problem.get("detail") or "")
        super().__init__(
            f"{title}: {detail}" if detail else title, remedy=str(problem.get("remedy") or "")
        )
        self.status = status
        self.problem = problem

    def details(self) -> list[str]:
        """Every single problem with the path to it, one line each."""
        found = self.problem.get("problems") or self.problem.get("errors") or []
        return [_line(entry) for entry in found]

    def lines(self) -> list[str]:
        """For people: what was refused, then every problem or what to do, each once."""
        details = self.details()
        if not details:
            return [self.message, *([self.remedy] if self.remedy else [])]
        # The server's sentence goes on with problems, for who reads nothing else.
        said = [self.message.find(text) for each in details for text in each.split(": ", 1)]
        at = min((each for each in said if each > 0), default=len(self.message))
        return [self.message[:at].rstrip(" :"), *details]


def _line(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    path = entry.get("path") or entry.get("pointer") or ""
    text = entry.get("message") or entry.get("detail") or json.dumps(entry)
    remedy = f" ({entry['remedy']})" if entry.get("remedy") else ""
    return f"{path}: {text}{remedy}" if path else f"{text}{remedy}"


class Api:
    """One server and the token for it. It has `timeout_s` to go on with an answer."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 60.0) -> None:
        if not is_http_url(url := url if "//" in url else f"http://{url}"):
            raise PenstockError(f"{url!r} is not an address", remedy="give http://HOST:PORT")
        parts = urlsplit(url)
        if not (token.isascii() and token.isprintable()):
            raise PenstockError(
                "the token holds characters that no token has",
                remedy="copy it from DIR/owner-token, without quotes or line ends",
            )
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._token = token
        self._timeout_s = timeout_s
        self._parts = parts

    def get(self, path: str, **query: object) -> Any:
        """GET `/api/v1<path>`; query parameters that are None or empty are left out."""
        asked = {name: str(value) for name, value in query.items() if value not in (None, "")}
        return self._json("GET", f"/api/v1{path}{f'?{urlencode(asked)}' if asked else ''}")

    def post(self, path: str, body: Any = None) -> Any:
        """POST JSON to `/api/v1<path>`."""
        return self._json("POST", f"/api/v1{path}", body)

    def put(self, path: str, body: Any) -> Any:
        """PUT JSON to `/api/v1<path>`."""
        return self._json("PUT", f"/api/v1{path}", body)

    def call(
        self, method: str, path: str, body: Any = None, *, has_token: bool = True
    ) -> tuple[int, dict[str, str], bytes]:
        """One request: status, headers (lower case), body. For webhooks and for tests."""
        headers = {"Accept": "application/json"}
        if has_token:
            headers["Authorization"] = f"Bearer {self._token}"
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, path, body=payload, headers=headers)
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, fields, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise PenstockError(
                f"{self.url} does not answer: {error}",
                remedy="see that `penstock up` runs there (`penstock doctor` helps)",
            ) from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self._timeout_s)
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        status, _, payload = self.call(method, path, body)
        try:
            answer = json.loads(payload) if payload else None
        except ValueError:
            answer = {"title": payload[:200].decode("utf-8", "replace")}
        if status >= 400:
            raise ApiError(status, answer if isinstance(answer, dict) else {})
        return answer


def segment(value: str) -> str:
    """`value` as one segment of a path, whatever is in it."""
    return quote(value, safe="")
