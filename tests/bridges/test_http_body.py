"""Bodies of answers: unpacked whole or refused, and never more of them in memory than allowed."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx2
import pytest

from llmspell_kernel.bridges.http_body import BadlyPacked, TooLarge, read_body

TEXT = b"a line of text\n" * 10_000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


async def body_of(packed: bytes, coding: str, most: int = 10**6, step: int = 1000) -> bytes:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(packed), step):
            yield packed[at : at + step]

    request = httpx2.Request("GET", "http://named.test/")
    headers = {"Content-Encoding": coding}
    return await read_body(httpx2.Response(200, headers=headers, content=pieces(), request=request), most)


@pytest.mark.parametrize("step", [1, 7, 10**6])
@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (gzip.compress(TEXT), "gzip"),
        (gzip.compress(TEXT[:500]) + gzip.compress(TEXT[500:]), "X-GZip"),
        (gzip.compress(TEXT) + b"\0\0\0", "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (raw_deflate(TEXT), "deflate"),
        (gzip.compress(zlib.compress(TEXT)), "deflate, gzip"),
    ],
)
async def test_a_body_is_unpacked_whole(packed: bytes, coding: str, step: int) -> None:
    assert await body_of(packed, coding, step=step) == TEXT


async def test_a_coding_that_is_not_known_is_left_as_it_is() -> None:
    packed = gzip.compress(TEXT)
    assert await body_of(packed, "gzip, br") == packed
    assert await body_of(b"", "gzip") == b""


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (gzip.compress(TEXT)[:-12], "gzip"),
        (gzip.compress(TEXT)[:5], "gzip"),
        (zlib.compress(TEXT)[:-1], "deflate"),
        (gzip.compress(TEXT) + gzip.compress(TEXT)[:50], "gzip"),
        (TEXT, "gzip"),
        (TEXT, "gzip, gzip, gzip"),
    ],
)
async def test_a_body_that_ends_early_or_is_no_such_thing_is_refused(packed: bytes, coding: str) -> None:
    with pytest.raises(BadlyPacked):
        await body_of(packed, coding)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304)])
async def test_what_has_no_body_may_tell_of_a_large_one(method: str, status: int) -> None:
    request = httpx2.Request(method, "http://named.test/")
    headers = {"Content-Length": "99999999", "Content-Encoding": "gzip"}
    assert await read_body(httpx2.Response(status, headers=headers, request=request), 100) == b""


async def test_bombs_take_no_more_memory_than_a_body_may() -> None:
    member = gzip.compress(bytes(10**7))
    packed = gzip.compress(member * 30)  # a few hundred bytes, of which 300 MB would become
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            await body_of(packed, "gzip, gzip", step=10**6)
        assert tracemalloc.get_traced_memory()[1] < 5 * 10**6
    finally:
        tracemalloc.stop()
