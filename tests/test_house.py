"""The rules of the house that no linter knows: doors, floors, names, sizes, and no machine in any file."""

from __future__ import annotations

import ast
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import pytest

from tests import kit

TOP: Final = Path(__file__).parents[1]
PACKAGE: Final = TOP / "src" / "conductor_git"

DOORS: Final = {
    "subprocess": {"gitcmd.py", "process.py"},
    "os.system": set[str](),
    "os.popen": set[str](),
    "os.kill": {"process.py"},
    "os.killpg": {"process.py"},
    "fcntl": {"durable/__init__.py", "durable/locks.py"},
    "portalocker": {"durable/locks.py"},
    "os.fsync": {"durable/__init__.py"},
    "os.fdatasync": {"durable/__init__.py"},
    "os.rename": {"durable/__init__.py"},
    "os.replace": {"durable/__init__.py"},
    "os.environ": {"environment.py"},
    "os.getenv": {"environment.py"},
    "os.putenv": set[str](),
}
HOT: Final = (
    "bus.base",
    "bus.file",
    "actor",
    "context",
    "durable",
    "environment",
    "errors",
    "frame",
    "gitdir",
    "header",
    "identity",
    "layout",
    "masking",
    "message",
    "names",
)
HEAVY: Final = {
    "asyncio",
    "fastapi",
    "git",
    "logging",
    "portalocker",
    "psutil",
    "pydantic",
    "subprocess",
    "tempfile",
    "typer",
    "yaml",
}
ROOMLESS: Final = {"utils", "util", "helpers", "helper", "common", "manager", "service", "handler", "misc"}
PLACES: Final = re.compile(r"(?:^|\.)(?:path|place|directory|state_dir|worktree|log|url)$|\.parent$")
FEWEST_PARTS: Final = 3
MOST_LINES: Final = 400

TRACES: Final = {
    "a package index": re.compile(r"https?://[^\s\"'<>]+/simple\b|--(?:(?:extra-)?index-url|find-links)\b"),
    "a conflict marker": re.compile(r"^(?:<{7}|>{7}) \S", re.MULTILINE),
    "a private key": re.compile(r"-{5}BEGIN [A-Z ]*PRIVATE KEY-{5}"),
}


