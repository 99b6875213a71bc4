"""
Credentials: found once, kept fresh in the background, and never waited for by a call that already has some.

botocore refreshes when a request is signed, up to every request, and a hanging agent then stalls the caller for
seconds even while the old credentials live on. So botocore's provider chain is only asked *for* credentials here, in a
worker thread, at half of their life; calls read what was found last. A failed refresh changes nothing but a metric and
a log line: the old credentials are used until AWS itself refuses them, which is the only judge of "expired".

Who the credentials are, and roles to be assumed with them, is for `api`; clients are for `clients`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError
from botocore.session import Session

from exporter.aws import identity
from exporter.aws.faults import brief
from exporter.clock import Clock
from exporter.errors import AwsError, CredentialsError
from exporter.logs import describe, log, logger

LEAST_REFRESH = 5.0
"""Seconds between two refreshes of credentials about to expire, and between two attempts where there are none."""

LONGEST_BACK_OFF = 300.0
"""Seconds between two failed refreshes at most."""

REFUSED_INTERVAL = 30.0
"""Seconds for which credentials that AWS has just refused are not looked for again."""

SESSION_SECONDS = 3600
"""Life of an assumed role's session: the most AWS allows where roles are chained (chart.md 3.7)."""

_logger = logger(__name__)


@dataclass(frozen=True, slots=True)
class Frozen:
    """
    Credentials as they were found; they never change.

    Args:
        access_key: its id; no secret, but of no use to anybody else either.

        secret_key: the secret.

        token: of a session, ``""`` for long-lived keys.

        expiry: unix seconds, or None where they do not expire.

        provider: botocore's name of where they came from, such as ``container-role``.
    """

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expiry: float | None
    provider: str

    def read_only(self) -> ReadOnlyCredentials:
        """As botocore's signers take them."""
        return ReadOnlyCredentials(self.access_key, self.secret_key, self.token or None)


class RoleLike(Protocol):
    """A role to be assumed, as the configuration names it."""

    @property
    def arn(self) -> str:
        """The role's ARN."""
        ...

    @property
    def external_id(self) -> str | None:
        """What its trust policy wants to hear, or None."""
        ...

    @property
    def session_name(self) -> str:
        """How CloudTrail will name us."""
        ...


class Watcher(Protocol):
    """Who wants to hear of a keeper's fortunes."""

    def credentials_changed(self, frozen: Frozen) -> None:
        """There are new ones."""
        ...

    def credentials_failed(self, code: str) -> None:
        """A refresh failed, for that class of reason."""
        ...


