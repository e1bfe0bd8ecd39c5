"""A project with something on every page: what the screenshots show, and a stage for tests of pages."""

from __future__ import annotations

from pathlib import Path

from conductor_git.actor import Actor
from conductor_git.message import Message, Parent
from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.review import LineComment, Side
from conductor_git.run import utcnow
from conductor_git.workflow import end, review
from tests.kit import tasks
from tests.kit.repositories import git

LOGIN = '''\
"""Who is let in, and for how long."""

import hashlib
import time

SESSION_SECONDS = 3600


class Session:
    """One browser that was let in."""

    def __init__(self, user: str, now: float) -> None:
        self.user = user
        self.until = now + SESSION_SECONDS

    def is_open(self, now: float) -> bool:
        return now < self.until


def fingerprint(password: str, salt: str) -> str:
    # Old passwords were hashed once.
    return hashlib.sha1((salt + password).encode()).hexdigest()


def redirect_after(path: str) -> str:
    if path.startswith("/login"):
        return "/"
    return path


def log_in(users: dict[str, str], user: str, password: str, salt: str) -> Session | None:
    if users.get(user) == fingerprint(password, salt):
        return Session(user, time.time())
    return None


def log_out(session: Session) -> None:
    session.until = 0.0
'''
BETTER = LOGIN.replace(
    """    # Old passwords were hashed once.
    return hashlib.sha1((salt + password).encode()).hexdigest()
""",
    """    # Slow on purpose: whoever steals the table tries billions a second.
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()
""",
).replace(
    """def redirect_after(path: str) -> str:
    if path.startswith("/login"):
        return "/"
    return path
""",
    '''def redirect_after(path: str, query: str = "") -> str:
    """Where somebody goes who has logged in; never in a circle."""
    if path.startswith(("/login", "/logout")):
        return "/"
    return f"{path}?{query}" if query else path
''',
)
TEST = """\
from src.login import redirect_after


def test_whoever_logs_in_keeps_the_query() -> None:
    assert redirect_after("/prices", "page=2") == "/prices?page=2"
"""


def scene(repository: Path) -> None:
    """Tasks in every state, comments, talk, collisions, landings and a plan."""
    tasks.commit(repository, {"src/login.py": LOGIN, "docs/login.md": "# Logging in\n\nAsk for a name.\n"}, "Let in")
    _landed(repository, "price-rounding", {"src/prices.py": "PRICES = {\n    'apple': 3,\n    'pear': 5,\n}\n"})
    _landed(repository, "readme-badges", {"README.md": "# Acme\n\nA shop with a good name.\n"})
    _reviewed(repository)
    tasks.approved(repository, "faster-search", {"src/search.py": "def find(text):\n    return []\n"}, priority=2)
    tasks.approved(repository, "dark-mode", {"src/style.css": "body { color: #eee; }\n"})
    _working(repository)
    _ended(repository)


def _landed(repository: Path, task_id: str, files: tasks.Files) -> None:
    tasks.approved(repository, task_id, files, title=f"{task_id.replace('-', ' ').capitalize()}")
    assert tasks.merge(repository, task_id).code == 0


def _reviewed(repository: Path) -> None:
    title = "Keep the query when somebody logs in"
    worktree = tasks.spawn(repository, "fix-login", title=title, prompt=f"{title}.\n\nThe redirect loses `?page=2`.")
    first = BETTER.replace("n=2**14", "n=2**10")
    tasks.commit(worktree, {"src/login.py": first, "tests/test_login.py": TEST}, "Keep the query")
    tasks.hand_in(repository, "fix-login")
    project, task_id = open_project(repository), parse_task_id("fix-login")
    review.request_changes(
        project,
        task_id,
        by=Actor("grace"),
        at=utcnow(),
        body="Good, but the hash is too cheap.",
        comments=[LineComment("src/login.py", 22, "2**10 takes a millisecond. Take 2**14.", Side.NEW)],
    )
    tasks.commit(worktree, {"src/login.py": BETTER, "docs/login.md": None}, "Make the hash dear")
    tasks.hand_in(repository, "fix-login")
    ask = project.bus.append(
        Message("QUESTION", "May old passwords stay as they are until somebody logs in?", task_id="fix-login")
    )
    project.bus.append(
        Message(
            "USER",
            "Yes. Hash them anew at the next login.",
            task_id="fix-login",
            parents=(Parent(ask, "answers"),),
            meta={"by": "grace"},
        )
    )


def _working(repository: Path) -> None:
    for name, text in (("new-prices", "7"), ("price-api", "8")):
        worktree = tasks.spawn(repository, name, title=f"Prices: {name.replace('-', ' ')}", plan="prices")
        tasks.commit(worktree, {"src/prices.py": f"PRICES = {{\n    'apple': {text},\n    'pear': 5,\n}}\n"})
    needs = (parse_task_id("price-api"), parse_task_id("new-prices"))
    tasks.spawn(repository, "price-docs", title="Describe the prices", needs=needs, plan="prices")
    tasks.spawn(repository, "price-page", title="Show them", needs=(parse_task_id("price-docs"),), plan="prices")


def _ended(repository: Path) -> None:
    tasks.spawn(repository, "rewrite-it-in-basic", title="Rewrite the shop in BASIC")
    end.cancel(
        open_project(repository), parse_task_id("rewrite-it-in-basic"), by=Actor("ada"), at=utcnow(), why="not now"
    )
    git(repository, "status", "--short")
