"""Which names a server answers to, and which sites may make a browser ask it for a change (pure).

A page of another site can let its own name point to this machine (DNS rebinding), and any page can make a browser send
a form here. The first is seen by `Host`, the second by `Origin` and `Sec-Fetch-Site`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_OWN: Final = ("same-origin", "none")


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names that `Host` may hold. `any_address` (of a server on all interfaces) lets every IP address in too: an
    address in `Host` is what the browser connected to, and no name that a site could point here."""

    names: frozenset[str] = LOOPBACK
    any_address: bool = False

    def knows(self, host: str) -> bool:
        """Whether `host`, the value of that header, is one of ours; any port is good."""
        name = _name(host)
        return name in self.names or (self.any_address and is_address(name))


def bound_to(host: str, machine: str) -> Hosts:
    """The names of a server that binds `host` on the machine called `machine`."""
    if not is_address(host):
        return Hosts(LOOPBACK | {host.lower()})
    if ip_address(host).is_unspecified:
        return Hosts(LOOPBACK | {machine.lower()}, any_address=True)
    return Hosts(LOOPBACK | {host.lower()})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that binds `host`."""
    return host.lower() == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a page of another origin made the browser send this request; a script sends neither header."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in _OWN:
        return True
    return origin is not None and _place(origin) != headers.get("host", "").lower()


def is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _place(origin: str) -> str | None:
    """`host:port` of an origin as browsers send it; None for `null` and everything else."""
    parts = _split(origin)
    if parts is None or parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
        return None
    return parts.netloc.lower()


def _name(host: str) -> str:
    parts = _split(f"//{host}")
    if parts is None or parts.netloc != host or "@" in host:
        return ""
    return (parts.hostname or "").lower()


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return None
    return parts
