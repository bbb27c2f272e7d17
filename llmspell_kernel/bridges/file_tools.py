"""The built-in tools for files, inside of granted folders."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Annotated, Any

from llmspell_kernel.bridges import granted_files as files
from llmspell_kernel.bridges.declaration import Bridge, export, table_type
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.bridges.tool_arguments import bytes_argument, text_argument
from llmspell_kernel.language.annotations import option
from llmspell_kernel.language.documentation import Documented

_PATH = option("path", "string", "in a granted folder; relative paths start at the notebook's")
_CONTENT = option("content", "string", "what is written")

TYPES: tuple[Documented, ...] = (
    table_type("tools.FilePath", "A file.", _PATH),
    table_type("tools.FileContent", "A file and what to write to it.", _PATH, _CONTENT),
    table_type(
        "tools.FileListing",
        "What to list.",
        option("path", "string", "a granted folder; the notebook's if left out", optional=True),
        option("pattern", "string", "names that fit, such as `*.md`", optional=True),
    ),
    table_type(
        "tools.FileEntry",
        "A file or folder.",
        option("name", "string", "its name"),
        option("type", '"file"|"folder"|"other"', "what it is"),
        option("size", "integer", "bytes"),
        option("modified", "number", "when it was changed, in seconds since 1970"),
    ),
)


class FileTools(Bridge):
    """The tools' part for files."""

    _host: Host

    @export(returns="content: string?, err: Error?", example='tools.file_read("notes.md")', grant="files")
    async def file_read(self, arguments: Annotated[dict[str, Any] | str, "string|tools.FilePath"]) -> Any:
        """Read a file whole.

        Args:
            arguments: its path
        """
        await self._allow("file_read")
        path = text_argument("file_read", arguments, "path")
        content = await files.read(self._host, path, "tools.file_read")
        try:
            return content.decode()
        except UnicodeDecodeError:
            return content

    @export(
        returns="bytes: integer?, err: Error?",
        example='tools.file_write{path = "out.txt", content = "Hello."}',
        grant="files",
    )
    async def file_write(
        self,
        arguments: Annotated[dict[str, Any] | str, "string|tools.FileContent"],
        content: str | bytes | None = None,
    ) -> Any:
        """Write a file, in place of what it holds; tells how many bytes.

        Args:
            arguments: its path and content
            content: what is written, after a path alone
        """
        return await self._write("file_write", _both(arguments, content), append=False)

    @export(
        returns="bytes: integer?, err: Error?",
        example='tools.file_append{path = "out.txt", content = "More."}',
        grant="files",
    )
    async def file_append(
        self,
        arguments: Annotated[dict[str, Any] | str, "string|tools.FileContent"],
        content: str | bytes | None = None,
    ) -> Any:
        """Write at the end of a file, which is made if need be; tells how many bytes.

        Args:
            arguments: its path and content
            content: what is written, after a path alone
        """
        return await self._write("file_append", _both(arguments, content), append=True)

    @export(returns="deleted: boolean?, err: Error?", example='tools.file_delete("out.txt")', grant="files")
    async def file_delete(self, arguments: Annotated[dict[str, Any] | str, "string|tools.FilePath"]) -> Any:
        """Delete a file.

        Args:
            arguments: its path
        """
        await self._allow("file_delete")
        await files.delete(self._host, text_argument("file_delete", arguments, "path"), "tools.file_delete")
        return True

    @export(returns="exists: boolean", example='tools.file_exists("notes.md")', grant="files")
    async def file_exists(self, arguments: Annotated[dict[str, Any] | str, "string|tools.FilePath"]) -> Any:
        """Tell whether there is a file or folder.

        Args:
            arguments: its path
        """
        await self._allow("file_exists")
        path = text_argument("file_exists", arguments, "path")
        return await files.about(self._host, path, "tools.file_exists") is not None

    @export(returns="entries: tools.FileEntry[]?, err: Error?", example='tools.file_list(".")', grant="files")
    async def file_list(
        self, arguments: Annotated[dict[str, Any] | str | None, "string|tools.FileListing"] = None
    ) -> Any:
        """List a folder by name.

        Args:
            arguments: its path, and maybe which names
        """
        await self._allow("file_list")
        given: dict[str, Any] = {"path": arguments} if isinstance(arguments, str) else dict(arguments or {})
        path = text_argument("file_list", {"path": given.get("path") or "."}, "path")
        pattern = text_argument("file_list", {"pattern": given.get("pattern") or "*"}, "pattern")
        entries = await files.listing(self._host, path, "tools.file_list")
        return [entry for entry in entries if fnmatch(str(entry["name"]), pattern)]

    async def _write(self, tool: str, arguments: dict[str, Any], *, append: bool) -> int:
        await self._allow(tool)
        path = text_argument(tool, arguments, "path")
        content = bytes_argument(tool, arguments, "content")
        await files.write(self._host, path, content, f"tools.{tool}", append=append)
        return len(content)

    async def _allow(self, tool: str) -> None:
        await self._host.require("tools", tool, f"tools.{tool}")


def _both(arguments: dict[str, Any] | str, content: str | bytes | None) -> dict[str, Any]:
    """A path and what is written, however they are given."""
    return {"path": arguments, "content": content} if isinstance(arguments, str) else arguments
