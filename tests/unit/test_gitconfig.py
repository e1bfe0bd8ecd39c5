"""The shared git config: every key that can run a program is known, and only harmless ones are copied."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_git.gitconfig import (
    Entries,
    Pairs,
    changed,
    executable,
    has_worktree_config,
    obeyed_in_checkouts,
    parse,
    safe_copy,
)

EXECUTABLE = [
    "core.fsmonitor",
    "core.hookspath",
    "core.hooksPath",
    "core.sshcommand",
    "core.pager",
    "core.editor",
    "core.gitproxy",
    "core.askpass",
    "core.alternaterefscommand",
    "core.worktree",
    "core.attributesfile",
    "filter.lfs.clean",
    "filter.a.b.smudge",
    "filter.x.process",
    "diff.external",
    "diff.word.command",
    "diff.word.textconv",
    "merge.union2.driver",
    "mergetool.meld.cmd",
    "difftool.meld.path",
    "gpg.program",
    "gpg.ssh.program",
    "gpg.ssh.defaultkeycommand",
    "credential.helper",
    "credential.https://example.org.helper",
    "alias.st",
    "url.ssh://x/.insteadof",
    "url.ssh://x/.pushinsteadof",
    "remote.origin.uploadpack",
    "remote.origin.receivepack",
    "remote.origin.vcs",
    "remote.origin.url",
    "submodule.lib.update",
    "protocol.ext.allow",
    "include.path",
    "includeif.gitdir:/x.path",
    "sequence.editor",
    "interactive.difffilter",
    "uploadpack.packobjectshook",
    "trailer.sign.command",
    "trailer.sign.cmd",
    "pager.log",
    "browser.x.cmd",
    "remote.origin.promisor",
    "remote.origin.partialclonefilter",
    "extensions.partialclone",
    "hook.evil.command",
    "gc.recentobjectshook",
    "lfs.customtransfer.x.path",
    "lfs.https://example.org.standalonetransferagent",
]
HARMLESS = [
    "user.name",
    "core.autocrlf",
    "branch.main.remote",
    "commit.gpgsign",
    "merge.renames",
    "core.bare",
    "submodule.lib.url",
]


@pytest.mark.parametrize("key", EXECUTABLE)
def test_a_key_that_can_run_a_program_is_guarded_and_never_copied(key: str) -> None:
    pairs = ((key, "touch marker"),)

    assert executable(pairs) == {key: ["touch marker"]}
    assert safe_copy(pairs) == ""


@pytest.mark.parametrize("key", HARMLESS)
def test_a_harmless_key_is_not_guarded(key: str) -> None:
    assert executable(((key, "x"),)) == {}


def test_all_values_of_a_key_count_in_their_order() -> None:
    pairs = (("credential.helper", ""), ("credential.helper", "store"), ("user.name", "Ada"))

    assert executable(pairs) == {"credential.helper": ["", "store"]}


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        ({}, {}, ()),
        ({"alias.a": ["x"]}, {"alias.a": ["x"]}, ()),
        ({}, {"alias.a": ["x"]}, ("alias.a",)),
        ({"alias.a": ["x"]}, {}, ("alias.a",)),
        ({"alias.a": ["x"]}, {"alias.a": ["y"]}, ("alias.a",)),
        ({"alias.a": ["x", "y"]}, {"alias.a": ["y", "x"]}, ("alias.a",)),
        ({"b.b": ["1"], "a.a": ["1"]}, {}, ("a.a", "b.b")),
    ],
)
def test_what_was_added_removed_or_changed_is_named(
    before: dict[str, list[str]], after: dict[str, list[str]], keys: tuple[str, ...]
) -> None:
    assert changed(before, after) == keys


def test_only_the_repositorys_own_entries_are_its_own() -> None:
    fields = [
        "system",
        "user.name\nS",
        "global",
        "alias.x\n!sh",
        "local",
        "user.name\nL",
        "worktree",
        "core.bare\ntrue",
    ]

    assert parse(fields) == Entries((("user.name", "L"), ("core.bare", "true")), signs=False)


@pytest.mark.parametrize(
    ("fields", "signs"),
    [
        (["global", "commit.gpgsign\ntrue"], True),
        (["global", "commit.gpgsign"], True),
        (["global", "commit.gpgsign\nON"], True),
        (["global", "commit.gpgsign\nfalse"], False),
        (["global", "commit.gpgsign\ntrue", "local", "commit.gpgsign\nno"], False),
        ([], False),
    ],
)
def test_the_last_word_on_signing_counts_wherever_it_is_said(fields: list[str], signs: bool) -> None:
    assert parse(fields).signs is signs


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=40)


@given(VALUES)
def test_a_copied_value_is_what_git_reads_back(value: str) -> None:
    text = safe_copy((("user.name", value), ("user.email", "end@example.org")))

    listed = subprocess.run(
        ["git", "config", "--file", "-", "--list", "-z"], input=text.encode(), capture_output=True, check=True
    ).stdout.decode()

    assert listed.split("\0")[:-1] == [f"user.name\n{value}", "user.email\nend@example.org"]


def test_a_subsection_is_written_as_one(tmp_path: Path) -> None:
    text = safe_copy((("gpg.ssh.allowedsignersfile", "/k"), ("core.autocrlf", "input")))

    file = tmp_path / "config"
    file.write_text(text)
    read = ["git", "config", "--file", str(file), "--get"]
    assert subprocess.run([*read, "gpg.ssh.allowedSignersFile"], capture_output=True, check=True).stdout == b"/k\n"
    assert subprocess.run([*read, "core.autocrlf"], capture_output=True, check=True).stdout == b"input\n"


def test_only_what_git_obeys_in_a_checkout_keeps_it_from_being_written() -> None:
    keys = ("alias.x", "core.editor", "core.hookspath", "filter.lfs.process", "remote.origin.url", "core.sshcommand")

    assert obeyed_in_checkouts(keys, ()) == ("filter.lfs.process",)
    partial = (("remote.origin.promisor", "true"),)
    assert obeyed_in_checkouts(keys, partial) == ("filter.lfs.process", "remote.origin.url", "core.sshcommand")


def test_what_a_worktree_has_besides_counts_once() -> None:
    entries = Entries((("alias.x", "a"),), elsewhere=(("alias.x", "a"), ("alias.x", "b"), ("alias.x", "b")))

    assert entries.everywhere == (("alias.x", "a"), ("alias.x", "b"))
    assert executable(entries.everywhere) == {"alias.x": ["a", "b"]}


@pytest.mark.parametrize(
    ("pairs", "has"),
    [
        ((), False),
        ((("extensions.worktreeconfig", "true"),), True),
        ((("extensions.worktreeConfig", ""),), True),
        ((("extensions.worktreeconfig", "true"), ("extensions.worktreeconfig", "false")), False),
    ],
)
def test_a_config_for_each_worktree_is_an_extension(pairs: Pairs, has: bool) -> None:
    assert has_worktree_config(pairs) is has


def test_where_hooks_are_looked_for_is_the_last_word_of_any_config() -> None:
    said = ["global", "core.hookspath\n/g", "local", "core.hookspath\n.husky", "command", "core.hookspath\n/dev/null"]

    assert parse(said).hooks_path == ".husky"
    assert parse(["global", "user.name\nA"]).hooks_path == ""
