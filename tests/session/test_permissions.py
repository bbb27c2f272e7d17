"""Grants in a session: what bridges ask for, what the person answers, what is remembered."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from llmspell_kernel.bridges.declaration import Bridge, export
from llmspell_kernel.errors import SpellError
from llmspell_kernel.kernel.magics import Magics
from llmspell_kernel.session.outcome import Failed, Succeeded

from .conftest import Notebook, Offer, Open, Recorder


class Powers(Bridge):
    """Needs grants."""

    module: ClassVar[str] = "powers"

    def __init__(self, host: Any) -> None:
        self._host = host

    @export()
    async def reach(self, url: str, twice: bool = False) -> str:
        """Reach a host, maybe in two steps."""
        target = await self._host.granted(lambda grants: grants.target(url), "powers.reach")
        if twice:
            await self._host.granted(lambda grants: grants.target(url), "powers.reach")
        return str(target)

    @export()
    async def variable(self, name: str) -> str:
        """Read a variable."""
        await self._host.require("env", name, "powers.variable")
        return name


@pytest.fixture
async def opened(open_notebook: Open, offer: Offer) -> Open:
    offer(Powers)
    return open_notebook


@pytest.fixture
async def asking(opened: Open) -> Notebook:
    return await opened()


REACH = "return pcall(powers.reach, 'https://example.org/x', true)"


async def test_what_is_granted_needs_no_question(opened: Open) -> None:
    notebook = await opened(grant_http="example.org")
    assert await notebook.value(REACH) == 'true\t"example.org:443"'
    assert notebook.last.asked == []


async def test_the_person_is_told_what_why_and_for_how_long(asking: Notebook) -> None:
    await asking.run(REACH, answers=["n"])
    (question,) = asking.last.asked
    assert question == (
        "HTTP to example.org:443 is not granted (powers.reach). "
        "Allow http: example.org? [n]o, [o]nce, for this [s]ession: "
    )


async def test_once_is_for_one_call(asking: Notebook) -> None:
    outcome = await asking.run(
        f"first = select(2, powers.reach('https://example.org/x', true)) {REACH}", answers=["o"]
    )
    assert len(asking.last.asked) == 2, outcome


async def test_for_this_session_is_remembered_past_undo_and_reset(asking: Notebook) -> None:
    await asking.run(REACH, answers=["s"])
    assert asking.last.asked
    await asking.session.undo()
    await asking.session.reset()
    assert await asking.value(REACH) == 'true\t"example.org:443"'
    assert asking.last.asked == []
    assert [(given.kind, given.value) for given in asking.session.permissions.given] == [
        ("http", "example.org")
    ]


async def test_a_refusal_is_not_asked_again_in_the_cell_and_a_loop_cannot_wear_the_person_down(
    asking: Notebook,
) -> None:
    await asking.run(f"for i = 1, 50 do (function() {REACH} end)() end", answers=["n"] * 50)
    assert len(asking.last.asked) == 1
    await asking.run("for i = 1, 50 do pcall(powers.variable, 'NAME_' .. i) end", answers=["no"] * 50)
    assert len(asking.last.asked) == 3
    await asking.run(REACH, answers=["n"])
    assert len(asking.last.asked) == 1


async def test_many_calls_at_once_ask_once(asking: Notebook) -> None:
    await asking.run(
        "local all = {} for i = 1, 5 do all[i] = async.spawn(powers.reach, 'https://example.org') end "
        "for i = 1, 5 do all[i]:await() end",
        answers=["s"],
    )
    assert len(asking.last.asked) == 1


async def test_without_a_person_the_error_names_the_grant_and_the_line(asking: Notebook) -> None:
    text = await asking.value(
        "local ok, err = pcall(powers.reach, 'https://example.org/x') return err.code, err.suggestion"
    )
    assert text is not None
    assert "missing_grant" in text
    assert 'http = [\\"example.org\\"]' in text
    assert "LLMSPELL_GRANT_HTTP=example.org" in text


@pytest.mark.parametrize("profile", ["strict", "trusted"])
async def test_only_the_standard_profile_asks(opened: Open, profile: str) -> None:
    notebook = await opened(profile=profile)
    await notebook.run(REACH, answers=["s"])
    assert notebook.last.asked == []


async def test_a_cell_narrows_and_only_the_person_widens_again(opened: Open) -> None:
    notebook = await opened(grant_http="example.org,example.com", grant_env="HOME")
    notebook.session.permissions.narrow({"http": []})
    assert await notebook.value("return powers.variable('HOME')") == '"HOME"'
    await notebook.run(REACH, answers=["n"])
    assert len(notebook.last.asked) == 1
    await notebook.run(REACH, answers=["s"])
    assert await notebook.value(REACH) == 'true\t"example.org:443"'
    await notebook.run("pcall(powers.reach, 'https://example.com')", answers=["n"])
    assert len(notebook.last.asked) == 1


async def test_a_task_that_outlives_its_cell_cannot_ask(asking: Notebook) -> None:
    await asking.run(
        "async.spawn(function() async.sleep(0.05) told = {powers.variable('NAME')} end)", answers=["s"]
    )
    first = asking.last
    await asking.run("async.sleep(0.15)", answers=["s"])
    assert (first.asked, asking.last.asked) == ([], [])


async def test_a_spell_looks_at_grants_and_gives_them_up(opened: Open) -> None:
    notebook = await opened(grant_http="example.org,example.com", grant_env="HOME", grant_files="read:.")
    has = (
        "return grants.has('http', 'https://example.org/x'), grants.has('env', 'HOME'), "
        "grants.has('files', 'read:a.txt'), grants.has('files', 'write:a.txt')"
    )
    assert await notebook.value(has) == "true\ttrue\ttrue\tfalse"
    await notebook.run("grants.only('http', {'example.com', 'example.net'}) grants.drop('env')")
    assert await notebook.value(has) == "false\tfalse\ttrue\tfalse"
    assert await notebook.value("grants.has('http', 'https://example.net')") == "false"
    await notebook.session.undo(2)
    assert await notebook.value(has) == "false\tfalse\ttrue\tfalse"
    assert notebook.last.asked == []


async def test_what_was_given_up_is_told_otherwise_than_what_was_never_granted(opened: Open) -> None:
    notebook = await opened(grant_http="example.org", grant_env="HOME")
    await notebook.run("grants.drop('http') grants.only('env', {'LANG'})")
    code = "local _, err = pcall(powers.{}) return err.suggestion"
    for call in ("reach, 'https://example.org/'", "variable, 'HOME'"):
        assert "took it away; see %grants" in str(await notebook.value(code.format(call)))
    for call in ("reach, 'https://example.com/'", "variable, 'USER'"):
        assert "to allow it, add" in str(await notebook.value(code.format(call)))


async def test_the_magic_shows_grants_and_their_sources(opened: Open) -> None:
    notebook = await opened(grant_http="example.org")
    magics = Magics(notebook.session)
    await notebook.run("powers.variable('LANGUAGE')", answers=["s"])
    outcome = await magics.run("%grants --drop http", Recorder(), "cell 2")
    assert isinstance(outcome, Succeeded)
    assert outcome.bundle is not None
    assert [line.split() for line in outcome.bundle["text/plain"].splitlines()] == [
        ["http", "example.org", "LLMSPELL_GRANT_HTTP"],
        ["files", "none", "default"],
        ["env", "none", "default"],
        ["tools", "*", "profile", "standard"],
        ["mcp", "none", "default"],
        ["providers", "*", "profile", "standard"],
        ["env", "LANGUAGE", "you,", "for", "this", "session", "(powers.variable)"],
        ["http", "nothing", "given", "up", "in", "a", "cell"],
        ["profile", "standard:", "you", "are", "asked", "for", "what", "is", "missing"],
    ]
    for wrong in (
        "%grants --drop",
        "%grants --only http",
        "%grants --drop power",
        "%grants more",
        "%grants '",
    ):
        with pytest.raises(SpellError):
            await magics.run(wrong, Recorder(), "cell 3")


async def test_a_provider_that_is_not_granted_is_not_asked(opened: Open) -> None:
    notebook = await opened(profile="strict", OPENAI_API_KEY="sk-test-000000000000")
    outcome = await notebook.run("llm.chat('hello', {model = 'openai:gpt-5'})")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == "the model provider openai is not granted"
    assert "LLMSPELL_GRANT_PROVIDERS=openai" in outcome.problem.traceback[-1]
