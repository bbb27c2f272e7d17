"""Which hosts a session may speak HTTP with.

An entry is `HOST[:PORT]`: a name, `*.name` (every name below it), `*` (every public host), an address, or
a network (`10.0.0.0/8`). Without a port it means 80 and 443; `:*` means every port.

Names and addresses are checked apart, since a name can be pointed anywhere by whoever owns it: first the
URL's host, then every address it resolves to, and the connection must go to an address that passed. An
address that is not public (loopback, private, link-local, …) passes only through an entry that gives it
as an address or a network; the one exception is the entry `localhost`, which stands for the loopback
addresses.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from llmspell_kernel.errors import BadArgument

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

WEB_PORTS = (80, 443)
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",  # Azure's own services for a machine in it
        "192.0.0.0/24",  # protocol assignments; Oracle Cloud's metadata are at 192.0.0.192
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "64:ff9b:1::/48",  # NAT64 of a local network
        "fec0::/10",  # site-local, deprecated
    )
)
"""What counts as global for `ipaddress` (of some versions of Python), and is not the public Internet."""


class Target(msgspec.Struct, frozen=True):
    """Where a request goes, in the one spelling that was checked.

    Attributes:
        scheme: `http` or `https`.
        host: A lower-case ASCII name without a final dot, or a canonical address without brackets.
        port: The port.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int

    @property
    def address(self) -> Address | None:
        """The host as an address, if it is one."""
        return to_address(self.host)

    def __str__(self) -> str:
        """Return `HOST:PORT`, as a grant spells it."""
        return entry_text(self.host, self.port)


class HostRule(msgspec.Struct, frozen=True):
    """One entry of the `http` grants; make it with `parse`.

    Attributes:
        pattern: The name, wildcard, address or network in its canonical spelling.
        ports: The ports, or None for every port.
    """

    pattern: str
    ports: tuple[int, ...] | None = WEB_PORTS

    @classmethod
    def parse(cls, text: str) -> HostRule:
        """Read an entry.

        Raises:
            ValueError: It is not `HOST[:PORT]`; the message says what is wrong with it.
        """
        if "://" in text:
            raise ValueError(f"{text!r} is a URL; write its host alone, like example.org or example.org:8080")
        host, port = _split_port(text.strip())
        ports = WEB_PORTS if port is None else None if port == "*" else (_port(port, text),)
        return cls(_pattern(host, text), ports)

    def covers_port(self, port: int) -> bool:
        """Tell whether the port is among the rule's."""
        return self.ports is None or port in self.ports

    def covers_address(self, address: Address) -> bool:
        """Tell whether the rule gives this address itself: as an address, a network, or `localhost`."""
        if self.pattern == "localhost":
            return address.is_loopback
        network = _to_network(self.pattern)
        return network is not None and address.version == network.version and address in network

    def covers_name(self, name: str) -> bool:
        """Tell whether the rule covers a host that is given by name."""
        if is_local_name(name):
            network = _to_network(self.pattern)
            return self.pattern == "localhost" or (network is not None and network.is_loopback)
        if self.pattern == "*":
            return True
        if self.pattern.startswith("*."):
            return name.endswith(self.pattern[1:])
        return name == self.pattern

    def __str__(self) -> str:
        """Return the entry as configuration spells it."""
        if self.ports == WEB_PORTS:
            return entry_text(self.pattern, None)
        return entry_text(self.pattern, "*" if self.ports is None else self.ports[0])


def reach(rules: tuple[HostRule, ...], target: Target) -> bool:
    """Tell whether rules let a session ask for a target, before its name is resolved."""
    address = target.address
    if address is not None:
        return connect(rules, target, address)
    return any(rule.covers_port(target.port) and rule.covers_name(target.host) for rule in rules)


def connect(rules: tuple[HostRule, ...], target: Target, address: Address) -> bool:
    """Tell whether rules let a session connect to one address of a target that `reach` allows."""
    fitting = [rule for rule in rules if rule.covers_port(target.port)]
    if any(rule.covers_address(address) for rule in fitting):
        return True
    if not is_public(address):
        return False
    if target.address is not None:
        return any(rule.pattern == "*" for rule in fitting)
    return any(rule.covers_name(target.host) for rule in fitting)


