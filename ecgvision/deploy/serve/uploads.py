"""The body of a request: within a size and a time, alone or as the file of a form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from ecgvision.deploy.serve.problems import Problem
from ecgvision.deploy.serve.settings import MEGABYTE, ServeSettings

FIELD = "file"
FORM_SLACK = 65_536
"""Bytes that a form may have beside its file (our default)."""


async def uploaded(request: Request, settings: ServeSettings) -> bytes:
    """Return the uploaded file.

    Args:
        request: whose body is the file, or a `multipart/form-data` with a field `file`. The file's
            name is not looked at.

    Raises:
        Problem: if it is empty, too large, too slow or no form.
    """
    limit = settings.megabytes * MEGABYTE
    try:
        async with asyncio.timeout(settings.upload_seconds):
            body = await _body(request, limit + FORM_SLACK)
    except TimeoutError:
        raise Problem("slow_upload", f"the upload took longer than {settings.upload_seconds} s",
                      "Send a smaller file") from None  # fmt: skip
    except ClientDisconnect:
        raise Problem("invalid_request", "the upload was broken off") from None
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        body = await _form_file(request, body)
    if len(body) > limit:
        raise _too_large(limit)
    if not body:
        raise Problem("invalid_request", "no file was sent", "Send it as the body, or as the field "
                      f"{FIELD!r} of a form")  # fmt: skip
    return body


async def _body(request: Request, limit: int) -> bytes:
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise _too_large(limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


async def _form_file(request: Request, body: bytes) -> bytes:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(
            request.headers, stream(), max_files=1, max_fields=8, max_part_size=FORM_SLACK
        ).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise Problem("invalid_request", f"the form cannot be read: {error}") from None
    try:
        found = form.get(FIELD)
        return b"" if found is None or isinstance(found, str) else await found.read()
    finally:
        await form.close()


def _too_large(limit: int) -> Problem:
    return Problem("too_large", f"the upload is larger than {limit // MEGABYTE} MB",
                   "Scan the page at 200 to 300 dpi")  # fmt: skip
