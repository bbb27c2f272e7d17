"""What the references of ``auth`` stand for: put into requests here, only for the hosts that may have them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

import msgspec

from llmspell_kernel.bridges.http_client import Ask, Attachment, HttpClient
from llmspell_kernel.bridges.registry import Host
from llmspell_kernel.errors import AuthenticationFailed, BadArgument, SpellError
from llmspell_kernel.grants.hosts import HostRule, reach
from llmspell_kernel.grants.missing import shown

if TYPE_CHECKING:
    from llmspell_kernel.grants import Target

MARK = "$auth"
"""The field by which a reference is known."""
_EARLY_SECONDS = 30.0
"""Before a token ends it is asked for again."""
_REASON = re.compile(r"[a-z_]{1,40}")
"""Why there is no token, as RFC 6749, 5.2 has it."""


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A credential as Lua describes it."""

    kind: Literal["bearer", "basic", "api_key", "oauth2"] = msgspec.field(name=MARK)
    secret: str
    user: str = ""
    header: str = "X-API-Key"
    query: str = ""
    token_url: str = ""
    client_id: str = ""
    scope: str = ""
    audience: str = ""


def reference_of(value: Any, where: str) -> Reference:
    """Read a reference out of what Lua passed; raises `BadArgument`."""
    try:
        return msgspec.convert(value, Reference)
    except msgspec.ValidationError as error:
        raise BadArgument(f"{where} is no credential, such as auth.bearer makes") from error


class Credentials:
    """Turns references into what they stand for, for the hosts that may have it."""

    def __init__(self, host: Host, client: HttpClient) -> None:
        self._host = host
        self._client = client
        self._tokens: dict[Reference, tuple[str, float]] = {}
        self._asking = asyncio.Lock()

    async def attach(self, reference: Reference, target: Target, *, header: str = "") -> Attachment:
        """Return what a credential adds to a request to a target.

        Args:
            reference: The credential.
            target: Where the request goes.
            header: The header that it was given for; else where its kind belongs.

        Raises:
            AuthenticationFailed: There is no such secret.
            SpellError: It may not be sent there.
        """
        value = self._value(reference, target)
        if reference.kind == "oauth2":
            value = await self._token(reference)
        if reference.kind == "basic":
            value = base64.b64encode(f"{reference.user}:{value}".encode()).decode()
        words = (value, self._value(reference, target))
        if reference.kind == "api_key":
            if reference.query and not header:
                return Attachment(query=[(reference.query, value)], words=words)
            return Attachment(headers=[(header or reference.header, value)], words=words)
        scheme = "Basic" if reference.kind == "basic" else "Bearer"
        return Attachment(headers=[(header or "Authorization", f"{scheme} {value}")], words=words)

    def _value(self, reference: Reference, target: Target) -> str:
        name = reference.secret
        declared = self._host.settings.secrets.get(name)
        secret = self._host.settings.vault.secret(name) if declared else None
        host = json.dumps(target.host)
        if declared is None or secret is None:
            raise AuthenticationFailed(
                f"there is no secret named {shown(name)}"
                if declared is None
                else f"the secret {name} is not set",
                suggestion="declare it in your configuration: "
                f'[secrets.{shown(name)}] env = "VARIABLE", hosts = [{host}]',
            )
        rules = tuple(HostRule.parse(entry) for entry in declared.hosts)
        if not reach(rules, target):
            raise SpellError(
                f"the secret {name} may not be sent to {target}",
                code="secret_refused",
                suggestion=f"to allow it, add {host} to hosts under [secrets.{name}] in your configuration",
            )
        local = target.host == "localhost" or (target.address is not None and target.address.is_loopback)
        if target.scheme != "https" and not local:
            raise SpellError(
                f"the secret {name} is not sent to {target} without encryption",
                code="secret_refused",
                suggestion="use an https:// URL",
            )
        return secret.reveal()

    async def _token(self, reference: Reference) -> str:
        """Return an access token by the client credentials grant (RFC 6749, 4.4)."""
        async with self._asking:
            token, ends = self._tokens.get(reference, ("", 0.0))
            if token and time.monotonic() < ends:
                return token
            token, seconds = await self._ask_for_token(reference)
            self._tokens[reference] = token, time.monotonic() + seconds - _EARLY_SECONDS
            return token

    async def _ask_for_token(self, reference: Reference) -> tuple[str, float]:
        fields = {
            "grant_type": "client_credentials",
            "scope": reference.scope,
            "audience": reference.audience,
        }
        form = urlencode({name: value for name, value in fields.items() if value})
        client = Reference(kind="basic", secret=reference.secret, user=reference.client_id)

        async def attach(target: Target) -> Attachment:
            attached = await self.attach(client, target)
            return msgspec.structs.replace(attached, words=())  # nobody but us reads the answer

        reply = await self._client.fetch(
            Ask(
                url=reference.token_url,
                method="POST",
                headers=[
                    ("Content-Type", "application/x-www-form-urlencoded"),
                    ("Accept", "application/json"),
                ],
                body=form.encode(),
                attach=attach,
                why="auth.oauth2",
            )
        )
        try:
            answer = msgspec.json.decode(reply.body, type=_Token, strict=False)
        except msgspec.MsgspecError:
            answer = _Token()
        if reply.status >= 300 or not answer.access_token:
            reason = f" ({answer.error})" if _REASON.fullmatch(answer.error) else ""
            raise AuthenticationFailed(
                f"no token for the secret {reference.secret}: {shown(reference.token_url)} answered with "
                f"status {reply.status}{reason}",
                suggestion="see whether token_url, client_id and the secret are right",
                retryable=reply.status >= 500 or reply.status == 429,
            )
        return answer.access_token, answer.expires_in


class _Token(msgspec.Struct, frozen=True):
    access_token: str = ""
    expires_in: float = 300.0
    error: str = ""
