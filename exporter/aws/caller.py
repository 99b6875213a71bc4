"""
Whose the credentials of an access are, as STS says it: asked before anything is read, and again when they are new.

An association, a profile or a file may have another role by the next refresh. What is read with it would be labelled
with the account of before, or be more than the configuration's `identity` allows; so it is not read. Which reasons
there are is in `identity`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from exporter.aws.faults import MALFORMED
from exporter.aws.identity import moved, without_session, wrong_role
from exporter.aws.session import Frozen, Keeper
from exporter.errors import AwsError, CredentialsError, TransientError
from exporter.logs import log, logger
from exporter.model import Scope

ASKED_AGAIN, ASKED_FOR = 60.0, 5.0
"""Seconds until STS is asked again whose new credentials are, where it did not say; and for which it is asked then."""

_logger = logger(__name__)


class Caller:
    """
    The identity of one access.

    Args:
        scope: its account_id is ``""`` until `identify`, unless a role's ARN tells it.

        keeper: of the credentials.

        ask: for the answer of sts:GetCallerIdentity, within so many seconds (None for the usual).

        told: called when it is known, or changed; never for the name of a session alone.

        wanted: ARN of the role it must be, None for any; of no concern to a scope whose roles are assumed.

        seconds: to wait for credentials.

        monotonic: seconds that never jump.

        arn: where another access asks; then nothing is asked here.
    """

    def __init__(
        self,
        scope: Scope,
        keeper: Keeper,
        ask: Callable[[float | None], Awaitable[Mapping[str, Any]]],
        told: Callable[[Frozen], None],
        *,
        wanted: str | None,
        seconds: float,
        monotonic: Callable[[], float],
        arn: str = "",
    ) -> None:
        self.scope = scope
        self.arn = arn
        self._keeper = keeper
        self._ask = ask
        self._told = told
        self._wanted = None if scope.role_arn else wanted
        self._seconds = seconds
        self._monotonic = monotonic
        # A role that is assumed is what it is, however often.
        self._lasting = bool(arn or scope.role_arn)
        self._asked_of: Frozen | None = None
        self._asked_at = float("-inf")
        self._refusal = ""
        self._asking = asyncio.Lock()

    async def identify(self) -> None:
        """
        Ask, unless it is known.

        Raises:
            CredentialsError: where there are no credentials, AWS refuses them, or they are another role's than wanted.

            AwsError: where STS does not answer.
        """
        async with self._asking:
            if not self.arn:
                await self._find_out(None)

    async def check(self) -> None:
        """
        Ask again where there are new credentials, once for each.

        Where STS does not answer, they are taken for what the old ones were until it does.

        Raises:
            CredentialsError: where nothing may be read with them.
        """
        if not self.arn or self._lasting:
            return
        async with self._asking:
            known = self._asked_of == self._keeper.frozen and not self._refusal
            if known or self._monotonic() - self._asked_at < ASKED_AGAIN:
                if self._refusal:
                    raise CredentialsError(self._refusal)
                return
            self._asked_at = self._monotonic()
            try:
                await self._find_out(ASKED_FOR)
            except AwsError as error:
                what = "it is not known whose the new credentials are; they are used like the old ones"
                log(_logger, "warning", "aws_identity_unknown", what, scope=self.scope, error=error)
            else:
                self._asked_at = float("-inf")

    async def _find_out(self, deadline: float | None) -> None:
        if self._refusal and self._keeper.frozen is not None:
            # Those there are will not do, however long they live; an association may have been corrected meanwhile.
            await self._keeper.renew(self._keeper.frozen, self._seconds)
        frozen = await self._keeper.current(self._seconds)
        answer = await self._ask(deadline)
        account_id, arn = str(answer.get("Account", "")), str(answer.get("Arn", ""))
        if not account_id or not arn:
            raise TransientError("sts", "GetCallerIdentity", MALFORMED, "the answer names no account")
        self._asked_of = frozen
        self._refusal = wrong_role(self._wanted, arn)
        if self.arn and not self._refusal:
            self._refusal = moved(account_id, self.scope.account_id, arn)
        if self._refusal:
            raise CredentialsError(self._refusal)
        if without_session(self.arn) == without_session(arn):
            return
        self.scope = Scope(account_id, self.scope.region, self.scope.role_arn)
        self.arn = arn
        self._told(frozen)
        message = f"AWS access as {arn}, credentials from {frozen.provider}"
        log(_logger, "info", "aws_identity", message, scope=self.scope, arn=arn, provider=frozen.provider)