def parse_url(url: str) -> Target:
    """Read where a URL leads, refusing every spelling that two parsers may read differently.

    Raises:
        BadArgument: It is not a plain `http` or `https` URL.
    """
    if not url.isprintable() or any(c in url for c in " \\"):
        raise BadArgument("a URL holds no spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
        if port == 0:
            raise ValueError("port 0")
    except ValueError as error:
        message = "not a URL: its host is a name or an address, its port a number from 1 to 65535"
        raise BadArgument(message) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadArgument("a URL starts with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise BadArgument("a URL holds no user name or password: `auth.basic` is for these")
    if "[" in parts.netloc and ":" not in parts.hostname:
        raise BadArgument("brackets are for IPv6 addresses")
    host = canonical_host(parts.hostname)
    return Target(parts.scheme, host, port if port is not None else 443 if parts.scheme == "https" else 80)


def canonical_host(host: str) -> str:
    """Return a host in its one spelling: lower-case ASCII, and the usual form of an address.

    Raises:
        BadArgument: It is neither a host name nor an address.
    """
    if ":" in host:
        return _canonical_ipv6(host)
    try:
        ascii_host = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise BadArgument("not a host name") from error
    # As the WHATWG URL standard does: a last label that is a number makes the whole host an IPv4 address.
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", ascii_host.rpartition(".")[2]):
        try:
            return socket.inet_ntoa(socket.inet_aton(ascii_host))
        except OSError as error:
            raise BadArgument(f"not an address: {ascii_host}") from error
    if len(ascii_host) > 253 or not _NAME.fullmatch(ascii_host):
        raise BadArgument("not a host name")
    return ascii_host


def is_local_name(name: str) -> bool:
    """Tell whether a name stands for this machine by convention (RFC 6761)."""
    return name == "localhost" or name.endswith(".localhost")


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public Internet, looking through IPv4 inside IPv6."""
    inner = _embedded_ipv4(address)
    if inner is not None:
        return is_public(inner)
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def to_address(text: str) -> Address | None:
    """Return text as an address, an IPv4 address that is mapped into IPv6 as itself, or None."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def entry_text(host: str, port: int | str | None) -> str:
    """Return `HOST[:PORT]`, an IPv6 address in brackets."""
    if ":" in host:
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"


def _embedded_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to (mapped, NAT64, 6to4, Teredo), if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _split_port(text: str) -> tuple[str, str | None]:
    """Split `HOST:PORT`; an IPv6 address with a port stands in brackets."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r}: an IPv6 address is written [::1] or [::1]:8080")
        return host, rest[1:] or None
    if text.count(":") > 1:
        return text, None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _port(text: str, whole: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError(f"{whole!r}: a port is a number from 1 to 65535, or * for all")
    return int(text)


def _pattern(host: str, whole: str) -> str:
    """Return the canonical spelling of a rule's host."""
    if "/" in host:
        try:
            return str(ipaddress.ip_network(host, strict=False))
        except ValueError as error:
            raise ValueError(f"{whole!r} is no network like 10.0.0.0/8") from error
    prefix, name = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    if host == "*":
        return host
    try:
        name = canonical_host(name)
    except BadArgument as error:
        message = f"{whole!r} is no host: write example.org, *.example.org, 127.0.0.1:8080 or *"
        raise ValueError(message) from error
    if prefix and to_address(name):
        raise ValueError(f"{whole!r}: write addresses as a network, like 10.0.0.0/8")
    return prefix + name


def _to_network(pattern: str) -> Network | None:
    try:
        return ipaddress.ip_network(pattern)
    except ValueError:
        return None


def _canonical_ipv6(host: str) -> str:
    address = to_address(host)
    if address is None or "%" in host:
        raise BadArgument("not an IPv6 address")
    return str(address)
