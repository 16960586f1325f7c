"""Addresses that resume an execution which waits for a call, signed.

    <public url>/webhook-waiting/<execution>?signature=<signature>

An execution's id is no secret: it stands in answers, logs, lists and taps. What may resume it is
the address that the execution gave away itself, so that carries a signature: HMAC-SHA256, cut to
128 bits, under a key of the installation.

The keys are lines of one file that only our own programs read, the newest first. That one signs;
all of them are good for addresses that are out already. To change the key put a line on top:
gateways look again when a signature does not fit, and actors sign with it from their next start.
"""

import hmac
import os
import secrets
from pathlib import Path

from penstock.subjects.errors import PenstockError

FILE = "resume-keys"
KEY_LENGTH_MIN = 32
SIGNATURE_LENGTH = 32
_PURPOSE = b"resume/"
_EXAMPLE = "put a line of at least 32 characters of `openssl rand -hex 32` there"


class ResumeKeys:
    """The keys in `file`, which is made with a first one when it is missing."""

    def __init__(self, file: Path) -> None:
        self._file = file
        if not file.exists():
            _make(file)
        self._changed_ns = 0
        self._keys: list[bytes] = []
        self._read()

    def signature(self, execution: str) -> str:
        """The signature that goes into the address of `execution`."""
        return _signature(self._keys[0], execution)

    def fits(self, execution: str, signature: str) -> bool:
        """Whether `signature` was made for `execution` with one of the keys."""
        return self._fits(execution, signature) or (
            self._read() and self._fits(execution, signature)
        )

    def _fits(self, execution: str, signature: str) -> bool:
        given = signature.encode()
        return any(
            hmac.compare_digest(_signature(key, execution).encode(), given) for key in self._keys
        )

    def _read(self) -> bool:
        """Read the file if it has changed; whether it has."""
        try:
            changed_ns = self._file.stat().st_mtime_ns
            if changed_ns == self._changed_ns:
                return False
            keys = self._file.read_text().split()
        except (OSError, UnicodeDecodeError) as error:
            if self._keys:
                return False  # while somebody replaces it, what was read before counts
            raise PenstockError(f"{self._file} cannot be read: {error}", remedy=_EXAMPLE) from error
        if not keys or min(map(len, keys)) < KEY_LENGTH_MIN:
            if self._keys:
                return False
            raise PenstockError(f"{self._file} has no key or a short one", remedy=_EXAMPLE)
        self._keys = [key.encode() for key in keys]
        self._changed_ns = changed_ns
        return True


class ResumeUrls:
    """Makes the addresses. `base`: the public URL of the gateways. `keys` None: there are no
    gateways, so that nothing is to be signed."""

    def __init__(self, base: str, keys: ResumeKeys | None) -> None:
        self._base = base.rstrip("/")
        self._keys = keys

    def __call__(self, execution: str) -> str:
        """The address that resumes `execution`."""
        path = f"{self._base}/webhook-waiting/{execution}"
        if self._keys is None:
            return path
        return f"{path}?signature={self._keys.signature(execution)}"


def _signature(key: bytes, execution: str) -> str:
    digest = hmac.digest(key, _PURPOSE + execution.encode(), "sha256")
    return digest.hex()[:SIGNATURE_LENGTH]


def _make(file: Path) -> None:
    """Make the file with one key, for our eyes only. Of two programs that start together one wins,
    and the other takes what that one wrote."""
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(32) + "\n")
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(fresh, file)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    except OSError as error:
        raise PenstockError(
            f"{file} cannot be made: {error}",
            remedy="let PENSTOCK_DATA_DIR name a directory that this program may write to",
        ) from error
