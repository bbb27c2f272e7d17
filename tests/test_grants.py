"""Grants: what a session may do, attacked."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmspell_kernel.errors import BadArgument, MissingGrant, NotFound, SpellError, WorldError
from llmspell_kernel.grants import CAN_WALK, Grants, folders, is_secret_name, normal_entry
from llmspell_kernel.grants.hosts import canonical_host, is_public, to_address

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and pipes as POSIX has them")


def http(*entries: str) -> Grants:
    return Grants.of(Path(), {"http": entries})


def allowed(grants: Grants, url: str) -> bool:
    try:
        grants.target(url)
    except MissingGrant:
        return False
    return True


# Hosts


@pytest.mark.parametrize(
    ("entry", "url", "expected"),
    [
        ("example.org", "https://example.org/a?b#c", True),
        ("example.org", "http://EXAMPLE.org.", True),
        ("example.org", "https://example.org:443/", True),
        ("example.org", "https://example.org:8443/", False),
        ("example.org", "https://www.example.org/", False),
        ("example.org", "https://example.org.evil.net/", False),
        ("example.org", "https://notexample.org/", False),
        ("example.org:8080", "http://example.org:8080/", True),
        ("example.org:8080", "http://example.org/", False),
        ("example.org:*", "http://example.org:8080/", True),
        ("*.example.org", "https://a.b.example.org/", True),
        ("*.example.org", "https://example.org/", False),
        ("*.example.org", "https://evilexample.org/", False),
        ("*", "https://anything.net/", True),
        ("*", "https://anything.net:81/", False),
        ("*:*", "https://anything.net:81/", True),
        ("*", "https://93.184.216.34/", True),
        ("example.org", "https://93.184.216.34/", False),
        ("bücher.example", "https://BÜCHER.example/", True),
        ("xn--bcher-kva.example", "https://bücher.example/", True),
        ("127.0.0.1:*", "http://127.0.0.1:11434/", True),
        ("127.0.0.1:*", "http://localhost:11434/", True),
        ("127.0.0.1:*", "http://127.0.0.2:11434/", False),
        ("127.0.0.1", "http://127.0.0.1:11434/", False),
        ("localhost:8000", "http://localhost:8000/", True),
        ("localhost:8000", "http://127.0.0.1:8000/", True),
        ("localhost:8000", "http://[::1]:8000/", True),
        ("localhost:8000", "http://10.0.0.1:8000/", False),
        ("[::1]:8000", "http://[::1]:8000/", True),
        ("[::1]:8000", "http://[0:0:0:0:0:0:0:1]:8000/", True),
        ("10.0.0.0/8:*", "http://10.1.2.3:5000/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("169.254.169.254", "http://169.254.169.254/latest/", True),
    ],
)
def test_an_http_entry_covers_what_it_says_and_no_more(entry: str, url: str, expected: bool) -> None:
    assert allowed(http(entry), url) is expected


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "１２７.0.0.1",
        "127。0。0。1",
        "0.0.0.0",
        "0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "168.63.129.16",
        "192.0.0.192",
        "192.88.99.1",
        "[fec0::1]",
        "[64:ff9b:1::7f00:1]",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
        "[fe80::1]",
        "[fc00::1]",
        "[ff02::1]",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
    ],
)
def test_a_wildcard_never_covers_this_machine_or_a_private_network(host: str) -> None:
    assert not allowed(http("*:*"), f"http://{host}/")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_public_addresses_are_public(address: str) -> None:
    found = to_address(address)
    assert found is not None
    assert is_public(found)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/",
        "example.org",
        "",
        "http://",
        "http:///path",
        "http://example.org@127.0.0.1/",
        "http://user:secret@example.org/",
        "http://example.org\\@127.0.0.1/",
        "http://127.0.0.1\\.example.org/",
        "http://example.org /",
        "http://exam\nple.org/",
        "http://exam\tple.org/",
        "http://example.org\x00.evil.net/",
        "http://example.org:99999/",
        "http://example.org:0x50/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://a..b/",
        "http://-a.org/",
        "http://ex%61mple.org/",
        "http://1.2.3.4.5/",
        "http://1.2.3.999/",
        "http://" + "a" * 64 + ".org/",
        "http://" + "a." * 130 + "org/",
        "http://example.org\u202e/",
    ],
)
def test_a_url_that_two_parsers_may_read_differently_is_refused(url: str) -> None:
    with pytest.raises(BadArgument):
        http("*:*", "localhost:*", "0.0.0.0/0:*").target(url)


def test_a_granted_name_that_leads_to_a_private_address_is_refused() -> None:
    grants = http("example.org")
    target = grants.target("https://example.org/")
    assert grants.addresses(target, ["93.184.216.34"]) == ("93.184.216.34",)
    for rebound in ("127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"):
        with pytest.raises(MissingGrant, match="its name leads to"):
            grants.addresses(target, [rebound])


def test_only_the_granted_addresses_of_a_name_are_returned() -> None:
    grants = http("example.org", "10.0.0.0/8")
    target = grants.target("https://example.org/")
    assert grants.addresses(target, ["127.0.0.1", "10.0.0.7", "93.184.216.34", "nonsense"]) == (
        "10.0.0.7",
        "93.184.216.34",
    )
    assert grants.addresses(target, []) == ()


def test_a_granted_loopback_address_does_not_open_the_other_one() -> None:
    grants = http("127.0.0.1:*")
    target = grants.target("http://localhost:8000/")
    assert grants.addresses(target, ["::1", "127.0.0.1"]) == ("127.0.0.1",)


def test_the_target_is_the_spelling_that_was_checked() -> None:
    grants = http("*", "127.0.0.1:*", "[::1]:*")
    assert str(grants.target("HTTPS://Example.ORG./x")) == "example.org:443"
    assert str(grants.target("http://0x7f.1:8000")) == "127.0.0.1:8000"
    assert str(grants.target("http://[0::1]:8000")) == "[::1]:8000"


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("https://example.org/secret?token=1", 'http = ["example.org"]'),
        ("http://example.org:8080/", 'http = ["example.org:8080"]'),
        ("http://[::1]:5000/", 'http = ["[::1]:5000"]'),
    ],
)
def test_a_refused_host_names_the_line_which_then_grants_it(url: str, line: str) -> None:
    grants = http()
    with pytest.raises(MissingGrant) as caught:
        grants.target(url)
    assert caught.value.line == line
    assert "LLMSPELL_GRANT_HTTP=" in (caught.value.suggestion or "")
    assert "token" not in str(caught.value.fields())
    assert grants.plus("http", caught.value.value).target(url)


@pytest.mark.parametrize(
    "entry", ["", "http://example.org", "a b", "example.org:http", "[::1", "1.2.3.4/99", "*.1.2.3.4", "a:0"]
)
def test_a_malformed_http_entry_says_what_to_write(entry: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        normal_entry("http", entry, Path())


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_no_host_text_breaks_the_reader(text: str) -> None:
    try:
        host = canonical_host(text)
    except BadArgument:
        return
    assert canonical_host(host) == host


@given(st.integers(0, 2**32 - 1))
def test_every_way_to_write_an_address_is_the_same_address(number: int) -> None:
    usual = socket.inet_ntoa(number.to_bytes(4, "big"))
    assert {canonical_host(form) for form in (usual, str(number), hex(number), usual + ".")} == {usual}


# Folders


@pytest.fixture
def area(tmp_path: Path) -> Path:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    (tmp_path / "data" / "deep" / "b.txt").write_text("b")
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path


def files(area: Path, *entries: str, sealed: tuple[Path, ...] = ()) -> Grants:
    return Grants.of(area, {"files": entries}, sealed=sealed)


def content(grants: Grants, path: str) -> str:
    with os.fdopen(grants.locate(path).open()) as file:
        return file.read()


@pytest.mark.parametrize("path", ["data/a.txt", "./data/../data/a.txt", "data//a.txt", "data/deep/../a.txt"])
def test_a_granted_folder_can_be_read_at_any_depth(area: Path, path: str) -> None:
    grants = files(area, "read:./data")
    assert content(grants, path) == "a"
    assert content(grants, str(area / "data/deep/b.txt")) == "b"


@pytest.mark.parametrize(
    "path",
    [
        "secret.txt",
        "data/../secret.txt",
        "data/deep/../../secret.txt",
        "../" * 30 + "etc/passwd",
        "/etc/passwd",
        "data/../../" + "x",
        "database.txt",
        ".",
        "..",
        "~/.bashrc",
    ],
)
def test_a_path_outside_is_refused(area: Path, path: str) -> None:
    grants = files(area, "read:./data")
    with pytest.raises(MissingGrant):
        grants.locate(path)


@pytest.mark.parametrize("path", ["", "data/a.txt\0.png", "\0"])
def test_what_is_no_path_is_refused(area: Path, path: str) -> None:
    with pytest.raises(BadArgument):
        files(area, "write:.").locate(path)


def test_reading_is_not_writing(area: Path) -> None:
    grants = files(area, "read:./data", "write:./out")
    with pytest.raises(MissingGrant, match=r"writing to data/a\.txt"):
        grants.locate("data/a.txt", write=True)
    with pytest.raises(BadArgument, match="located for reading"):
        grants.locate("data/a.txt").open(os.O_WRONLY | os.O_TRUNC)
    assert (area / "data/a.txt").read_text() == "a"


def test_a_folder_granted_for_writing_can_be_read_too(area: Path) -> None:
    grants = files(area, "write:./out")
    fd = grants.locate("out/new.txt", write=True).open(os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"long text")
    os.close(fd)
    assert content(grants, "out/new.txt") == "long text"
    os.close(grants.locate("out/new.txt", write=True).open(os.O_WRONLY | os.O_TRUNC))
    assert (area / "out/new.txt").read_text() == ""


def test_a_link_that_leads_out_is_refused_without_telling_where(area: Path) -> None:
    (area / "data/link").symlink_to(area / "secret.txt")
    (area / "data/up").symlink_to("..")
    grants = files(area, "read:./data")
    for path in ("data/link", "data/up/secret.txt"):
        with pytest.raises(MissingGrant, match="which leads elsewhere") as caught:
            grants.locate(path)
        assert caught.value.value == f"read:{area / 'secret.txt'}"
        assert "secret.txt" not in str(caught.value.fields()).replace(path, "")


def test_a_link_that_stays_inside_works(area: Path) -> None:
    (area / "data/link").symlink_to("deep/b.txt")
    (area / "data/again").symlink_to(area / "data" / "deep")
    grants = files(area, "read:./data")
    assert content(grants, "data/link") == "b"
    assert content(grants, "data/again/b.txt") == "b"


def test_a_root_that_is_a_link_means_what_it_led_to_when_it_was_granted(area: Path) -> None:
    (area / "shortcut").symlink_to(area / "data")
    grants = files(area, "read:./shortcut")
    assert content(grants, "shortcut/a.txt") == "a"
    (area / "shortcut").unlink()
    (area / "shortcut").symlink_to(area)
    with pytest.raises(MissingGrant):
        grants.locate("shortcut/secret.txt")


def test_a_circle_of_links_is_an_error_not_a_loop(area: Path) -> None:
    (area / "data/x").symlink_to("y")
    (area / "data/y").symlink_to("x")
    with pytest.raises(SpellError):
        content(files(area, "read:./data"), "data/x")


@pytest.mark.skipif(not CAN_WALK, reason="this platform opens by path alone")
def test_a_link_put_in_place_after_the_check_is_not_followed(area: Path) -> None:
    grants = files(area, "write:./data")
    last = grants.locate("data/a.txt", write=True)
    middle = grants.locate("data/deep/b.txt", write=True)
    (area / "data/a.txt").unlink()
    (area / "data/a.txt").symlink_to(area / "secret.txt")
    (area / "data/deep").rename(area / "elsewhere")
    (area / "data/deep").symlink_to(area / "elsewhere")
    for place in (last, middle):
        with pytest.raises(WorldError):
            place.open(os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    with pytest.raises(WorldError), middle.parent() as (folder, name):
        os.unlink(name, dir_fd=folder)
    assert (area / "secret.txt").read_text() == "secret"
    assert (area / "elsewhere/b.txt").read_text() == "b"


@pytest.mark.skipif(not CAN_WALK, reason="this platform opens by path alone")
def test_a_race_between_a_file_and_a_link_never_reads_the_target(area: Path) -> None:
    """One thread swaps a file for a link out and back, another reads: only what was granted is ever seen."""
    grants = files(area, "read:./data")
    swap, plain, link = area / "data/swap", area / "data/plain", area / "data/link"
    done = threading.Event()

    def attack() -> None:
        while not done.is_set():
            plain.write_text("plain")
            plain.replace(swap)
            link.symlink_to(area / "secret.txt")
            link.replace(swap)

    plain.write_text("plain")
    plain.replace(swap)
    attacker = threading.Thread(target=attack)
    attacker.start()
    seen: set[str] = set()
    try:
        for _ in range(1500):
            try:
                seen.add(content(grants, "data/swap"))
            except SpellError as error:
                seen.add(error.code)
    finally:
        done.set()
        attacker.join()
    assert "secret" not in seen
    assert {"plain", "missing_grant"} <= seen


def test_a_pipe_is_refused_at_once(area: Path) -> None:
    os.mkfifo(area / "out/pipe")
    grants = files(area, "write:./out")
    with pytest.raises(WorldError, match="neither a file nor a folder"):
        grants.locate("out/pipe").open()
    with pytest.raises(WorldError):
        grants.locate("out/pipe", write=True).open(os.O_WRONLY)


def test_a_socket_is_refused(area: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(area)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("out/s")
        with pytest.raises(WorldError):
            files(area, "write:./out").locate("out/s").open()


@pytest.mark.parametrize(
    "path", ["/proc/self/environ", "/proc/1/cmdline", "/dev/null", "/dev/fd/0", "/sys/kernel"]
)
def test_the_systems_own_folders_are_closed_even_to_a_grant_of_everything(area: Path, path: str) -> None:
    (area / "link").symlink_to(path)
    grants = files(area, "write:/")
    for way in (path, "link", "/.." + path):
        with pytest.raises(SpellError):
            grants.locate(way).open()


def test_our_own_configuration_is_closed_whatever_path_leads_there(area: Path) -> None:
    own = area / "Config"
    own.mkdir()
    (own / "config.toml").write_text("[grants]")
    (area / "detour").symlink_to(own)
    grants = files(area, "write:.", sealed=(own,))
    for path in ("Config/config.toml", "detour/config.toml", "CONFIG/config.toml", "Config", "Config/new"):
        with pytest.raises(WorldError, match="closed to every grant"):
            grants.locate(path, write=True)


def test_what_holds_our_configuration_cannot_be_moved_away(area: Path) -> None:
    """Else a spell could put a folder of its own in that place."""
    grants = files(area, "write:.", sealed=(area / ".config" / "llmspell",))
    for path in (".config", ".CONFIG"):  # whether it exists or not
        with pytest.raises(WorldError, match="closed"), grants.locate(path, write=True).parent():
            pass


@pytest.mark.skipif(not CAN_WALK, reason="this platform opens by path alone")
def test_the_seal_is_on_the_folder_not_on_its_name(area: Path) -> None:
    """As when the same folder is mounted a second time elsewhere."""
    own = area / "own"
    own.mkdir()
    (own / "config.toml").write_text("[grants]")
    place = files(area, "read:.").locate("own/config.toml")
    sealed = folders.Place(place.path, place.root, place.asked, (area / "x" / ".." / "own",), write=False)
    (area / "x").mkdir()
    with pytest.raises(WorldError, match="closed to every grant"):
        sealed.open()
    with pytest.raises(WorldError, match="closed to every grant"):
        folders.Place(own, area, "own", (own,), write=False).open()


def test_a_single_file_can_be_granted(area: Path) -> None:
    grants = files(area, "write:secret.txt")
    assert content(grants, "secret.txt") == "secret"
    with pytest.raises(MissingGrant):
        grants.locate("data/a.txt")
    with pytest.raises(BadArgument, match="the granted folder itself"), grants.locate("secret.txt").parent():
        pass


def test_a_granted_folder_need_not_exist_yet(area: Path) -> None:
    grants = files(area, "write:./later")
    with pytest.raises(NotFound):
        grants.locate("later/x", write=True).open(os.O_WRONLY | os.O_CREAT)
    (area / "later").mkdir()
    os.close(grants.locate("later/x", write=True).open(os.O_WRONLY | os.O_CREAT))


def test_entries_of_a_folder_are_changed_through_its_descriptor(area: Path) -> None:
    grants = files(area, "write:./data")
    with grants.locate("data/new", write=True).parent() as (folder, name):
        os.mkdir(name, dir_fd=folder)
    with grants.locate("data/a.txt", write=True).parent() as (folder, name):
        os.unlink(name, dir_fd=folder)
    with (
        pytest.raises(NotFound, match="data/gone"),
        grants.locate("data/gone", write=True).parent() as (folder, name),
    ):
        os.unlink(name, dir_fd=folder)
    assert sorted(p.name for p in (area / "data").iterdir()) == ["deep", "new"]


def test_a_folder_itself_can_be_listed(area: Path) -> None:
    fd = files(area, "read:./data").locate("data").open()
    try:
        assert sorted(os.listdir(fd)) == ["a.txt", "deep"]
    finally:
        os.close(fd)


def test_what_the_system_refuses_is_said_in_the_spells_own_words(
    area: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/internal/path")

    place = files(area, "read:./data").locate("data/a.txt")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(WorldError, match=r"data/a\.txt cannot be used: Permission denied") as caught:
        place.open()
    assert caught.value.code == "permission_denied"
    assert "internal" not in str(caught.value.fields())


def test_no_descriptor_is_left_open_by_a_refusal(area: Path) -> None:
    (area / "data/a.txt").rename(area / "data/c.txt")
    os.mkfifo(area / "data/pipe")
    grants = files(area, "read:./data")
    before = len(os.listdir("/dev/fd"))
    for path in ("data/a.txt", "data/pipe", "data/c.txt/x", "data/deep/x/y"):
        with pytest.raises(SpellError):
            grants.locate(path).open()
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("entry", ["./data", "read:", "append:x", "read:a\0b", "read:~nobody-by-this-name/x"])
def test_a_malformed_files_entry_says_what_to_write(area: Path, entry: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        files(area, entry)


def test_a_refused_path_cannot_smuggle_a_second_grant_or_a_shell_command(area: Path) -> None:
    for path in ("x,write:/", 'x"]\nfiles = ["write:/', "$(rm -rf x)", "`x`", "a\u202eb"):
        with pytest.raises(MissingGrant) as caught:
            files(area).locate(path)
        error = caught.value
        assert "\n" not in error.message + error.line
        assert "\u202e" not in error.message
        if "," in path or not path.isprintable():
            assert "LLMSPELL_GRANT_FILES" not in (error.suggestion or "")
        else:
            assert f"LLMSPELL_GRANT_FILES='read:{area / path}'" in (error.suggestion or "")


@given(
    st.lists(st.sampled_from(["..", ".", "data", "deep", "up", "a.txt", "", "~", "secret.txt"]), max_size=8)
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_path_opens_anything_outside(area: Path, paths: list[str]) -> None:
    if not (area / "data/up").is_symlink():
        (area / "data/up").symlink_to("..")
    grants = files(area, "read:./data")
    try:
        place = grants.locate("/".join(paths) or ".")
        fd = place.open()
    except SpellError:
        return
    try:
        assert os.path.realpath(f"/dev/fd/{fd}").startswith(str(area / "data"))
    finally:
        os.close(fd)


# Names, narrowing, extending


def test_names_are_granted_exactly_or_by_pattern() -> None:
    grants = Grants.of(Path(), {"tools": ["calculator", "file_*"], "mcp": ["time"], "providers": ["*"]})
    assert grants.allows("tools", "calculator")
    assert grants.allows("tools", "file_read")
    assert not grants.allows("tools", "web_fetch")
    assert grants.allows("providers", "openai")
    assert not grants.allows("env", "HOME")
    grants.check("mcp", "time")
    with pytest.raises(MissingGrant, match="the MCP server git is not granted") as caught:
        grants.check("mcp", "git")
    assert caught.value.line == 'mcp = ["git"]'


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\u202e"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        normal_entry("tools", name, Path())


def test_a_variable_that_looks_like_a_secret_is_granted_by_its_own_name_only() -> None:
    grants = Grants.of(Path(), {"env": ["*", "MY_TOKEN"]})
    assert grants.allows("env", "LANG")
    assert grants.allows("env", "MY_TOKEN")
    for name in (
        "OPENAI_API_KEY",
        "GITHUB_TOKEN",
        "DB_PASSWORD",
        "aws_secret_access",
        "PGPASSWORD",
        "MYSQL_PWD",
    ):
        assert not grants.allows("env", name)


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "KEYBOARD_LAYOUT", "AUTHOR", "PATH", "PASSAGE"])
def test_an_ordinary_name_is_not_taken_for_a_secret(name: str) -> None:
    assert not is_secret_name(name)


def test_narrowing_leaves_what_both_allow(area: Path) -> None:
    grants = Grants.of(
        area,
        {"http": ["*"], "files": ["read:.", "write:./out"], "tools": ["*"], "env": ["LANG"]},
    )
    less = grants.narrow(
        {"http": ["example.org", "127.0.0.1:*"], "files": ["write:./data"], "tools": ["file_*"]}
    )
    assert allowed(less, "https://example.org/")
    assert not allowed(less, "https://example.net/")
    assert not allowed(less, "http://127.0.0.1/")  # more was asked for than there was
    assert content(less, "data/a.txt") == "a"
    for path, write in (("secret.txt", False), ("data/a.txt", True), ("out/x", True)):
        with pytest.raises(MissingGrant):
            less.locate(path, write=write)
    assert less.allows("tools", "file_read")
    assert not less.allows("tools", "web_fetch")
    assert less.allows("env", "LANG")
    assert less.narrowings == 1
    assert grants.allows("tools", "web_fetch")


def test_narrowing_to_nothing_leaves_nothing() -> None:
    grants = http("*").narrow({"http": []})
    assert not allowed(grants, "https://example.org/")


def test_narrowing_wrongly_is_a_bad_argument() -> None:
    with pytest.raises(BadArgument, match="https"):
        http("*").narrow({"http": ["https://x"]})
    with pytest.raises(BadArgument, match="no such kind of grant: htp"):
        http("*").narrow({"htp": ["x"]})  # type: ignore[dict-item]


def test_an_entry_has_one_spelling(area: Path) -> None:
    assert normal_entry("http", " Example.ORG:443 ", area) == "example.org:443"
    assert normal_entry("files", "read:data/../out", area) == f"read:{area / 'out'}"
    assert normal_entry("tools", " file_* ", area) == "file_*"


def test_a_persons_answer_reaches_past_a_narrowing(area: Path) -> None:
    grants = files(area, "read:./data").narrow({"files": [], "http": ["example.org"]})
    with pytest.raises(MissingGrant) as caught:
        grants.locate("data/a.txt")
    more = grants.plus(caught.value.grant, caught.value.value)  # type: ignore[arg-type]
    assert content(more, "data/a.txt") == "a"
    with pytest.raises(MissingGrant):
        more.locate("data/deep/b.txt")
    assert not allowed(more.plus("env", "HOME"), "https://example.org/")  # the base never granted it


def test_the_entries_are_shown_as_they_are_written(area: Path) -> None:
    grants = Grants.of(
        area, {"http": ["Example.org", "[::1]:*", "*:81"], "files": ["write:out"], "tools": ["calculator"]}
    )
    assert grants.entries() == [
        ("http", "example.org"),
        ("http", "[::1]:*"),
        ("http", "*:81"),
        ("files", f"write:{area / 'out'}"),
        ("tools", "calculator"),
    ]


def test_nothing_is_granted_unless_it_is_written() -> None:
    grants = Grants.of(Path(), {})
    assert grants.entries() == []
    assert not allowed(grants, "https://example.org/")
    assert not any(grants.allows(kind, "x") for kind in ("env", "tools", "mcp", "providers"))
    with pytest.raises(MissingGrant):
        grants.locate(".")
