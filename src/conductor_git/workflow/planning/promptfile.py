"""The file of a prompt, which lies beside its plan: in the same repository, and never outside of it."""

from __future__ import annotations

from pathlib import Path

from conductor_git import durable
from conductor_git.errors import BadInput, TooLarge, UnsafePath
from conductor_git.workflow.prompting.asked import PROMPT_BYTES


def read_prompt(plan: Path, name: str) -> str:
    """The text of the file `name`, seen from the directory of `plan`; `BadInput` where it cannot be had.

    Links are followed as far as they stay in the repository that the plan lies in, or in its directory where it lies in
    none.
    """
    folder = plan.resolve().parent
    root = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
    path = (folder / name).resolve()
    if not path.is_relative_to(root):
        raise _unreadable(name, f"lies outside of {root}")
    try:
        text = durable.read_regular(path, PROMPT_BYTES).decode()
    except OSError as error:
        raise _unreadable(name, str(error.strerror)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(name, "is not UTF-8") from error
    except (TooLarge, UnsafePath) as error:
        raise _unreadable(name, error.message) from error
    if not text.strip() or "\0" in text:
        raise _unreadable(name, "holds a NUL byte" if text.strip() else "is empty")
    return text


def _unreadable(name: str, why: str) -> BadInput:
    return BadInput(f"names {name}, which cannot be read: {why}", hint="conductor-git run --help")
