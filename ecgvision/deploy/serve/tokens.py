"""Bearer tokens, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path

from ecgvision.core.errors import ConfigError
from ecgvision.core.input_files import read_text

LEAST = 16
"""Smallest length of a token (our default: 96 bits where each character has six)."""


class Tokens:
    """The tokens that are accepted; none accepts everybody."""

    def __init__(self, tokens: Sequence[str] = ()) -> None:
        self._digests = [_digest(token) for token in tokens]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accept(self, header: str | None) -> bool:
        """Return whether an `Authorization` header holds one of the tokens.

        Digests of equal length are compared, all of them, so that the time tells neither how much
        of a token was right nor which one was meant.
        """
        if not self._digests:
            return True
        kind, _, given = (header or "").partition(" ")
        digest = _digest(given.strip())
        found = False
        for known in self._digests:
            found |= hmac.compare_digest(known, digest)
        return found and kind.lower() == "bearer"


def read_tokens(path: str | Path) -> Tokens:
    """Read tokens from a file: one a line, `#` begins a comment.

    Raises:
        ConfigError: if the file cannot be read, holds none, or one that is too short.
    """
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the tokens cannot be read", file=path,
                          value=str(getattr(error, "strerror", "") or error)) from None  # fmt: skip
    tokens = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    short = [number for number, token in enumerate(tokens, 1) if len(token) < LEAST]
    if not tokens or short:
        what = f"token {short[0]} has fewer than {LEAST} characters" if short else "no tokens"
        raise ConfigError(what, file=path, remedy="Make one: python -c 'import secrets; "
                          "print(secrets.token_urlsafe())'")  # fmt: skip
    return Tokens(tokens)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
