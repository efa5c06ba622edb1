"""Reading a body: whole, within a bound, and decompressed here, so that a cut is noticed.

aiohttp would decompress too, but it takes a gzip stream without its end for a whole one and does
not compare checksums. A stream that ends early is a lost answer, which is retried.
"""

import zlib
from typing import Protocol

ENCODINGS = ("gzip", "deflate")
"""What requests offer in ``Accept-Encoding``."""


class TruncatedBodyError(Exception):
    """The body ended before its compressed stream did, or its checksum does not fit."""


class TooLargeError(Exception):
    """The body is larger than is allowed."""


class Content(Protocol):
    """What is needed of aiohttp's stream."""

    def at_eof(self) -> bool:
        """Return whether there is nothing more to read."""

    async def readany(self) -> bytes:
        """Return what has arrived; wait if that is nothing."""


def known(encoding: str | None) -> str | None:
    """Return the encoding that *encoding*, from ``Content-Encoding``, stands for.

    None for none, and for one that was not offered: what it holds is not JSON then.
    """
    name = (encoding or "").strip().lower()
    return name if name in ENCODINGS else None


async def read(content: Content, encoding: str | None, most: int) -> bytes:
    """Return the whole body, decompressed.

    Args:
        content: The stream of the body.
        encoding: ``gzip``, ``deflate``, or None for a plain body.
        most: Most bytes, after decompression.

    Raises:
        TooLargeError: There are more than *most*.
        TruncatedBodyError: The compressed stream is cut short or damaged.
    """
    inflater = None if encoding is None else Inflater(encoding, most)
    first = await content.readany()
    if inflater is None and content.at_eof():
        if len(first) > most:
            raise TooLargeError
        return first
    chunks, size = [], 0
    chunk = first
    while True:
        if inflater is not None:
            chunk = inflater.feed(chunk)
        size += len(chunk)
        if size > most:
            raise TooLargeError
        chunks.append(chunk)
        if content.at_eof():
            break
        chunk = await content.readany()
    if inflater is not None and not inflater.is_whole:
        raise TruncatedBodyError("the compressed body is cut short")
    return b"".join(chunks)


class Inflater:
    """Decompresses a body piece by piece, and never more than one byte too much of it.

    Args:
        encoding: ``gzip`` or ``deflate``.
        most: Most bytes that are of use.
    """

    def __init__(self, encoding: str, most: int) -> None:
        self._left = most + 1
        self._is_gzip = encoding == "gzip"
        self._stream = zlib.decompressobj(wbits=31) if self._is_gzip else None
        self._is_begun = False

    def feed(self, data: bytes) -> bytes:
        """Return what *data* adds to the body.

        Raises:
            TruncatedBodyError: It is damaged.
        """
        if not data:
            return b""
        self._is_begun = True
        if self._stream is None:
            # Some servers send deflate without zlib's wrapper, against RFC 9110 section 8.4.1.2.
            is_wrapped = data[0] & 0x0F == 8
            self._stream = zlib.decompressobj(wbits=15 if is_wrapped else -15)
        try:
            more = self._stream.decompress(data, max(self._left, 1))
        except zlib.error as error:
            raise TruncatedBodyError(f"the compressed body is damaged: {error}") from None
        self._left -= len(more)
        return more

    @property
    def is_whole(self) -> bool:
        """Whether the stream has ended, or never began: an empty body is not compressed."""
        return not self._is_begun or (self._stream is not None and self._stream.eof)
