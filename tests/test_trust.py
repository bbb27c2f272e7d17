"""Trust in project files: remembered by path and content."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmspell_kernel.errors import NotFound
from llmspell_kernel.trust import Trusted, TrustStore


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "data" / "trusted.json")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    file = tmp_path / "work" / "llmspell.toml"
    file.parent.mkdir()
    file.write_text("[limits]\n")
    return file


def test_nothing_is_trusted_before_the_person_says_so(store: TrustStore, project: Path) -> None:
    assert store.state(project) == "unknown"
    assert not store.is_trusted(project)
    assert store.listing() == ()


def test_trust_is_remembered_by_another_store_on_the_same_file(
    store: TrustStore, project: Path, tmp_path: Path
) -> None:
    entry = store.trust(project)
    again = TrustStore(tmp_path / "data" / "trusted.json")
    assert again.is_trusted(project)
    assert again.listing() == (entry,)
    assert entry.path == str(project)


def test_a_folder_stands_for_the_file_in_it(store: TrustStore, project: Path) -> None:
    store.trust(project.parent)
    assert store.is_trusted(project)


def test_changed_content_is_not_trusted_any_more(store: TrustStore, project: Path) -> None:
    store.trust(project)
    project.write_text("[grants]\nhttp = ['*']\n")
    assert store.state(project) == "changed"
    assert not store.is_trusted(project)


def test_the_bytes_that_were_read_are_what_is_judged(store: TrustStore, project: Path) -> None:
    store.trust(project)
    content = project.read_bytes()
    project.write_text("[grants]\nhttp = ['*']\n")
    assert store.is_trusted(project, content)
    assert not store.is_trusted(project, b"[grants]\nhttp = ['*']\n")


def test_a_trusted_file_that_is_gone_counts_as_changed(store: TrustStore, project: Path) -> None:
    store.trust(project)
    project.unlink()
    assert store.state(project) == "changed"


def test_the_same_content_elsewhere_is_not_trusted(store: TrustStore, project: Path, tmp_path: Path) -> None:
    store.trust(project)
    copy = tmp_path / "llmspell.toml"
    copy.write_bytes(project.read_bytes())
    assert store.state(copy) == "unknown"


def test_a_link_to_a_trusted_file_is_not_trusted(store: TrustStore, project: Path, tmp_path: Path) -> None:
    store.trust(project)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "llmspell.toml").symlink_to(project)
    assert store.state(stranger / "llmspell.toml") == "unknown"


def test_another_way_to_the_same_folder_is_the_same_file(
    store: TrustStore, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.trust(project)
    (tmp_path / "shortcut").symlink_to(project.parent)
    assert store.is_trusted(tmp_path / "shortcut" / "llmspell.toml")
    monkeypatch.chdir(project.parent)
    assert store.is_trusted(Path("llmspell.toml"))


def test_trust_can_be_taken_back(store: TrustStore, project: Path) -> None:
    store.trust(project)
    assert store.untrust(project)
    assert not store.untrust(project)
    assert store.state(project) == "unknown"


def test_what_is_not_there_cannot_be_trusted(store: TrustStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"cannot read .*llmspell\.toml"):
        store.trust(tmp_path)
    assert store.listing() == ()


@pytest.mark.parametrize("damage", [b"", b"not json", b"[]", b'{"a": 1}', b"\xff\xfe"])
def test_a_damaged_store_trusts_nothing_and_can_be_written_again(
    store: TrustStore, project: Path, tmp_path: Path, damage: bytes
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "trusted.json").write_bytes(damage)
    assert store.state(project) == "unknown"
    store.trust(project)
    assert store.is_trusted(project)


def test_the_store_is_readable_by_its_owner_alone_and_leaves_no_scraps(
    store: TrustStore, project: Path, tmp_path: Path
) -> None:
    store.trust(project)
    [file] = (tmp_path / "data").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_the_listing_is_ordered(store: TrustStore, tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "llmspell.toml").touch()
        store.trust(tmp_path / name)
    assert [Path(entry.path).parent.name for entry in store.listing()] == ["a", "b"]
    assert all(isinstance(entry, Trusted) and len(entry.sha256) == 64 for entry in store.listing())


def test_the_usual_place_is_the_users_data_folder(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_data_path", lambda name, **_: tmp_path / "share" / name)
    TrustStore().trust(project)
    assert (tmp_path / "share" / "llmspell" / "trusted.json").exists()
