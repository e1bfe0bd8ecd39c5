"""What git is to a gate: a repository at its commit, with the project's history, and no ref of it that can be moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor_git import integration
from conductor_git.project import open_project
from tests import kit
from tests.integration.gating import Bench, bench, committed

POINTING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
HOSTILE = """\
[core]
	fsmonitor = touch {ran}/fsmonitor
	hooksPath = {hooks}
[filter "evil"]
	clean = touch {ran}/clean; cat
	smudge = touch {ran}/smudge; cat
	process = touch {ran}/process
	required = true
[submodule]
	recurse = true
[diff "evil"]
	textconv = touch {ran}/textconv; cat
"""


@pytest.fixture
def gates(repository: Path) -> Bench:
    return bench(repository)


def test_git_in_a_gate_shows_the_commit_its_history_its_tags_and_a_clean_tree(gates: Bench) -> None:
    kit.git(gates.repository, "tag", "-a", "-m", "one", "v1", "HEAD~1")
    commit = kit.git(gates.repository, "rev-parse", "HEAD")

    judged = gates.judge(
        "git rev-parse HEAD; git describe --tags; git log --format=%s | head -1; git status --porcelain;"
        "git diff --stat main HEAD; git rev-parse --abbrev-ref HEAD; git ls-files | wc -l | tr -d ' '"
    )

    assert judged.passed
    lines = gates.log.decode().split("\n")
    assert lines[0] == commit
    assert lines[1].startswith("v1-1-g")
    assert lines[2:] == ["Describe how to run it", "HEAD", "6", ""]


def test_git_in_a_gate_of_a_shallow_clone_shows_what_there_is(gates: Bench, tmp_path: Path) -> None:
    kit.git(tmp_path, "clone", "--quiet", "--depth=2", f"file://{gates.repository}", "shallow")

    assert bench(tmp_path / "shallow").judge("git log --format=%s && git fsck").passed


def test_nothing_that_a_gates_git_does_moves_a_ref_or_the_index_of_the_project(gates: Bench) -> None:
    kit.git(gates.repository, "branch", "other")
    before = kit.snapshot(gates.repository)
    refs = kit.git(gates.repository, "for-each-ref")
    config = (gates.repository / ".git/config").read_bytes()

    judged = gates.judge(
        "set -e; echo x >x; git add x; git commit -qm x; git update-ref refs/heads/main HEAD; git branch -D other;"
        "git checkout -q -B main; git tag t; echo y >x; git stash -q; git config user.name Nobody;"
        "git gc -q --prune=now"
    )

    assert judged.passed, gates.log
    assert kit.snapshot(gates.repository) == before
    assert kit.git(gates.repository, "for-each-ref") == refs
    assert (gates.repository / ".git/config").read_bytes() == config
    kit.git(gates.repository, "fsck", "--strict")


def test_the_next_landing_finds_nothing_of_what_a_gates_git_did(gates: Bench) -> None:
    gates.judge("git config alias.x '!true'; git tag t; git commit -q --allow-empty -m x; echo x >.git/info/exclude")

    assert gates.judge(
        'test -z "$(git tag)" && ! git config alias.x && git log -1 --format=%s && cat .git/info/*'
    ).failed
    assert gates.log.startswith(b"Describe how to run it\n")


def test_git_above_the_tree_finds_no_repository(gates: Bench) -> None:
    refs = kit.git(gates.repository, "for-each-ref")

    judged = gates.judge("rm -rf .git; git update-ref refs/heads/main $(git hash-object -t tree /dev/null); git status")

    assert judged.failed
    assert b"not a git repository" in gates.log
    assert kit.git(gates.repository, "for-each-ref") == refs


def test_a_gate_finds_what_it_is_asked_about_and_no_other_variable_of_ours_or_gits(
    gates: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = kit.git(gates.repository, "rev-parse", "HEAD")
    with monkeypatch.context() as polluted:
        polluted.setenv("ACME_MODE", "fast")
        for name in (*POINTING, "CONDUCTOR_RUN_ID", "CONDUCTOR_WORKER_CTX"):
            polluted.setenv(name, "/nowhere")
        judged = gates.judge("env; cat", commit=commit)

    found = dict(line.split("=", 1) for line in gates.log.decode().splitlines() if "=" in line)
    ours = {
        name: value for name, value in found.items() if name.startswith("CONDUCTOR_") and name != "CONDUCTOR_GATE_RUN"
    }
    assert ours == {
        "CONDUCTOR_TASK_ID": "prices",
        "CONDUCTOR_TASK_IDS": "prices",
        "CONDUCTOR_TARGET": "main",
        "CONDUCTOR_COMMIT": judged.commit,
        "CONDUCTOR_GATE_TREE": str(gates.tree.path),
    }
    assert found["PWD"] == str(gates.tree.path)
    assert found["ACME_MODE"] == "fast"
    assert found["GIT_CEILING_DIRECTORIES"] == str(gates.tree.path.parent)
    assert found.keys().isdisjoint(POINTING)


def test_no_setting_of_the_repository_and_no_content_of_a_worker_runs_anything_while_the_tree_is_put(
    gates: Bench, tmp_path: Path
) -> None:
    ran, hooks = tmp_path / "ran", tmp_path / "hooks"
    ran.mkdir()
    hooks.mkdir()
    files = {
        ".gitattributes": "* filter=evil diff=evil\n",
        ".gitmodules": f'[submodule "lib"]\n\tpath = lib\n\turl = ext::touch {ran}/ext\n\tupdate = !touch {ran}/up\n',
        "src/evil.py": "EVIL = 1\n",
    }
    commit = gates.commit(files)
    first = kit.git(gates.repository, "rev-parse", "HEAD~1")
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}/{name}\n")
        (hooks / name).chmod(0o755)
        (gates.repository / ".git/hooks" / name).write_text(f"#!/bin/sh\ntouch {ran}/{name}\n")
        (gates.repository / ".git/hooks" / name).chmod(0o755)
    with (gates.repository / ".git/config").open("a") as config:
        config.write(HOSTILE.format(ran=ran, hooks=hooks))

    for revision in (commit, first, commit):
        bench(gates.repository).put(revision, base=first)

    assert list(ran.iterdir()) == []
    assert gates.files["src/evil.py"] == "EVIL = 1"


def test_the_persons_own_content_filter_runs_and_finds_the_projects_store(gates: Bench) -> None:
    kit.git(gates.repository, "config", "--global", "filter.lfs.smudge", "git config lfs.storage")
    gates.commit({".gitattributes": "*.bin filter=lfs\n", "big.bin": "pointer\n"})

    gates.put()

    assert gates.files["big.bin"] == str(gates.repository / ".git/lfs")


@pytest.mark.parametrize("place", ["config", "HEAD", "objects/info/alternates"])
def test_a_gate_that_writes_to_the_integration_repository_harms_no_later_use(gates: Bench, place: str) -> None:
    file = gates.tree.integration.cwd / place
    before = file.read_bytes()

    gates.judge(f"rm {file}; printf '[core]\\n\\tfsmonitor = false\\n' >{file}; exit 1")

    assert file.read_bytes() == before
    assert gates.judge("git log -1").passed


def test_ignore_rules_and_refs_that_a_gate_gave_the_integration_repository_keep_nothing(gates: Bench) -> None:
    looking = gates.tree.integration.cwd
    commit = kit.git(gates.repository, "rev-parse", "HEAD")
    gates.judge(
        f"touch stray; mkdir -p {looking}/info; echo stray >{looking}/info/exclude;"
        f"echo '* text eol=crlf' >{looking}/info/attributes; git --git-dir={looking} update-ref refs/heads/main HEAD"
    )
    gates.commit({"src/prices.py": "PRICES = {}\n"})

    assert gates.judge("! test -e stray").commit != commit

    assert gates.files == committed(gates.repository)
    assert (gates.tree.path / "src/prices.py").read_bytes() == b"PRICES = {}\n"


def test_the_integration_repository_looks_at_content_as_before_after_a_gate(gates: Bench) -> None:
    project = open_project(gates.repository)
    gates.judge("git config core.worktree /nowhere; git config core.bare false")

    looking = integration.opened(project.layout, project.git)

    assert looking.run("rev-parse", "--is-bare-repository").text == "true"
