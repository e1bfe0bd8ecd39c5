"""Two real projects, with packages from the registries: an agent's tests run in the worker, on the worker's code."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests import kit
from tests.integration.furnished import configured
from tests.kit import tasks

_UNREACHED: Final = re.compile(
    r"No matching distribution|Max retries|NewConnectionError|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT"
)

PYTHON: Final = {
    "pyproject.toml": """\
[build-system]
requires = ["flit_core>=3.4"]
build-backend = "flit_core.buildapi"
[project]
name = "orchard"
version = "1.0"
description = "Orchard"
dependencies = ["iniconfig>=2"]
""",
    "src/orchard/__init__.py": "PEAR = 3\n",
    "tests/test_orchard.py": """\
import unittest
import iniconfig
import orchard

class Orchard(unittest.TestCase):
    def test_a_pear(self):
        print(orchard.__file__, iniconfig.__file__, orchard.PEAR, sep="\\n")
        self.assertEqual(orchard.PEAR, 5)
""",
}
PYTHON_CONFIG: Final = """\
setup:
  - {name: venv, run: "python3 -m venv .venv"}
  - {name: deps, run: ".venv/bin/python -m pip install --quiet --editable ."}
"""
FIX: Final = "git commit --quiet --all -m 'A pear costs 5' && conductor-git done"


def reached(done: kit.Completed) -> Path:
    """The worktree of a spawn; without a registry to install from the test says nothing, and on CI it fails."""
    said = done.document
    if done.code and _UNREACHED.search(said["error"].get("log_end", "")) and not kit.skips_are_failures():
        pytest.skip("no package registry can be reached from here")
    assert done.code == 0, said["error"].get("log_end") or said
    return Path(said["task"]["worktree"])


def test_an_agent_tests_its_own_code_in_a_python_project_with_an_editable_install(repository: Path) -> None:
    """The person's own environment, active as they spawn, has the main checkout installed in the same way."""
    tasks.commit(repository, PYTHON)
    configured(repository, PYTHON_CONFIG, ignored=".venv/\n__pycache__/\n*.log\n")
    subprocess.run(["python3", "-m", "venv", "--without-pip", ".venv"], cwd=repository, check=True)
    (packages,) = (repository / ".venv" / "lib").glob("python*/site-packages")
    (packages / "orchard.pth").write_text(f"{repository}/src\n")
    tasks.write(repository, {".worktreeinclude": ".venv/\n", ".git/info/exclude": "/.worktreeinclude\n"})
    agent = (
        "sed -i 's/3/5/' src/orchard/__init__.py && . .venv/bin/activate"
        f" && python -m unittest discover -s tests >tests.log 2>&1 && {FIX}"
    )
    env = {"VIRTUAL_ENV": str(repository / ".venv"), "PATH": f"{repository}/.venv/bin:{os.environ['PATH']}"}

    done = kit.conductor("spawn", "pears", "--json", "--", "sh", "-c", agent, cwd=repository, env=env)

    place = reached(done)
    kit.until(lambda: tasks.record(repository, "pears").attempts[-1].ended_at is not None, seconds=60)
    tests = (place / "tests.log").read_text()
    assert tasks.record(repository, "pears").state == "IN_REVIEW", tests
    tested, installed, pear = tests.splitlines()[:3]
    assert tested == str(place / "src" / "orchard" / "__init__.py")
    assert Path(installed).is_relative_to(place / ".venv")
    assert pear == "5"
    assert ".venv is a Python virtual environment and stays behind" in done.err
    mine = [".venv/bin/python", "-c", "import orchard; print(orchard.PEAR)"]
    assert subprocess.run(mine, cwd=repository, check=True, capture_output=True, text=True).stdout == "3\n"


NODE: Final = {
    "package.json": '{"name": "shop", "version": "1.0.0", "private": true, "workspaces": ["packages/*"]}\n',
    "packages/prices/package.json": """\
{"name": "prices", "version": "1.0.0", "main": "index.js", "dependencies": {"is-number": "7.0.0"}}
""",
    "packages/prices/index.js": "module.exports = { pear: 3 };\n",
    "test.js": """\
const { pear } = require("prices");
const isNumber = require("is-number");
console.log([require.resolve("prices"), require.resolve("is-number"), pear].join("\\n"));
require("assert").ok(isNumber(pear) && pear === 5);
""",
}
NPM: Final = "npm install --no-audit --no-fund --prefer-offline"
NODE_CONFIG: Final = f"""\
setup:
  - {{name: packages, run: "{NPM}"}}
"""


@kit.requires("node", "npm")
def test_an_agent_tests_its_own_code_in_a_node_project_with_node_modules(repository: Path) -> None:
    """`node_modules` comes along as it is, and its link to the workspace's package leads to the worker's."""
    tasks.commit(repository, NODE)
    there = subprocess.run(NPM.split(), cwd=repository, capture_output=True, text=True, check=False)
    if there.returncode and _UNREACHED.search(there.stderr) and not kit.skips_are_failures():
        pytest.skip("no package registry can be reached from here")
    assert there.returncode == 0, there.stderr
    tasks.commit(repository, {"package-lock.json": (repository / "package-lock.json").read_bytes()})
    ignored = "node_modules/\n*.log\n"
    configured(repository, NODE_CONFIG, ignored=ignored)
    tasks.commit(repository, {".worktreeinclude": "node_modules/\n"})
    agent = f"sed -i 's/3/5/' packages/prices/index.js && node test.js >tests.log 2>&1 && {FIX}"

    done = kit.conductor("spawn", "pears", "--json", "--", "sh", "-c", agent, cwd=repository)

    place = reached(done)
    kit.until(lambda: tasks.record(repository, "pears").attempts[-1].ended_at is not None, seconds=60)
    tests = (place / "tests.log").read_text()
    assert tasks.record(repository, "pears").state == "IN_REVIEW", tests
    assert tests.splitlines() == [
        str(place / "packages" / "prices" / "index.js"),
        str(place / "node_modules" / "is-number" / "index.js"),
        "5",
    ]
    assert json.loads((place / "node_modules" / "is-number" / "package.json").read_text())["version"] == "7.0.0"
    (place / "tests.log").unlink()
    tasks.approve(repository, "pears")
    tasks.landed(tasks.merge(repository, "pears"))
    assert kit.git(repository, "for-each-ref", "refs/conductor/salvage/") == ""
    assert (repository / "node_modules" / "is-number").is_dir()
