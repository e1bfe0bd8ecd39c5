"""Who can be asked over HTTP, and where (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from conductor_git.errors import BadInput
from conductor_git.runner.agents.chatting.dialect import Completions, Dialect, Responses


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider of models. `key` and `base` name the variables of its key and of another address than `url`."""

    name: str
    url: str
    key: str
    base: str
    model: str
    """What is asked where nobody says which model."""
    dialect: Dialect


PERPLEXITY: Final = Provider(
    "perplexity",
    "https://api.perplexity.ai/v1",
    "PERPLEXITY_API_KEY",
    "PERPLEXITY_BASE_URL",
    "sonar-pro",
    # Its chat completions ended on 2026-09-27; what took their place has the shape of the Responses API.
    Responses(),
)
XAI: Final = Provider("xai", "https://api.x.ai/v1", "XAI_API_KEY", "XAI_BASE_URL", "grok-4.3", Completions())
PROVIDERS: Final[Mapping[str, Provider]] = {provider.name: provider for provider in (PERPLEXITY, XAI)}


def checked_url(url: str, variable: str) -> str:
    """`url` without a slash at its end, or `BadInput`: the key goes there, so over https, or to this machine itself.

    The error names the variable and never the address, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise BadInput(f"{variable} is not the address of an API, such as https://api.example.org/v1")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise BadInput(f"{variable} must begin with https:// (http:// only to this machine), or the key could be read")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by its name or number."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def checked_key(key: str | None, variable: str) -> str:
    """The key as a header can hold it; `BadInput`, which never tells it, where there is none or it cannot be one."""
    key = (key or "").strip()
    if not key:
        raise BadInput(f"{variable} is not set", hint=f"export {variable}=…")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise BadInput(f"{variable} holds characters that no key has")
    return key
