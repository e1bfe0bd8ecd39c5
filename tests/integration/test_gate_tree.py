"""The gates' tree: kept from one landing to the next for its caches, and never for anything else."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conductor_git.errors import StateUnwritable, UnsafePath
from conductor_git.landing.gatetree import remove
from tests import kit
from tests.integration.gating import Bench, bench, committed

NOBODY = 65534


@pytest.fixture
def gates(repository: Path) -> Bench:
    return bench(repository)


def test_what_git_ignores_stays_from_one_landing_to_the_next_and_nothing_else_does(gates: Bench) -> None:
    gates.judge(
        "mkdir -p build deep/er; echo warm >build/cache; echo x >deep/er/file; echo y >stray; echo z >src/stray"
    )
    before = (gates.tree.path / "build/cache").stat()

    gates.commit({"src/new.py": "NEW = 1\n"})
    assert gates.judge("cat build/cache src/new.py; test ! -e stray; find . -name 'stray' -o -name deep").passed

    assert gates.log == b"warm\nNEW = 1\n"
    assert (gates.tree.path / "build/cache").stat().st_mtime_ns == before.st_mtime_ns
    assert gates.files == {**committed(gates.repository), "build/cache": "warm"}


def test_a_file_that_did_not_change_keeps_its_time_so_that_builds_stay_fresh(gates: Bench) -> None:
    gates.put()
    before = (gates.tree.path / "src/main.py").stat().st_mtime_ns
    gates.commit({"src/prices.py": "PRICES = {}\n"})

    gates.put()

    assert (gates.tree.path / "src/main.py").stat().st_mtime_ns == before
    assert (gates.tree.path / "src/prices.py").read_text() == "PRICES = {}\n"


def test_whatever_a_gate_does_to_the_files_the_next_landing_finds_those_of_its_commit(gates: Bench) -> None:
    gates.judge(
        "echo x >>src/prices.py; rm src/main.py; chmod 755 README.md; mv docs elsewhere; rm run.sh; mkdir run.sh;"
        "git update-index --assume-unchanged src/prices.py; git update-index --skip-worktree run.sh; git add -A;"
        "git rm --cached README.md"
    )

    gates.put()

    assert gates.files == committed(gates.repository)
    assert stat.S_IMODE((gates.tree.path / "README.md").stat().st_mode) & 0o111 == 0
    assert stat.S_IMODE((gates.tree.path / "run.sh").stat().st_mode) & 0o100


def test_a_change_that_hides_behind_size_and_time_is_taken_back(gates: Bench) -> None:
    gates.judge("touch -r src/prices.py stamp; sed -i.bak s/3/9/ src/prices.py; touch -r stamp src/prices.py")

    gates.put()

    assert gates.files == committed(gates.repository)


def test_repositories_and_directories_that_a_gate_made_go(gates: Bench) -> None:
    gates.judge(
        "git init -q nested; touch nested/x; git init -q src; mkdir -p empty/er; git init -q build; touch x.log"
    )

    gates.put()

    assert sorted(path.name for path in gates.tree.path.iterdir()) == sorted(
        [".git", ".gitignore", "README.md", "build", "docs", "run.sh", "src", "x.log"]
    )
    assert not (gates.tree.path / "src/.git").exists()
    assert (gates.tree.path / "build/.git").is_dir()


def test_a_repository_around_what_git_ignores_goes_and_an_ignored_file_alone_stays(gates: Bench) -> None:
    gates.judge(
        "mkdir -p whole half/.git/b odd/x.log plain; git init -q whole; echo x >odd/.git; touch whole/x.log whole/x;"
        "touch half/.git/b/c half/x.log odd/x.log/y plain/x.log plain/x"
    )

    gates.put()

    assert gates.files == {**committed(gates.repository), "plain/x.log": ""}
    assert sorted(path.name for path in gates.tree.path.iterdir() if path.is_dir()) == [".git", "docs", "plain", "src"]


def test_what_a_former_task_alone_ignored_goes(gates: Bench) -> None:
    gates.commit({"src/.gitignore": "*.gen\n"})
    gates.judge("echo planted >src/conftest.gen")
    gates.put()
    assert "src/conftest.gen" in gates.files

    gates.put("HEAD~1")

    assert gates.files == committed(gates.repository, "HEAD~1")


def test_what_a_task_ignores_and_its_target_does_not_goes_too(gates: Bench) -> None:
    gates.judge("echo planted >src/conftest.gen; mkdir build; echo warm >build/cache")
    gates.commit({"src/.gitignore": "*.gen\n"})

    gates.put("HEAD", base="HEAD~1")

    assert gates.files == {**committed(gates.repository), "build/cache": "warm"}


@pytest.mark.parametrize("place", ["src", "fresh", "fresh/er", "."])
def test_what_hides_behind_an_ignore_file_of_a_gates_own_goes(gates: Bench, place: str) -> None:
    gates.judge(f"mkdir -p {place}/in; echo '*' >{place}/.gitignore; echo planted >{place}/in/conftest.py")

    gates.put()

    assert gates.files == committed(gates.repository)
    assert not (gates.tree.path / "fresh").exists()


def test_the_persons_own_ignore_rules_keep_nothing_in_the_tree(gates: Bench, home: Path) -> None:
    (home / "ignore").write_text("*.mine\n")
    kit.git(gates.repository, "config", "--global", "core.excludesFile", str(home / "ignore"))
    (gates.repository / ".git/info/exclude").write_text("*.mine\n")
    gates.judge("touch x.mine x.log")

    gates.put()

    assert gates.files == {**committed(gates.repository), "x.log": ""}


def test_attributes_that_a_gate_left_do_not_change_what_is_written_next(gates: Bench) -> None:
    gates.commit({".gitignore": "*.log\n/build/\n.gitattributes\n"})
    gates.judge("echo '*.py text eol=crlf' | tee .gitattributes >src/.gitattributes")
    gates.commit({"src/prices.py": "PRICES = {}\n"})

    gates.put()

    assert (gates.tree.path / "src/prices.py").read_bytes() == b"PRICES = {}\n"
    assert gates.files == committed(gates.repository)


def test_a_file_of_the_commit_takes_the_place_of_ignored_ones(gates: Bench) -> None:
    gates.judge("mkdir -p build/x.log && echo warm >build/x.log/file && mkdir new.log && echo x >new.log/file")
    gates.commit({"build/x.log": "tracked\n", "new.log": "tracked\n"})

    gates.put()

    assert gates.files == committed(gates.repository)


def test_a_submodule_is_an_empty_directory_whatever_a_gate_put_there(gates: Bench) -> None:
    commit = kit.git(gates.repository, "rev-parse", "HEAD")
    kit.git(gates.repository, "update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    kit.git(gates.repository, "commit", "--quiet", "-m", "A submodule")
    assert gates.judge("test -d lib && touch lib/planted && git init -q lib").passed

    gates.put()

    assert list((gates.tree.path / "lib").iterdir()) == []


DAMAGES = {
    "its .git is gone": "rm -rf .git",
    "its .git is a file that leads elsewhere": "rm -rf .git; echo gitdir: /nowhere >.git",
    "the index is gone": "rm ../$NAME.index",
    "the index is garbage": "echo garbage >../$NAME.index",
    "the index is a directory": "rm ../$NAME.index; mkdir ../$NAME.index",
    "the index is a link": "mv ../$NAME.index ../x; ln -s ../x ../$NAME.index",
    "the index is locked": "touch ../$NAME.index.lock",
    "the files are gone": "rm -rf ..?* .[!.]* *",
    "the tree is gone": "cd ..; rm -rf $NAME",
    "the tree is half made": "cd ..; rm -rf $NAME $NAME.index; mkdir $NAME; echo x >$NAME/README.md",
    "the tree is a file": "cd ..; rm -rf $NAME; touch $NAME",
    "a directory is a link": "mv src ../moved; ln -s ../../moved src",
    "a directory is a file": "rm -rf src; echo x >src",
    "a file is a directory": "rm run.sh; mkdir -p run.sh/src; touch run.sh/src/x",
    "names that look like options": "touch -- -rf --upload-pack=x src/--help; mkdir -- -d; touch -- -d/-f",
    "names that are no text": "touch \"$(printf 'a\\377b')\" \"$(printf 'new\\nline')\"",
    "directories that nobody may write": "mkdir -p ro/x; touch ro/x/y; chmod 500 ro/x ro src; chmod 000 docs",
    "directories nested deeper than a path can be": f"{sys.executable} -c '"
    'import os\nfor n in range(3000): os.mkdir("d"); os.chdir("d")\'',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_tree_is_made_anew(gates: Bench, damage: str) -> None:
    gates.put()
    script = f"NAME={gates.tree.path.name}\n{DAMAGES[damage]}"
    subprocess.run(["sh", "-c", script], cwd=gates.tree.path, check=True)

    judged = gates.judge("git status --porcelain && git rev-parse HEAD")

    assert judged.passed
    assert gates.log.decode().split() == [judged.commit]
    assert gates.files == committed(gates.repository)


def test_a_tree_that_became_a_link_is_replaced_and_what_it_leads_to_is_left_alone(gates: Bench, tmp_path: Path) -> None:
    gates.put()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text("mine")
    shutil.rmtree(gates.tree.path)
    gates.tree.path.symlink_to(mine)

    gates.put()

    assert [path.name for path in mine.iterdir()] == ["precious"]
    assert gates.files == committed(gates.repository)


def test_trees_that_lie_behind_a_link_are_refused(gates: Bench, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / gates.tree.path.name).mkdir(parents=True)
    (mine / gates.tree.path.name / "precious").write_text("mine")
    gates.tree.layout.gates.parent.mkdir(parents=True)
    gates.tree.layout.gates.symlink_to(mine)

    with pytest.raises(UnsafePath) as refused:
        gates.put()

    assert refused.value.hint == f"rm {gates.tree.layout.gates}"
    assert (mine / gates.tree.path.name / "precious").read_text() == "mine"


def test_links_in_the_tree_are_not_followed_when_it_is_cleaned(gates: Bench, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    gates.judge(f"ln -s {tmp_path} away; ln -s {tmp_path} src/away; mkdir build; ln -s {tmp_path} build/away")

    gates.put()
    gates.tree.path.with_name(f"{gates.tree.path.name}.index").unlink()
    gates.put()

    assert (tmp_path / "precious").read_text() == "mine"
    assert gates.files == committed(gates.repository)


def test_directories_that_their_owner_may_not_write_are_removed_all_the_same() -> None:
    with tempfile.TemporaryDirectory() as made:  # root may write everywhere, so somebody else has to meet them
        place = Path(made)
        (place / "sub/deep").mkdir(parents=True)
        (place / "sub/deep/file").write_text("x")
        (place / "sub/deep").chmod(0o500)
        (place / "sub").chmod(0o000)
        if os.getuid() == 0:
            for path in (place / "sub/deep", place / "sub", place):
                os.chown(path, NOBODY, NOBODY)

        child = os.fork()
        if child == 0:
            try:
                if os.getuid() == 0:
                    os.setgid(NOBODY)
                    os.setuid(NOBODY)
                remove(place / "sub")
                os._exit(0)
            finally:
                os._exit(1)

        assert os.waitpid(child, 0)[1] == 0
        assert list(place.iterdir()) == []


def test_the_tree_cannot_be_made_where_nobody_can_write(gates: Bench) -> None:
    gates.tree.layout.gates.parent.mkdir(parents=True)
    gates.tree.layout.gates.write_text("in the way")

    with pytest.raises(StateUnwritable):
        gates.put()


def test_the_tree_is_none_of_the_projects_worktrees(gates: Bench) -> None:
    before = kit.snapshot(gates.repository)
    gates.judge("true")

    assert kit.git(gates.repository, "worktree", "list").count("\n") == 0
    assert not (gates.repository / ".git/worktrees").exists()
    assert kit.snapshot(gates.repository) == before


def test_each_target_has_a_tree_of_its_own(gates: Bench) -> None:
    other = type(gates.tree)(gates.tree.integration, gates.tree.layout, "release/1.0")

    assert other.path != gates.tree.path
    assert other.path.parent == gates.tree.path.parent
