"""``llm``: ask language models."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from llmspell_kernel.bridges import usage
from llmspell_kernel.bridges.declaration import export
from llmspell_kernel.bridges.llm_defaults import Defaults
from llmspell_kernel.bridges.llm_files import attach
from llmspell_kernel.bridges.llm_messages import plain_usage
from llmspell_kernel.bridges.llm_options import Extras, request_of
from llmspell_kernel.bridges.llm_types import TYPES
from llmspell_kernel.bridges.registry import Host, Results, current_call
from llmspell_kernel.bridges.showing import Showing, shown_answer
from llmspell_kernel.bridges.usage import UsageFunctions
from llmspell_kernel.engine.values import CallbackRef
from llmspell_kernel.errors import BadArgument, WorldError
from llmspell_kernel.language.documentation import Documented
from llmspell_kernel.llm.catalogue import KNOWN, LOCAL
from llmspell_kernel.llm.protocol import Delta, Request, Response, TextDelta

OptionTable = Annotated[dict[str, Any] | None, "llm.Options"]
Asked = Annotated[str | list[Any] | dict[str, Any], "string|llm.Message[]|llm.Question"]
# the hooks around a question hand the messages on inside a table
Messages = Annotated[list[Any] | dict[str, Any], "llm.Message[]"]
ModelName = Annotated[str, "ModelName"]
ProviderName = Annotated[str | None, "ProviderName"]
OnContent = Annotated[CallbackRef | None, "fun(text: string): any"]


class LlmBridge(UsageFunctions):
    """Models by name, answers whole or piece by piece."""

    module: ClassVar[str] = "llm"
    lua_part: ClassVar[str | None] = "lib.llm"
    types: ClassVar[tuple[Documented, ...]] = (*TYPES, *usage.TYPES)

    def __init__(self, host: Host) -> None:
        self._host = host
        self._set: Defaults | None = None

    @export(returns="string|llm.Response", example='llm.chat("Say hello.")')
    async def chat(self, prompt: Asked, options: OptionTable = None) -> Any:
        """Ask a model.

        A string is answered with a string; messages or an options table with a response table. With ``stream = true``
        the answer is also printed while it comes, with ``on_chunk`` each piece of text goes to that function, which
        stops the answer by returning a value other than nil. ``tools`` are names of registered tools, tables or
        agents, which the model may call until it has its answer; tools without a function are only described to it,
        and its wish to call them is in ``tool_calls``.
        """
        return await self._answer("llm.chat", prompt, options)

    @export(returns="llm.Response", example='llm.complete{prompt = "Once upon a time", max_tokens = 20}')
    async def complete(
        self,
        prompt: Annotated[str | dict[str, Any], "string|llm.Question"],
        options: Annotated[float | dict[str, Any] | None, "integer|llm.Options"] = None,
    ) -> Any:
        """Ask for one answer: a string is answered with a string, an options table with a response table.

        ``options`` may be the number of tokens. ``stream`` and ``on_chunk`` work as for ``llm.chat``.
        """
        given = {"max_tokens": int(options)} if isinstance(options, float | int) else options
        return await self._answer("llm.complete", prompt, given)

    @export(returns="models: llm.Model[]", example="llm.models()")
    async def models(self, provider: ProviderName = None) -> Any:
        """List the models on offer: ``id``, ``provider``, ``kind``."""
        return [msgspec.to_builtins(model) for model in await self._host.models.list(provider or "")]

    @export(returns="string", example='llm.generate("A word for rain.", {max_tokens = 5})')
    async def generate(self, prompt: str, options: OptionTable = None) -> Any:
        """Ask with a string, get a string."""
        return await self.chat(prompt, options)

    @export(returns="llm.Response", example='llm.generate_message({{role = "user", content = "Hello"}})')
    async def generate_message(self, messages: Messages, options: OptionTable = None) -> Any:
        """Ask with messages, get a response table."""
        return await self.chat(messages, options)

    @export(returns="string", example='llm.quick_prompt("A word for rain.")')
    async def quick_prompt(self, prompt: str, options: OptionTable = None) -> Any:
        """Ask with a string, get a string."""
        return await self.chat(prompt, options)

    @export(
        returns="llm.Response",
        example='llm.stream{prompt = "Count.", on_content = function(text) io.write(text) end}',
    )
    async def stream(
        self, options: Annotated[dict[str, Any], "llm.StreamQuestion"], on_content: OnContent = None
    ) -> Any:
        """Ask, and hear the answer piece by piece.

        ``on_content`` gets each piece of text, and stops the answer by returning a value other than nil;
        ``on_complete`` gets the response, ``on_error`` the message and code of what failed. Without
        ``on_content`` the answer is printed.
        """
        given = dict(options)
        heard = {name: given.pop(name, None) for name in ("on_content", "on_complete", "on_error")}
        for name, callback in heard.items():
            if callback is not None and not isinstance(callback, CallbackRef):
                raise BadArgument(f"bad option '{name}' to 'llm.stream' (function expected)")
        request, provider, extras = await self._asked("llm.stream", given, None)
        on_chunk = on_content or heard["on_content"] or extras.on_chunk
        try:
            response = plain_response(await self._stream(request, provider, on_chunk))
        except WorldError as error:
            if heard["on_error"] is None:
                raise
            await self._host.invoke(heard["on_error"].id, error.message, error.code)
            return None
        if heard["on_complete"] is not None:
            await self._host.invoke(heard["on_complete"].id, response)
        return response

    @export(returns="string|err", example='llm.stream_chat("Count.", function(text) io.write(text) end)')
    async def stream_chat(
        self,
        prompt: Annotated[str | list[Any] | dict[str, Any], "string|llm.Message[]|llm.Question"],
        on_content: OnContent = None,
        options: OptionTable = None,
    ) -> Any:
        """Ask, and hear each piece of the answer; a function that returns a value other than nil stops it.

        With a function it returns nothing, or the error; without one the answer is printed and returned.
        """
        request, provider, extras = await self._asked("llm.stream_chat", prompt, options)
        return (await self._stream(request, provider, on_content or extras.on_chunk)).content

    @export(
        returns="any",
        example='llm.structured{prompt = "A city.", schema = {type = "object", required = {"name"}}}',
    )
    async def structured(
        self, prompt: Annotated[str | dict[str, Any], "string|llm.Question"], options: OptionTable = None
    ) -> Any:
        """Ask for a value that follows the JSON Schema ``schema``; it is checked here."""
        request, provider, _ = await self._asked("llm.structured", prompt, options)
        if request.schema is None:
            raise BadArgument("bad option 'schema' to 'llm.structured' (table expected, got nil)")
        return (await self._host.models.structured(request, provider=provider)).value

    @export(returns="number[]|number[][]", example='llm.embed("a text")')
    async def embed(
        self,
        texts: str | list[Any],
        options: Annotated[str | dict[str, Any] | None, "ModelName|llm.EmbedOptions"] = None,
    ) -> Any:
        """Turn a text into its vector, or a list of texts into a list of vectors; ``options`` may name a model."""
        wanted = {"model": options} if isinstance(options, str) else options or {}
        listed = [texts] if isinstance(texts, str) else texts
        if not all(isinstance(item, str) for item in listed):
            raise BadArgument("bad argument #1 to 'llm.embed' (a list of strings expected)")
        answer = await self._host.models.embed(
            listed, str(wanted.get("model") or ""), provider=str(wanted.get("provider") or "")
        )
        vectors = [list(vector) for vector in answer.vectors]
        return vectors[0] if isinstance(texts, str) else vectors

    @export(returns="models: llm.Model[]", example="llm.list_models()")
    async def list_models(self, provider: ProviderName = None) -> Any:
        """List the models on offer; another name of ``llm.models``."""
        return await self.models(provider)

    @export(returns="model: llm.Model?", example='llm.find_model("tiny")')
    async def find_model(self, name: ModelName, provider: ProviderName = None) -> Any:
        """Find a model on offer by its name or a part of it; nil if there is none."""
        offered = await self._host.models.list(provider or "")
        exact = [model for model in offered if name in (model.id, model.full_name)]
        partly = [model for model in offered if name.lower() in model.full_name.lower()]
        found = exact or partly
        return msgspec.to_builtins(found[0]) if found else None

    @export(returns="names: string[]", example="llm.list_providers()")
    async def list_providers(self) -> Any:
        """List the names that can be given as ``provider``."""
        return [*dict.fromkeys([*KNOWN, *self._host.settings.providers, LOCAL])]

    @export(returns="name: string, model: string", example="llm.get_provider()")
    async def get_provider(self) -> Any:
        """Tell which provider and model answer a call that names none."""
        choice = await self._host.models.choose(self._defaults.model, self._defaults.provider)
        return Results((choice.provider, choice.model))

    @export(example='llm.set_provider("local")')
    async def set_provider(
        self, name: Annotated[str, "ProviderName"], model: Annotated[str | None, "ModelName"] = None
    ) -> Any:
        """Let a provider, and maybe one of its models, answer the calls of this session that name none."""
        choice = await self._host.models.choose(model or "", name)
        self._defaults.provider, self._defaults.model = choice.provider, model or ""

    @export(example='llm.set_model("local:smollm2")')
    async def set_model(self, name: ModelName) -> Any:
        """Let a model answer the calls of this session that name none."""
        await self._host.models.choose(name, self._defaults.provider if ":" not in name else "")
        self._defaults.model = name
        if ":" in name:
            self._defaults.provider = ""

    @export(returns="tokens: integer", example='llm.count_tokens("How many?")')
    async def count_tokens(self, asked: Asked) -> Any:
        """Estimate the tokens of a text, messages or an options table."""
        if isinstance(asked, str):
            return self._host.models.count_tokens(asked)
        return self._host.models.count_tokens(request_of("llm.count_tokens", asked, None)[0])

    @export(returns="dollars: number?", example='llm.cost_estimate{prompt = "Hello", max_tokens = 100}')
    async def cost_estimate(self, prompt: Asked, options: OptionTable = None) -> Any:
        """Estimate what a question may cost at most, in US dollars; nil where no price is known."""
        request, provider, _ = request_of("llm.cost_estimate", prompt, options)
        request, provider = self._defaults.fill(request, provider)
        return await self._host.models.cost_estimate(request, provider=provider)

    async def _asked(
        self, function: str, prompt: Any, options: dict[str, Any] | None
    ) -> tuple[Request, str, Extras]:
        """What `request_of` reads, with the images and files of the question."""
        request, provider, extras = request_of(function, prompt, options)
        return await attach(self._host, function, request, extras), provider, extras

    async def _answer(self, function: str, prompt: Any, options: dict[str, Any] | None) -> Any:
        """A string for a string, a response table for anything else."""
        request, provider, extras = await self._asked(function, prompt, options)
        if extras.stream or extras.on_chunk:
            response = await self._stream(request, provider, extras.on_chunk)
        else:
            response = await self._host.models.complete(request, provider=provider)
        return response.content if isinstance(prompt, str) else plain_response(response)

    @property
    def _defaults(self) -> Defaults:
        """What the spell has set for this session; it counts for every question, agents' too."""
        if self._set is None:
            self._set = Defaults()
            self._host.models.intercept(self._set.around)
        return self._set

    async def _stream(self, request: Request, provider: str, on_chunk: CallbackRef | None) -> Response:
        """Hand each piece of text to `on_chunk`, or show it where it can grow in place, or print it."""
        surface = current_call.get().surface
        if on_chunk is None and Showing.of(surface) in (Showing.IN_PLACE, Showing.ONCE):
            return await shown_answer(self._host.models, request, provider, surface)

        async def hear(delta: Delta) -> bool:
            text = delta.text if isinstance(delta, TextDelta) else ""
            if not text:
                return False
            if on_chunk is not None:
                return any(value is not None for value in await self._host.invoke(on_chunk.id, text))
            surface.stream("stdout", text)
            return False

        response = await self._host.models.listen(request, hear, provider=provider)
        if on_chunk is None:
            surface.stream("stdout", "\n")
        return response


def plain_response(response: Response) -> dict[str, Any]:
    """A response as Lua gets it: ``content, model, provider, finish_reason, tool_calls, usage``."""
    return {
        "content": response.content,
        "model": response.model,
        "provider": response.provider,
        "finish_reason": response.finish_reason,
        "tool_calls": [msgspec.to_builtins(call) for call in response.tool_calls],
        "usage": plain_usage(response.usage),
    }
