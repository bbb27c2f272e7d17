"""`http` and `auth` from a cell, against a real server on loopback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from llmspell_kernel.bridges import http_client
from llmspell_kernel.session.outcome import Interrupted

from .web_server import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Notebook, Open


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as running:
        yield running


@pytest.fixture
async def cell(open_notebook: Open, web: WebServer) -> Notebook:
    """A notebook that may ask the server, whose URL is in `url`."""
    notebook = await open_notebook(grant_http=f"127.0.0.1:{web.port}", http_max_bytes="100000")
    await notebook.value(f"url = '{web.url}';")
    return notebook


def resolving(monkeypatch: pytest.MonkeyPatch, **names: list[str]) -> None:
    """Let names lead to addresses; `_` stands for a dot."""

    async def resolve(target: Any) -> list[str]:
        return names[target.host.replace(".", "_")]

    monkeypatch.setattr(http_client, "_resolve", resolve)


REQUESTS = [
    ("http.get(url)", {"method": "GET", "path": "/", "body": ""}),
    ("http.get(url .. '/echo?a=1', {['X-One'] = 'é'})", {"x-one": "Ã©"}),
    ("http.request(url)", {"method": "GET"}),
    ("http.post(url, 'text', {['Content-Type'] = 'text/x'})", {"body": "text", "content-type": "text/x"}),
    ("http.post(url, {n = 1})", {"body": '{"n":1}', "content-type": "application/json"}),
    ("http.post(url)", {"method": "POST", "body": ""}),
    ("http.put(url, 'x')", {"method": "PUT", "body": "x"}),
    ("http.patch(url)", {"method": "PATCH", "content-length": "0"}),
    ("http.delete(url)", {"method": "DELETE"}),
    ("http.request{url = url, json = json.array()}", {"method": "POST", "body": "[]"}),
    ("http.request{url = url, form = {b = 'x y', a = {1, 2}}}", {"body": "a=1&a=2&b=x%20y"}),
    ("http.request{url = url .. '/echo#f', query = {q = '&'}}", {"path": "/echo?q=%26"}),
    ("http.request{url = url, method = 'post', body = '\\xff\\0'}", {"body": "\xff\0"}),
    ("http.request{url = url, body = 5}", {"method": "POST", "body": "5"}),
    ("http.get(url, {A = ' a\\tb '})", {"a": "a\tb"}),
    ("http.get((url:gsub('127', '0177')))", {"path": "/"}),
    ("http.get((url:gsub('127', '①②⑦')) .. '/echo?ü')", {"path": "/echo?%C3%BC"}),
]  # fmt: skip


async def test_requests_arrive_as_they_were_meant(cell: Notebook, web: WebServer) -> None:
    for code, expected in REQUESTS:
        assert await cell.value(f"local r = assert({code}) return r.status, r.ok, type(r:json())") == (
            '200\ttrue\t"table"'
        )
        seen = web.seen[-1] | web.seen[-1]["headers"]
        assert {key: seen[key] for key in expected} == expected, code


async def test_headers_of_an_answer_are_found_in_any_case(cell: Notebook) -> None:
    code = "local h = http.get(url).headers return h['Content-Type'], h['X-TWICE'], h.other, h[1], rawget(h, 'x-twice')"
    assert await cell.value(code) == '"application/json"\t"a"\tnil\tnil\t"a"'
    code = "local r = http.response{headers = {['X-One'] = '1'}} return r.headers['x-one'], json.encode(r.headers)"
    assert await cell.value(code) == '"1"\t"{\\"x-one\\":\\"1\\"}"'


async def test_answers_arrive_whatever_their_status(cell: Notebook) -> None:
    code = "local r = http.get(url .. '/nothing') return r.status, r.ok, r.body, r.reason"
    assert await cell.value(code) == '404\tfalse\t"no such page"\t"Not Found"'
    assert await cell.value("http.head(url).body, http.get(url).headers['x-twice']") == '""\t"a"'
    assert "not JSON" in str(await cell.value("http.get(url .. '/nothing'):json()"))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/large", "too large"),
        ("/bomb", "too large"),
        ("/broken", "cannot be unpacked"),
        ("/drop", "ended the connection before its answer was whole"),
        ("/cut", "cannot be unpacked"),
        ("/strange", "does not answer as HTTP servers do"),
        ("/short", "ended the connection before its answer was whole"),
        ("/redirect/302/http://[", "redirects to 'http://[': not a"),
        ("/redirect/302/file:///etc/passwd", "redirects to 'file:///etc/passwd': a URL starts with http://"),
        ("/redirect/302/http://u:p@127.0.0.1/", "a URL holds no user name or password"),
    ],
)
async def test_what_fails_in_the_world_is_returned(cell: Notebook, path: str, shown: str) -> None:
    assert shown in str(await cell.value(f"local r, err = http.get(url .. '{path}') return r, err.message"))


async def test_options_that_it_does_not_take_are_warned_of_once(cell: Notebook) -> None:
    code = "for _ = 1, 2 do r = http.request{url = url .. '/echo', timout = 1} end return r.status"
    assert await cell.value(code) == "200"
    assert cell.last.err == "warning: 'http.request' has no option 'timout': did you mean 'timeout'?\n"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("http.request{}", "'http.request' needs a 'url'"),
        ("http.request{url = url, timeout = -1}", "bad option 'timeout' to 'http.request'"),
        ("http.request{url = url, method = 'TRACE'}", "bad option 'method'"),
        ("http.get(url, {Host = 'other'})", "the header 'Host' cannot be set"),
        ("http.get(url, {A = 'x\\r\\nB: y'})", "characters that a header cannot"),
        ("http.get(url, {A = print})", "A: string expected"),
        (
            "http.get(url, {timeout = 5})",
            "#2 to 'http.get' (headers expected; 'timeout' is an option of http.request)",
        ),
        ("http.post(url, '', {json = {}})", "#3 to 'http.post' (headers expected; 'json' is an option"),
        ("http.get(url, {['A B'] = 'x'})", "the header 'A B' holds characters that a header cannot"),
        ("http.get(url, {A = '\\xff'})", "the header 'A' is no text in UTF-8"),
        ("http.get(url .. '\\xff')", "'http.get': a URL is text in UTF-8"),
        ("http.get('http://127.0.0.1:x/')", "its port a number from 1 to 65535"),
        ("http.get('http://127.0.0.1:0/')", "its port a number from 1 to 65535"),
        ("http.request{url = url, method = ''}", "bad option 'method'"),
        ("http.request{url = url, body = '1', json = 2}", "sends 'body' or 'json', not both"),
        ("http.request{url = url, body = true}", "string or table expected"),
        ("http.response{body = {}}", "bad option 'body' to 'http.response' (string expected, got table)"),
        ("http.get('file:///etc/passwd')", "http:// or https://"),
        ("http.get('http://user:pw@127.0.0.1/')", "user name or password"),
        ("http.get('http://169.254.169.254/latest/meta-data')", "169.254.169.254"),
        ("http.get('http://127.0.0.1:1/')", "is not granted"),
        ("http.get('http://[::1]/')", "is not granted"),
        ("http.get('http://0x7f000001/')", "127.0.0.1"),
        ("http.get('http://example.org/')", "is not granted"),
    ],
)
async def test_misuse_and_what_is_not_granted_raise(cell: Notebook, code: str, problem: str) -> None:
    shown = str(
        await cell.value(f"local ok, err = pcall(function() return {code} end) return ok, tostring(err)")
    )
    assert shown.startswith("false")
    assert problem in shown


async def test_redirects_are_checked_and_leave_credentials_behind(
    cell: Notebook, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WebServer() as other:
        shown = await cell.value(
            f"local ok, err = pcall(http.get, url .. '/redirect/302/{other.url}/') return err.code, err.message"
        )
        assert "missing_grant" in str(shown)
        assert str(other.port) in str(shown)
        assert other.seen == []
    code = "http.request{url = url .. '/redirect/303/' .. url .. '/echo', json = {1}, headers = {X = '1'}}:json()"
    assert await cell.value(
        f"local r = {code} return r.method, r.body, r.headers.x, r.headers['content-type']"
    ) == ('"GET"\t""\t"1"\tnil')
    code = "http.request{url = url .. '/redirect/307/' .. url .. '/echo', json = {1}}:json()"
    assert await cell.value(f"local r = {code} return r.method, r.body") == '"POST"\t"[1]"'


async def test_loops_of_redirects_end(open_notebook: Open, web: WebServer) -> None:
    cell = await open_notebook(grant_http=f"127.0.0.1:{web.port}", http_redirects="2")
    chain = f"{web.url}/redirect/302/" * 4
    code = f"local r, err = http.get('{chain}') return err.code, err.message, err.suggestion"
    shown = str(await cell.value(code))
    assert "redirects more than 2 times, the last time to http://127.0.0.1" in shown
    assert "http.redirects allows more" in shown
    assert len(web.seen) == 3


async def test_a_name_that_leads_inside_is_refused(
    open_notebook: Open, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, evil_test=["127.0.0.1"])
    cell = await open_notebook(grant_http=f"evil.test:{web.port}")
    shown = await cell.value(f"select(2, pcall(http.get, 'http://evil.test:{web.port}/')).message")
    assert "its name leads to 127.0.0.1" in str(shown)
    assert web.seen == []


async def test_the_connection_goes_to_the_address_that_was_checked(
    open_notebook: Open, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, good_test=["127.0.0.2", "127.0.0.1"])  # nobody listens at the first
    cell = await open_notebook(grant_http=f"good.test:{web.port},127.0.0.0/8:{web.port}")
    code = f"http.get('http://good.test:{web.port}/x?y=1')"
    assert await cell.value(f"{code}.status") == "404"
    assert web.seen[-1]["headers"]["host"] == f"good.test:{web.port}"


async def test_proxies_of_the_environment(
    open_notebook: Open, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, named_test=["93.184.216.34"], bad_test=["10.0.0.1"], direct_test=["127.0.0.1"])
    grants = f"named.test,bad.test,direct.test:{web.port},127.0.0.1:{web.port}"
    cell = await open_notebook(grant_http=grants, HTTP_PROXY=web.url, NO_PROXY="x.test, .direct.test")
    assert await cell.value("http.get('http://named.test/echo').status") == "200"
    assert web.seen[-1]["path"] == "http://named.test/echo"
    assert "leads to 10.0.0.1" in str(
        await cell.value("select(2, pcall(http.get, 'http://bad.test/')).message")
    )
    assert await cell.value(f"http.get('http://direct.test:{web.port}/echo').status") == "200"
    assert web.seen[-1]["path"] == "/echo"


@pytest.mark.parametrize(
    ("proxy", "problem"),
    [
        ("foo://bar", "it is no URL of an http, https or socks5 proxy"),
        ("http://127.0.0.1:1", "no connection to named.test:80 through the proxy: Connection refused"),
        ("http://[bad", "through the proxy: its name cannot be resolved"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_told(
    open_notebook: Open, monkeypatch: pytest.MonkeyPatch, proxy: str, problem: str
) -> None:
    resolving(monkeypatch, named_test=["93.184.216.34"])
    cell = await open_notebook(grant_http="named.test", HTTP_PROXY=proxy)
    assert problem in str(await cell.value("select(2, http.get('http://named.test/')).message"))


async def test_the_password_of_a_proxy_is_hidden(
    open_notebook: Open, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, named_test=["93.184.216.34"])
    cell = await open_notebook(
        grant_http="named.test", HTTP_PROXY=f"http://me:p%40ss-word@127.0.0.1:{web.port}"
    )
    body = str(await cell.value("http.get('http://named.test/echo?p@ss-word').body"))
    assert web.seen[-1]["headers"]["proxy-authorization"] == "Basic bWU6cEBzcy13b3Jk"
    assert "Basic [secret]" in body
    assert "ss-word" not in body


async def test_waiting_for_other_requests_takes_of_the_time(
    open_notebook: Open, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "_AT_ONCE", 1)
    cell = await open_notebook(grant_http=f"127.0.0.1:{web.port}")
    code = f"""
    local first = async(function() return http.get('{web.url}/hang') end)
    async.sleep(0.01)
    local r, err = http.request{{ url = '{web.url}', timeout = 0.2 }}
    first:cancel()
    return err.code, http.get('{web.url}').status"""
    assert await asyncio.wait_for(cell.value(code), 20) == '"timeout"\t200'


async def test_finding_a_name_takes_of_the_time(open_notebook: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_target: Any) -> list[str]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(http_client, "_resolve", resolve)
    cell = await open_notebook(grant_http="slow.test")
    code = (
        "local r, err = http.request{url = 'http://slow.test/', timeout = 0.2} return err.code, err.retryable"
    )
    assert await asyncio.wait_for(cell.value(code), 30) == '"timeout"\ttrue'


async def test_why_there_is_no_connection_is_told_in_the_words_of_the_system(open_notebook: Open) -> None:
    with WebServer() as gone:
        port = gone.port
    cell = await open_notebook(grant_http=f"127.0.0.1:{port}")
    code = f"local r, err = http.get('http://127.0.0.1:{port}/') return err.message, err.retryable"
    assert await cell.value(code) == f'"no connection to 127.0.0.1:{port}: Connection refused"\ttrue'


async def test_time_is_limited(cell: Notebook, web: WebServer) -> None:
    code = "local r, err = http.request{url = url .. '/hang', timeout = 0.2} return err.code, err.retryable"
    assert await cell.value(code) == '"timeout"\ttrue'
    assert await asyncio.to_thread(web.gone.wait, 20)


async def test_requests_go_on_side_by_side(cell: Notebook) -> None:
    code = """
    local jobs = {}
    for n = 1, 20 do jobs[n] = async(function() return http.get(url .. '/meet').body end) end
    for n = 1, 20 do assert(async.await(jobs[n]) == 'at last') end"""
    await cell.value(code)


async def test_a_task_that_waits_for_an_answer_is_listed_as_the_person_called_it(
    cell: Notebook, web: WebServer
) -> None:
    code = """
    local jobs = {
      async(function() local r = http.get(url .. '/hang') return r end),
      async(function() local value = state.load('s', 'k') return value end),
      async(function() return http.get(url .. '/hang') end),
    }
    async.yield()
    local listed = async.tasks()
    for _, job in ipairs(jobs) do job:cancel() end
    return listed[1].waiting_for, listed[2].waiting_for, listed[3].waiting_for"""
    assert await cell.value(code) == '"http.get"\t"state.load"\t"an answer"'


async def test_an_interrupt_ends_the_connection(cell: Notebook, web: WebServer) -> None:
    running = asyncio.create_task(cell.run("http.get(url .. '/hang')"))
    while not any(seen["path"] == "/hang" for seen in web.seen):
        await asyncio.sleep(0.01)
    cell.session.interrupt()
    assert isinstance(await running, Interrupted)
    assert await asyncio.to_thread(web.gone.wait, 20)


# ── auth ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def keyed(open_notebook: Open, web: WebServer, tmp_path: Path) -> Notebook:
    """A notebook with secrets, one of which may go to the server."""
    (tmp_path / "config.toml").write_text(f"""
