"""Secrets and names that nobody can guess, from the system's randomness.

Not by the module `secrets`: for the comparison of digests that it offers as well it loads OpenSSL.
"""

import base64
import os
import random

below = random.SystemRandom().randrange
"""A number from 0 to one less than the given one."""


def name(size_bytes: int) -> str:
    """So many bytes as hexadecimal digits."""
    return os.urandom(size_bytes).hex()


def secret(size_bytes: int) -> str:
    """So many bytes as text that is safe in URLs."""
    return base64.urlsafe_b64encode(os.urandom(size_bytes)).rstrip(b"=").decode()