def modules(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(TOP).as_posix()


def project_files() -> Iterator[tuple[str, str]]:
    """Name and text of every file that is in git or about to be; binary files have nothing to read."""
    listed = kit.git(TOP, "-c", f"safe.directory={TOP}", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        path = TOP / name
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            yield name, data.decode("utf-8", "replace")


def names_used(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What a module imports, in full (`from os import kill` is `os.kill`), and every `module.attribute` it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}", node.lineno


def uses(tree: ast.AST, banned: str) -> list[int]:
    return [line for name, line in names_used(tree) if name == banned or name.startswith(f"{banned}.")]


def unquoted(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the expression of what is a path or an address, and stands in a hint without quotes."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        hints = [word.value for word in call.keywords if word.arg == "hint"]
        if call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == "↳":
            hints += call.args[1:]
        for value in (value for hint in hints for value in typed(hint)):
            words = ast.unparse(value.value)
            if PLACES.search(words):
                yield value.lineno, words


def typed(hint: ast.AST) -> Iterator[ast.FormattedValue]:
    """What is put into a command as it is: neither quoted nor behind the sign of a comment."""
    if isinstance(hint, ast.Call):
        return
    if isinstance(hint, ast.FormattedValue):
        yield hint
    for part in ast.iter_child_nodes(hint):
        if isinstance(part, ast.Constant) and "  # " in str(part.value):
            return
        yield from typed(part)


def globs(tree: ast.AST) -> list[int]:
    """The lines of what lists directories by a pattern and ends with an error where one goes meanwhile."""
    called = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [one.lineno for one in called if isinstance(one, ast.Attribute) and one.attr in ("glob", "rglob", "iglob")]


def trespasses(source: str, module: str) -> list[str]:
    """The effects that `source` reaches without being the room that has the door."""
    tree = ast.parse(source)
    return [
        f"{module}:{line}: {effect}"
        for effect, rooms in DOORS.items()
        if module not in rooms
        for line in uses(tree, effect)
    ]


def machine_traces(text: str, places: Sequence[Path]) -> list[str]:
    """What in `text` belongs to one machine: one of its `places`, or a pattern that no file of ours should hold.

    A place of one part (`/app`, `/home`) is any container's, and says nothing.
    """
    found = [what for what, pattern in TRACES.items() if pattern.search(text)]
    telling = [str(place) for place in places if len(place.parts) >= FEWEST_PARTS]
    return found + [place for place in telling if re.search(rf"(?<![\w./-]){re.escape(place)}(?![\w-])", text)]


def test_every_effect_has_one_door() -> None:
    found = [
        trespass
        for path in modules(PACKAGE)
        for trespass in trespasses(path.read_text(), path.relative_to(PACKAGE).as_posix())
    ]

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "from os import kill",
        "import os\nos.replace('a', 'b')",
        "from os import environ",
        "import fcntl",
    ],
)
def test_a_way_around_a_door_is_seen(source: str) -> None:
    assert trespasses(source, "project.py") != []


def test_tests_use_no_mocks_and_no_sleeps() -> None:
    banned = ("unittest.mock", "mock", "time.sleep", "asyncio.sleep", "anyio.sleep")
    found = [
        f"{relative(path)}:{line}: {name}"
        for path in modules(TOP / "tests")
        for name in banned
        for line in uses(ast.parse(path.read_text()), name)
    ]

    assert found == []


@pytest.mark.parametrize("source", ["from unittest import mock", "import unittest.mock", "from time import sleep"])
def test_a_mock_or_a_sleep_is_seen_however_it_is_imported(source: str) -> None:
    assert uses(ast.parse(source), "unittest.mock") or uses(ast.parse(source), "time.sleep")


def test_a_command_that_is_told_can_be_pasted_whatever_its_paths_hold() -> None:
    found = [
        f"{relative(module)}:{line} {words}"
        for module in modules(PACKAGE)
        for line, words in unquoted(ast.parse(module.read_text()))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise NotFound('gone', hint=f'ls -l {found.path}')", "found.path"),
        ("narrate('↳', f'cd {run.worktree} && ls')", "run.worktree"),
        ("return BadInput('no', hint=f'ls -l {quote(str(path))}')", None),
        ("narrate('○', f'its worktree is {run.worktree}')", None),
    ],
)
def test_a_path_without_quotes_in_a_command_is_seen(source: str, words: str | None) -> None:
    assert [words for _, words in unquoted(ast.parse(source))] == ([words] if words else [])


def test_directories_of_others_are_listed_by_what_bears_that_they_go() -> None:
    """The demonstration is alone in its directory."""
    looking = [module for module in modules(PACKAGE) if "demo" not in module.relative_to(PACKAGE).parts]

    assert [f"{relative(one)}:{line}" for one in looking for line in globs(ast.parse(one.read_text()))] == []
    assert sorted(globs(ast.parse("sorted(common.glob('worktrees/*'))\npath.rglob('*')"))) == [1, 2]


def test_every_module_says_what_it_is_for() -> None:
    everywhere = [path for top in ("src", "tests", "benchmarks") for path in modules(TOP / top)]

    assert [relative(path) for path in everywhere if ast.get_docstring(ast.parse(path.read_text())) is None] == []


def test_no_module_is_longer_than_one_can_read() -> None:
    everywhere = [path for top in ("src", "tests", "benchmarks") for path in modules(TOP / top)]

    assert [relative(path) for path in everywhere if len(path.read_text().splitlines()) > MOST_LINES] == []


def test_a_module_is_a_noun_or_a_verb_and_no_drawer() -> None:
    everywhere = [path for top in ("src", "tests", "benchmarks") for path in modules(TOP / top)]

    assert [relative(path) for path in everywhere if path.stem.removeprefix("test_") in ROOMLESS] == []


def test_every_module_has_a_floor() -> None:
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(contract for contract in contracts if contract["id"] == "floors")
    named = {module.strip("() ") for layer in floors["layers"] for module in layer.split(":")}
    there = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}

    assert floors["exhaustive"] is True
    assert there - {"__init__"} <= named


