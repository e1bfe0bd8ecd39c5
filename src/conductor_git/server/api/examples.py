"""The examples of the OpenAPI document: one task on its way."""

from __future__ import annotations

from typing import Any, Final

_COMMIT: Final = "6f1ed002ab5595859014ebf0951522d9c1f3e9a1"

TASK: Final[dict[str, Any]] = {
    "version": 1,
    "revision": 3,
    "generation": 1,
    "project_id": "acme",
    "task_id": "fix-login",
    "title": "Fix the login redirect loop",
    "state": "IN_REVIEW",
    "branch": "fix-login",
    "target": "main",
    "base_commit": "0" * 39 + "1",
    "head_commit": _COMMIT,
    "approved_commit": None,
    "merge_commit": None,
    "worktree": "../acme.worktrees/fix-login",
    "agent": None,
    "command": [],
    "needs": [],
    "priority": 0,
    "review_of": None,
    "parent_task_id": None,
    "plan": None,
    "fallbacks": [],
    "reviews_required": 1,
    "summary": "The redirect keeps its query",
    "reason": None,
    "created_at": "2026-01-05T09:00:00.000000Z",
    "updated_at": "2026-01-05T09:30:00.000000Z",
    "history": [],
    "attempts": [],
    "attempts_before": 0,
    "supervision": None,
    "landing": None,
    "undo": None,
    "join": None,
}
_SEEN: Final[dict[str, Any]] = {
    "health": None,
    "supervised": False,
    "age_seconds": 12.5,
    "ahead": 1,
    "behind": 0,
    "files": 2,
    "collides": [],
    "would_conflict": [],
    "queue_position": None,
}
_CORE: Final = (
    "task_id title state branch target base_commit head_commit approved_commit merge_commit worktree agent generation "
    "review_of parent_task_id updated_at"
).split()
ROW: Final[dict[str, Any]] = {key: TASK[key] for key in _CORE} | _SEEN
COMMENT: Final = {"path": "src/login.py", "side": "new", "line": 12, "body": "an off-by-one"}
REVIEW: Final[dict[str, Any]] = {
    "version": 1,
    "number": 1,
    "reviewer": "ada",
    "verdict": "request_changes",
    "commit": _COMMIT,
    "at": "2026-01-05T09:40:00.000000Z",
    "body": "no test yet",
    "comments": [COMMENT],
    "outdated": False,
}
REMARK: Final = {**{key: REVIEW[key] for key in ("number", "reviewer", "verdict", "commit", "outdated")}, **COMMENT}
SHOWN: Final[dict[str, Any]] = {
    "task": TASK | _SEEN,
    "reviews": [REVIEW],
    "waits_for": "a review",
    "next_command": "conductor-git approve fix-login",
    "explanation": {"waits_for": "a review", "because": [], "moves": ["conductor-git approve fix-login"]},
    "queue": None,
    "collisions": {"tasks": [], "target": []},
    "children": [],
    "worktree_exists": True,
    "evidence": None,
}
MESSAGE: Final[dict[str, Any]] = {
    "msg_id": "MSG-20260105-094000-000000000-PID04242-0001",
    "ts": "2026-01-05T09:40:00.000000000Z",
    "type": "QUESTION",
    "project_id": "acme",
    "task_id": "fix-login",
    "run_id": None,
    "parents": [],
    "attachment_path": None,
    "meta": {},
    "body": "Which port may the tests use?",
    "recovered": False,
}
FILE: Final = {"name": "stdout.log", "size": 9, "offset": 0, "next_offset": 9, "text": "starting\n"}
AGENT: Final[dict[str, Any]] = {
    "name": "claude",
    "default": True,
    "configured": False,
    "path": None,
    "version": None,
    "usable": False,
    "problem": "not installed",
    "edits": True,
    "command": ["claude", "-p"],
    "stdin": "prompt.md",
    "environment": {},
    "keys": [],
    "keys_set": [],
    "needs_key": False,
}