[secrets.KEY]
env = "MY_KEY"
hosts = ["127.0.0.1:{web.port}"]
[secrets.CLIENT]
env = "MY_CLIENT"
hosts = ["127.0.0.1:{web.port}"]
[secrets.ELSEWHERE]
env = "MY_KEY"
hosts = ["example.org"]
[secrets.ODD]
value = "a+b/c=\\"é&x"
hosts = ["127.0.0.1:{web.port}"]
[secrets.BROKEN]
value = "line one\\nline two"
hosts = ["127.0.0.1:{web.port}"]
[secrets.UNSET]
env = "NOT_THERE"
hosts = ["127.0.0.1:{web.port}"]
""")
    environ = {"MY_KEY": "my-key-value-123", "MY_CLIENT": "client-secret-value"}
    notebook = await open_notebook(grant_http=f"127.0.0.1:{web.port},named.test:{web.port}", **environ)
    await notebook.value(f"url = '{web.url}';")
    return notebook


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ("auth = auth.bearer('KEY')", "authorization", "Bearer my-key-value-123"),
        ("auth = auth.basic('ada', 'KEY')", "authorization", "Basic YWRhOm15LWtleS12YWx1ZS0xMjM="),
        ("auth = auth.api_key('KEY')", "x-api-key", "my-key-value-123"),
        ("auth = auth.api_key('KEY', {header = 'X-Other'})", "x-other", "my-key-value-123"),
        ("headers = {Authorization = auth.bearer('KEY')}", "authorization", "Bearer my-key-value-123"),
        ("headers = {['X-Mine'] = auth.api_key('KEY')}", "x-mine", "my-key-value-123"),
    ],
)
async def test_secrets_are_sent_and_never_seen(
    keyed: Notebook, web: WebServer, options: str, header: str, value: str
) -> None:
    body = str(await keyed.value(f"http.request{{url = url, {options}}}.body"))
    assert web.seen[-1]["headers"][header] == value
    assert "my-key-value-123" not in body
    assert value.removeprefix("Basic ") not in body
    assert "[secret]" in body


async def test_a_key_in_the_url_is_not_told(keyed: Notebook, web: WebServer) -> None:
    code = "local r = http.request{url = url .. '/echo?a=1', auth = auth.api_key('KEY', {query = 'key'})}"
    assert await keyed.value(f"{code} return r.url") == f'"{web.url}/echo?a=1"'
    assert web.seen[-1]["path"] == "/echo?a=1&key=my-key-value-123"


@pytest.mark.parametrize(
    "options",
    [
        "auth = auth.bearer('ODD')",
        "auth = auth.api_key('ODD', {query = 'k'})",
        "auth = auth.basic('u', 'ODD')",
    ],
)
async def test_a_secret_is_hidden_however_the_server_repeats_it(keyed: Notebook, options: str) -> None:
    body = str(await keyed.value(f"http.request{{url = url, {options}}}.body"))
    assert "[secret]" in body
    assert not any(part in body for part in ("a+b", "a%2B", "a%2b", "=\\\\"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("auth = auth.bearer('BROKEN')", "the secret for the header 'Authorization' holds characters"),
        ("headers = {authorization = 'x'}, auth = auth.bearer('KEY')", "'Authorization' is given twice"),
        ("auth = auth.api_key('KEY', {header = 'Host'})", "the header 'Host' cannot be set"),
        ("auth = auth.api_key('KEY', {header = 'X\\r\\nY'})", "the header 'X\\\\r\\\\nY' holds characters"),
    ],
)
async def test_a_credential_that_cannot_be_sent_is_told_without_its_secret(
    keyed: Notebook, web: WebServer, options: str, problem: str
) -> None:
    shown = str(await keyed.value(f"pcall(http.request, {{url = url, {options}}})"))
    assert problem in shown
    assert "line one" not in shown
    assert "my-key" not in shown
    assert web.seen == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ELSEWHERE", "the secret ELSEWHERE may not be sent to 127.0.0.1"),
        ("NOBODY", "there is no secret named NOBODY"),
        ("MY_KEY", "there is no secret named MY_KEY"),
        ("UNSET", "the secret UNSET is not set"),
    ],
)
async def test_secrets_go_to_their_hosts_alone(
    keyed: Notebook, web: WebServer, name: str, problem: str
) -> None:
    code = f"local ok, err, more = pcall(http.request, {{url = url, auth = auth.bearer('{name}')}})"
    assert problem in str(await keyed.value(f"{code} return tostring(more or err)"))
    assert web.seen == []


async def test_secrets_do_not_follow_redirects_elsewhere(
    keyed: Notebook, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, named_test=["127.0.0.1"])
    where = f"/redirect/302/http://named.test:{web.port}/echo"
    await keyed.value(f"http.request{{url = url .. '{where}', auth = auth.bearer('KEY')}};")
    assert web.seen[0]["headers"]["authorization"] == "Bearer my-key-value-123"
    assert web.seen[-1]["headers"]["host"] == f"named.test:{web.port}"
    assert "authorization" not in web.seen[-1]["headers"]


async def test_oauth2_tokens_are_asked_for_once(keyed: Notebook, web: WebServer) -> None:
    code = """
    local token = auth.oauth2{token_url = url .. '/token', client_id = 'me', secret = 'CLIENT', scope = 'a b'}
    local jobs = {}
    for n = 1, 3 do jobs[n] = async(function() return http.request{url = url, auth = token}.body end) end
    return async.await(jobs[1]) .. async.await(jobs[2]) .. async.await(jobs[3])"""
    shown = str(await keyed.value(code))
    assert "token-abcdef" not in shown
    asked = [seen for seen in web.seen if seen["path"] == "/token"]
    assert [seen["body"] for seen in asked] == ["grant_type=client_credentials&scope=a+b"]
    assert [s["headers"]["authorization"] for s in web.seen if s["path"] == "/"] == [
        "Bearer token-abcdef"
    ] * 3


async def test_an_oauth2_server_that_refuses_is_told(keyed: Notebook) -> None:
    code = "auth.oauth2{token_url = url .. '/token', client_id = 'you', secret = 'CLIENT'}"
    shown = await keyed.value(f"select(2, http.request{{url = url, auth = {code}}}).message")
    assert "/token answered with status 401 (invalid_client)" in str(shown)


async def test_a_variable_that_holds_a_secret_is_granted_by_its_own_name_alone(
    open_notebook: Open, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('[secrets.WEATHER]\nenv = "WEATHER"\nhosts = ["example.org"]\n')
    environ = {"WEATHER": "weather-secret-99", "PLAIN": "plain"}
    cell = await open_notebook(grant_env="*", **environ)
    assert await cell.value("os.getenv('WEATHER'), os.getenv('PLAIN')") == 'nil\t"plain"'
    assert "WEATHER is not granted" in cell.last.err
    cell = await open_notebook(grant_env="*,WEATHER", **environ)
    assert await cell.value("os.getenv('WEATHER')") == '"weather-secret-99"'


async def test_references_are_data(keyed: Notebook) -> None:
    assert await keyed.value("tostring(auth.basic('u', 'KEY'))") == '"credential: basic KEY"'
    for wrong in ("{x = 1}", "'KEY'", "{['$auth'] = 'other', secret = 'KEY'}"):
        shown = str(await keyed.value(f"pcall(http.request, {{url = url, auth = {wrong}}})"))
        assert "the option 'auth' is no credential, such as auth.bearer makes\"" in shown
    assert "a user's name holds no ':'" in str(await keyed.value("pcall(auth.basic, 'a:b', 'KEY')"))
    assert "needs 'token_url'" in str(await keyed.value("pcall(auth.oauth2, {})"))
    shown = await keyed.value("local l = auth.list() return #l, l[2].name, l[2].set, l[6].set, l[3].hosts[1]")
    assert shown == '6\t"CLIENT"\ttrue\tfalse\t"example.org"'


async def test_an_answer_reads_as_its_body_and_is_shown_with_its_status(keyed: Notebook) -> None:
    fields = "status = 404, reason = 'Not Found', headers = {['content-type'] = 'text/plain'}, body = 'gone'"
    await keyed.value(f"r = http.response{{{fields}}}")
    code = "return #r, 'It is ' .. r, ('%s!'):format(r), r:upper(), r.status, r.nothing"
    assert await keyed.value(code) == '4\t"It is gone"\t"gone!"\t"GONE"\t404\tnil'
    assert await keyed.value("return r") == "404 Not Found, text/plain, 4 bytes\ngone"
    shown = str(await keyed.value("return http.response{body = ('ä'):rep(1500)}"))
    assert shown.startswith("200, 3000 bytes\nää")
    assert shown.endswith("ä...")
    assert await keyed.value("return http.response{body = '\\xff\\0'}") == "200, 2 bytes"