class Keeper:
    """
    Keeps the newest credentials of one identity.

    Args:
        fetch: asks for new ones; raises CredentialsError only.

        name: of the identity, for log lines: a role's ARN or ``default chain``.

        clock: real time, because AWS's expiry is.

        jitter: a number from 0 to 1, so that replicas do not refresh together.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[Frozen]], *, name: str, clock: Clock, jitter: Callable[[], float]
    ) -> None:
        self.frozen: Frozen | None = None
        self._fetch = fetch
        self._name = name
        self._clock = clock
        self._jitter = jitter
        self._watchers: list[Watcher] = []
        self._fetching: asyncio.Task[Frozen | CredentialsError] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._due = float("inf")
        self._failures = 0
        self._failure: CredentialsError | None = None
        self._failed_at = float("-inf")
        self._asked_at = float("-inf")

    def watch(self, watcher: Watcher) -> None:
        """Tell *watcher* from now on, and at once what there is."""
        self._watchers.append(watcher)
        if self.frozen is not None:
            watcher.credentials_changed(self.frozen)

    async def current(self, seconds: float) -> Frozen:
        """
        The credentials to use now; found first if there are none yet.

        Args:
            seconds: to wait for the first ones.

        Raises:
            CredentialsError: where none can be had.
        """
        return self.frozen if self.frozen is not None else await self._renew(seconds)

    async def renew(self, refused: Frozen, seconds: float) -> Frozen:
        """
        Others than *refused*, which AWS would not take; the same again where there are no others.

        This is how rotated keys in a shared file are picked up. Asked for by many calls at one time, it is done once.

        Args:
            refused: the credentials of the failed call.

            seconds: to wait.

        Raises:
            CredentialsError: where the provider fails.
        """
        if self.frozen is not None and self.frozen is not refused:
            return self.frozen
        if self._fetching is None and self._clock.monotonic() - self._asked_at < REFUSED_INTERVAL:
            return refused
        return await self._renew(seconds)

    async def close(self) -> None:
        """End the background work."""
        tasks = [task for task in (self._keeping, self._fetching) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- how -------------------------------------------------------------------------------------------------------

    async def _renew(self, seconds: float) -> Frozen:
        if self._fetching is None:
            if self._failure is not None and self._clock.monotonic() - self._failed_at < LEAST_REFRESH:
                raise _again(self._failure)
            self._asked_at = self._clock.monotonic()
            self._fetching = asyncio.create_task(self._refresh(), name=f"credentials of {self._name}")
        # A caller that goes away must not take along what others wait for; a provider that hangs must not be asked
        # twice.
        done, _ = await asyncio.wait({self._fetching}, timeout=max(0.0, seconds))
        if not done:
            raise CredentialsError(f"{self._name}: the credentials provider has not answered for {seconds:.0f} s")
        outcome = done.pop().result()
        if isinstance(outcome, CredentialsError):
            raise _again(outcome)
        return outcome

    async def _refresh(self) -> Frozen | CredentialsError:
        try:
            fresh = await self._fetch()
        except CredentialsError as error:
            self._failed(error)
            return error
        else:
            self._succeeded(fresh)
            return fresh
        finally:
            self._fetching = None

    def _succeeded(self, fresh: Frozen) -> None:
        if self._failures:
            log(_logger, "info", "credentials_recovered", f"credentials of {self._name} are fresh again")
        self.frozen, self._failure, self._failures = fresh, None, 0
        self._due = float("inf")
        if fresh.expiry is not None:
            half_life = (fresh.expiry - self._clock.time()) / 2 * (1 - 0.1 * self._jitter())
            self._due = self._clock.monotonic() + max(LEAST_REFRESH, half_life)
            if self._keeping is None:
                self._keeping = asyncio.create_task(self._keep(), name=f"refresh of {self._name}")
        for watcher in self._watchers:
            watcher.credentials_changed(fresh)

    def _failed(self, error: CredentialsError) -> None:
        if str(error) != str(self._failure):
            log(_logger, "warning", "credentials_refresh_failed", f"no fresh credentials of {self._name}", error=error)
        self._failure, self._failed_at = error, self._clock.monotonic()
        self._failures += 1
        back_off = min(LONGEST_BACK_OFF, LEAST_REFRESH * 2.0**self._failures) * (1 - 0.5 * self._jitter())
        self._due = self._failed_at + back_off
        for watcher in self._watchers:
            watcher.credentials_failed(_code_of(error))

    async def _keep(self) -> None:
        while True:
            # Looked at again from time to time, because a refused call may have changed what is due.
            left = self._due - self._clock.monotonic()
            if left > 0:
                await self._clock.sleep(min(left, REFUSED_INTERVAL))
            elif self._fetching is not None:
                await asyncio.wait({self._fetching})
            else:
                self._fetching = asyncio.create_task(self._refresh(), name=f"credentials of {self._name}")


class Following(Credentials):
    """
    Credentials for botocore's clients that always are the keeper's newest, so no client is ever made anew.

    Args:
        keeper: has found some before a client signs anything.
    """

    def __init__(self, keeper: Keeper) -> None:
        super().__init__("", "", None, "keeper")
        self._keeper = keeper

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """What the keeper has now; never blocks."""
        frozen = self._keeper.frozen
        if frozen is None:
            raise CredentialsError("a client was used before its credentials were found")
        return frozen.read_only()


def assume_params(role: RoleLike) -> dict[str, Any]:
    """
    The parameters of sts:AssumeRole.

    No session tags and no inline policy: under Pod Identity the packed policy is three quarters full (chart.md 3.7).
    """
    params = {"RoleArn": role.arn, "RoleSessionName": role.session_name, "DurationSeconds": SESSION_SECONDS}
    return params | {"ExternalId": role.external_id} if role.external_id else params


def assumed(answer: Mapping[str, Any], role: RoleLike, parent: str) -> Frozen:
    """
    The credentials in an answer of sts:AssumeRole; raises CredentialsError where it has none.

    Args:
        answer: as botocore gives it.

        role: whose they are.

        parent: the provider of the credentials that asked.
    """
    try:
        given = answer["Credentials"]
        return Frozen(
            access_key=given["AccessKeyId"],
            secret_key=given["SecretAccessKey"],
            token=given["SessionToken"],
            expiry=given["Expiration"].timestamp(),
            provider=f"assume-role/{parent}",
        )
    except (KeyError, AttributeError) as error:
        raise CredentialsError(f"role {role.arn}: STS answered without {error}") from error


def find_credentials(fresh_session: Callable[[], Session], wanted: str = "auto") -> Frozen:
    """
    What botocore's provider chain gives. Blocks: files, STS, an agent, a process.

    Args:
        fresh_session: makes one that has resolved nothing yet, so that changed files and tokens are seen.

        wanted: which provider must answer, as `identity` knows them.

    Raises:
        CredentialsError: for whatever a provider raises; they are not particular about it (chart.md 3.3). Also where
            another provider than the wanted one answers.
    """
    if reason := identity.missing(wanted, os.environ):
        raise CredentialsError(reason)
    try:
        found = fresh_session().get_credentials()
        # What the provider has just given is not asked for again because its life is shorter than botocore's margin;
        # some providers ask only when the keys are wanted.
        keys = getattr(found, "_frozen_credentials", None)
        if keys is None and found is not None:
            keys = found.get_frozen_credentials()
    except Exception as error:  # providers raise ValueError, KeyError, OSError, botocore's own and others
        raise CredentialsError(f"no AWS credentials: {hidden(error)}; {_next_step()}") from error
    if found is None or keys is None or not keys.access_key or not keys.secret_key:
        raise CredentialsError(f"no AWS credentials: no provider has any; {_next_step()}")
    if reason := identity.unwanted(wanted, str(found.method)):
        raise CredentialsError(reason)
    # botocore tells an expiry to nobody. Without it nothing would break: AWS says when credentials are over.
    expiry = getattr(found, "_expiry_time", None)
    return Frozen(
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        token=keys.token or "",
        expiry=None if expiry is None else expiry.timestamp(),
        provider=str(found.method),
    )


def _next_step() -> str:
    if "AWS_CONTAINER_CREDENTIALS_FULL_URI" in os.environ:
        return (
            "look at the EKS Pod Identity agent on this node, at the token file (one line without its end) and at the "
            "role of the pod identity association"
        )
    if "AWS_WEB_IDENTITY_TOKEN_FILE" in os.environ:
        return "look at the trust policy of the service account's role (IRSA) and at the way to STS"
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return (
            "the pod identity association is missing or was made after this pod: "
            "create it for this service account and recreate the pod"
        )
    return "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with the AWS CLI"


def _again(error: CredentialsError) -> CredentialsError:
    """A copy to raise: one error raised to many callers would gather all their frames."""
    copy = CredentialsError(str(error))
    copy.__cause__ = error.__cause__
    return copy


def _code_of(error: CredentialsError) -> str:
    cause = error.__cause__
    if isinstance(cause, AwsError):
        return cause.code
    if isinstance(cause, ClientError):
        return str(cause.response.get("Error", {}).get("Code") or type(cause).__name__)
    return type(cause).__name__ if cause is not None else "NoCredentials"


def hidden(error: BaseException) -> str:
    """The class and message of *error* in one line, without anything that looks like a secret."""
    return brief(describe(error))