def test_hot_commands_import_nothing_heavy() -> None:
    there = [f"conductor_git.{name}" for name in HOT if (PACKAGE / f"{name.replace('.', '/')}.py").exists()]
    program = f"import {', '.join(there)}, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert HEAVY & set(done.stdout.split()) == set()


def test_what_commands_do_without_typer_does_not_load_it() -> None:
    names = [f"conductor_git.cli.plain.{module.stem}" for module in modules(PACKAGE / "cli" / "plain")]
    program = f"import {', '.join(names)}, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert {"conductor_git.cli.plain.life", "conductor_git.run"} <= set(done.stdout.split())
    assert {"typer", "rich"} & set(done.stdout.split()) == set()


def test_no_file_belongs_to_a_machine() -> None:
    places = (TOP, Path(pwd.getpwuid(os.getuid()).pw_dir))

    assert [f"{name}: {trace}" for name, text in project_files() for trace in machine_traces(text, places)] == []


@pytest.mark.parametrize(
    ("text", "trace"),
    [
        ("pip install --" + "index-url=x", "a package index"),
        ("https" + "://packages.example.org/team/simple", "a package index"),
        ("<" * 7 + " HEAD\nx\n", "a conflict marker"),
        ("-" * 5 + "BEGIN RSA PRIVATE KEY" + "-" * 5, "a private key"),
        ("cd /srv/of/somebody/src", "/srv/of/somebody"),
        ("bus: file:/srv/of/somebody", "/srv/of/somebody"),
    ],
)
def test_what_belongs_to_a_machine_is_seen(text: str, trace: str) -> None:
    assert machine_traces(text, [Path("/srv/of/somebody"), Path("/home")]) == [trace]


@pytest.mark.parametrize("text", ["/srv/of/somebody-else", "./srv/of/somebody", "/home/acme/", "<<<<<<<", "~/x"])
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert machine_traces(text, [Path("/srv/of/somebody"), Path("/home")]) == []


def build(kind: str, source: Path, into: Path) -> Path:
    """Build a wheel or sdist of `source` with the backend that pip would call, without its isolated environment."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", into], cwd=source, check=True)
    (built,) = into.iterdir()
    return built


def unpacked(archive: Path, into: Path) -> Path:
    shutil.unpack_archive(archive, into, filter="data")
    (top,) = into.iterdir()
    return top


@pytest.mark.parametrize("from_archive", [False, True], ids=["from the checkout", "from a source archive"])
def test_a_wheel_holds_the_hooks_the_licence_and_the_types(tmp_path: Path, from_archive: bool) -> None:
    source = unpacked(build("sdist", TOP, tmp_path / "sdist"), tmp_path / "source") if from_archive else TOP
    hooks = [path for path in (TOP / "hooks").rglob("*") if path.is_file()]

    with zipfile.ZipFile(build("wheel", source, tmp_path / "wheel")) as wheel:
        modes = {member.filename: member.external_attr >> 16 for member in wheel.infolist()}

    assert hooks != []
    for path in hooks:
        inside = f"conductor_git/_hooks/{path.relative_to(TOP / 'hooks').as_posix()}"
        assert modes[inside] & 0o111 == path.stat().st_mode & 0o111, inside
    assert "conductor_git/py.typed" in modes
    assert any(name.endswith("/licenses/LICENSE") for name in modes)


def test_the_installed_package_sees_the_hooks() -> None:
    hooks = resources.files("conductor_git") / "_hooks"

    assert {path.name for path in hooks.iterdir()} == {path.name for path in (TOP / "hooks").iterdir()}


def test_shell_scripts_parse_and_are_executable() -> None:
    scripts = [path for path in (*(TOP / "scripts").iterdir(), TOP / ".ci" / "run") if path.is_file()]

    for script in scripts:
        interpreter = shlex.split(script.read_text().splitlines()[0].removeprefix("#!"))
        subprocess.run([*interpreter, "-n", script], check=True)
        assert script.stat().st_mode & 0o111, relative(script)
