"""Images and files that a question shows to a model, read from granted folders."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Any, cast

import msgspec

from llmspell_kernel.bridges.granted_files import read
from llmspell_kernel.errors import BadArgument
from llmspell_kernel.llm.protocol import FilePart, ImagePart, Part, TextPart

if TYPE_CHECKING:
    from llmspell_kernel.bridges.llm_options import Extras
    from llmspell_kernel.bridges.registry import Host
    from llmspell_kernel.llm.protocol import Request

MOST_BYTES = 20 * 2**20
"""The largest image or file that is sent; providers take no larger ones."""
_SIGNATURES = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


async def attach(host: Host, function: str, request: Request, extras: Extras) -> Request:
    """Put the images and files of a question behind the text of its last user message.

    Raises:
        MissingGrant: One of them may not be read.
        WorldError: One of them cannot be read.
        BadArgument: It is no path, URL or table, or an image is none.
    """
    parts: list[Part] = [await _image(host, function, item) for item in extras.images]
    parts += [await _file(host, function, item) for item in extras.files]
    if not parts:
        return request
    messages = list(request.messages)
    last = max(index for index, message in enumerate(messages) if message.role != "system")
    said = messages[last].content
    before = (TextPart(text=said),) if isinstance(said, str) else said
    messages[last] = msgspec.structs.replace(messages[last], content=(*before, *parts))
    return msgspec.structs.replace(request, messages=tuple(messages))


def _field(item: Any, key: str) -> Any:
    return cast("dict[str, Any]", item).get(key) if isinstance(item, dict) else None


async def _content(host: Host, function: str, option: str, item: Any) -> tuple[bytes, str]:
    """The bytes of an image or file, and its path or name."""
    data = _field(item, "data")
    if isinstance(data, bytes | str):
        return data.encode() if isinstance(data, str) else data, str(_field(item, "name") or "")
    path = item if isinstance(item, str) else _field(item, "path")
    if not isinstance(path, str):
        raise BadArgument(
            f"bad option '{option}' to '{function}' (paths, or tables with path or data, expected)"
        )
    return await read(host, path, function, MOST_BYTES), path


async def _image(host: Host, function: str, item: Any) -> ImagePart:
    url = item if isinstance(item, str) else _field(item, "url")
    if isinstance(url, str) and url.startswith(("http://", "https://")):
        return ImagePart(url=url)  # the provider fetches it, nothing here does
    data, name = await _content(host, function, "images", item)
    media_type = next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), "")
    if not media_type:
        raise BadArgument(f"'{name or 'the image'}' is no PNG, JPEG, GIF or WebP image: give it in `files`")
    return ImagePart(data=data, media_type=media_type)


async def _file(host: Host, function: str, item: Any) -> FilePart:
    data, name = await _content(host, function, "files", item)
    media_type = str(_field(item, "media_type") or mimetypes.guess_type(name)[0] or "text/plain")
    return FilePart(data=data, media_type=media_type, name=name.rsplit("/", 1)[-1])
