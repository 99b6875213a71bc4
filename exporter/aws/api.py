"""
The way to AWS for the floors above: one `Access` per region and identity, all of them on one `Runtime`.

A call waits for its turn (`limits`), is made with the newest credentials (`session`), fails as one of our classes
(`faults`), is repeated where that can help, counted each time, and over by its deadline whatever AWS does. Failures
are raised, not logged: they are logged once, where they are handled. What to ask is for the floors above.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError

from exporter.aws import metricdata
from exporter.aws.attempts import Call
from exporter.aws.caller import Caller
from exporter.aws.clients import Clients, Endpoint, Paging, member
from exporter.aws.faults import NoAnswerError, from_exception
from exporter.aws.limits import GET_METRIC_DATA
from exporter.aws.session import Frozen, Keeper, RoleLike, assume_params, assumed, find_credentials
from exporter.aws.shared import Shared
from exporter.aws.workers import run_apart
from exporter.errors import (
    AwsError,
    CredentialsError,
    DeniedError,
    RequestError,
)
from exporter.model import Scope


class Runtime(Shared):
    """What all access to AWS shares, and the accesses there are; an async context manager."""

    def open(self, region: str | None, roles: Sequence[RoleLike] = ()) -> Access:
        """
        The access to one region with one chain of roles; the same object for the same arguments.

        Args:
            region: None for the default: AWS_REGION, AWS_DEFAULT_REGION, the profile's.

            roles: to assume, one after another; none for the credentials' own identity.

        Raises:
            ConfigError: where there is no default region.
        """
        region = region or self.default_region()
        chain = tuple((role.arn, role.external_id or "", role.session_name) for role in roles)
        access: Access | None = self.accesses.get((region, *chain))
        if access is None:
            role_arn = chain[-1][0] if chain else ""
            scope = Scope(role_arn.split(":")[4] if role_arn.count(":") >= 5 else "", region, role_arn)
            access = Access(self, scope, self._keeper(region, roles, chain))
            self.accesses[(region, *chain)] = access
        return access

    def _keeper(self, region: str, roles: Sequence[RoleLike], chain: tuple[tuple[str, str, str], ...]) -> Keeper:
        # The first identity is the same everywhere; a role is assumed at the STS of the region it is for.
        key: tuple[object, ...] = (region, *chain) if chain else ()
        if key not in self.keepers:
            if roles:
                parent, role = self.open(region, roles[:-1]), roles[-1]
                self.keepers[key] = self.new_keeper(lambda: parent.assume(role), role.arn)
            else:
                self.keepers[key] = self.new_keeper(
                    lambda: run_apart(lambda: find_credentials(lambda: self.botocore.session(region), self.provider)),
                    "the default chain",
                )
        return self.keepers[key]


class Access:
    """
    AWS as one identity sees it in one region.

    Args:
        runtime: shared with all others.

        scope: its account_id is ``""`` until `identify`, unless a role's ARN tells it.

        keeper: of the credentials.

        arn: whose they are, where another access has already asked.
    """

    def __init__(self, runtime: Runtime, scope: Scope, keeper: Keeper, arn: str = "") -> None:
        self._runtime = runtime
        self._keeper = keeper
        self._clients = Clients(runtime.botocore, scope.region, keeper, runtime.transport)
        self._caller = Caller(
            scope,
            keeper,
            lambda seconds: self.call("sts", "GetCallerIdentity", {}, aws_service="sts", deadline=seconds),
            self.credentials_changed,
            wanted=runtime.role,
            seconds=runtime.deadline,
            monotonic=runtime.monotonic,
            arn=arn,
        )
        self._endpoint: Endpoint | None = None
        self._elsewhere: dict[str, Access] = {}
        if not arn:
            keeper.watch(self)

    @property
    def scope(self) -> Scope:
        """Whose AWS, and where."""
        return self._caller.scope

    def elsewhere(self, region: str) -> Access:
        """
        The same identity in another region, whatever that may be worth there; the same object for the same region.

        Some metrics are published in another region than the resource's own (S3 replication: the destination's).
        """
        access = self._elsewhere.get(region)
        if access is None:
            scope = Scope(self.scope.account_id, region, self.scope.role_arn)
            access = self._elsewhere[region] = Access(self._runtime, scope, self._keeper, self._caller.arn)
        return access

    async def identify(self) -> Scope:
        """
        Whose AWS this is, by sts:GetCallerIdentity (which needs no permission); asked once.

        Raises:
            CredentialsError: where there are no credentials, AWS refuses them, or they are another role's than the
                configuration wants.

            AwsError: where STS does not answer.
        """
        await self._caller.identify()
        return self.scope

    async def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        aws_service: str,
        deadline: float | None = None,
    ) -> dict[str, Any]:
        """
        The answer to one AWS call, as botocore gives it (timestamps are datetimes).

        Args:
            service: botocore's name of the API, such as ``ec2``.

            operation: as AWS spells it, such as ``DescribeVolumes``.

            params: as botocore takes them.

            aws_service: our service module on whose behalf it is done.

            deadline: seconds for it all, waiting and repetitions included; None for the configured.

        Raises:
            AwsError: DeniedError, RequestError at once; ThrottledError, DeadlineError, TransientError when the time for
                repetitions is up.

            CredentialsError: where there are no credentials, or AWS refuses them.
        """
        return await self._read(Call(service, operation, service, aws_service), params, dict, deadline)

    async def read_all(
        self,
        service: str,
        operation: str,
        result_key: str,
        params: Mapping[str, Any],
        *,
        aws_service: str,
        page_size: int | None = None,
        keep: Callable[[Mapping[str, Any]], Any] | None = None,
    ) -> list[Any]:
        """
        The items of all pages, in AWS's order; each page is a `call` with a deadline of its own.

        Args:
            service: botocore's name of the API.

            operation: as AWS spells it.

            result_key: the member that holds the items; names with dots between, where it lies deeper.

            params: as botocore takes them, apart from pages.

            aws_service: on whose behalf.

            page_size: items a page; None leaves it to AWS.

            keep: from an item to what is kept of it, called in a worker thread; None keeps it all.

        Raises:
            AwsError, CredentialsError: as `call`; RequestError also where AWS gives the same page's token twice.
        """
        paging = await self._paging(service, operation)
        asked = dict(params)
        if paging is not None and paging.limit and page_size is not None:
            asked[paging.limit] = page_size
        items: list[Any] = []
        seen: set[str] = set()

        def cut(page: Mapping[str, Any]) -> dict[str, Any]:
            found = member(page, result_key) or []
            return {
                "items": found if keep is None else [keep(item) for item in found],
                "tokens": paging.next_tokens(page) if paging is not None else {},
            }

        while True:
            page = await self._read(Call(service, operation, service, aws_service), asked, cut, None)
            items += page["items"]
            # An empty page with a token is not the last one: EC2 filters after it has cut its pages.
            tokens = page["tokens"]
            if not tokens:
                return items
            if repr(tokens) in seen:
                raise RequestError(service, operation, "RepeatedToken", f"page {len(seen) + 1} points to itself")
            seen.add(repr(tokens))
            asked |= tokens

    async def _paging(self, service: str, operation: str) -> Paging | None:
        """How it is paged: for the first time it is read in a thread, with a client made for it."""
        if self._clients.knows_paging(service, operation):
            return self._clients.paging(service, operation)
        try:
            return await self._runtime.workers.run(
                lambda _: self._clients.paging(service, operation), self._runtime.deadline
            )
        except (BotoCoreError, NoAnswerError) as error:
            raise from_exception(service, operation, error) from error

    async def get_metric_data(
        self,
        body_head: Callable[[], bytes],
        start: int,
        end: int,
        *,
        aws_service: str,
        next_token: str | None = None,
        deadline: float | None = None,
        queries: int = 0,
        billable: int = 0,
        datapoints: int = 0,
    ) -> dict[str, Any]:
        """
        One page of one GetMetricData request: an object with a list ``MetricDataResults``; timestamps are numbers.

        Args:
            body_head: writes the request as a JSON object without its closing brace, and without times; called when its
                turn has come, so that requests that wait for theirs are not there yet.

            start: unix seconds, inclusive.

            end: unix seconds, exclusive.

            aws_service: on whose behalf.

            next_token: of the page before.

            deadline: seconds for it all, waiting and repetitions included; None for the configured.

            queries: how many are in it, for the counts of what may be billed besides answers.

            billable: what CloudWatch counts for them, in metrics.

            datapoints: that the answer may hold.

        Raises:
            AwsError, CredentialsError: as `call`.
        """

        async def once(credentials: Frozen, seconds: float) -> dict[str, Any]:
            body = metricdata.body_of(body_head(), start, end, next_token)
            if self._endpoint is None:
                self._endpoint = await self._runtime.workers.run(
                    lambda _: self._clients.endpoint(metricdata.SERVICE), seconds
                )
            endpoint, agent = self._endpoint, self._runtime.user_agent
            headers = metricdata.signed_headers(endpoint, body, credentials, agent)
            reply = await self._runtime.transport.send("POST", endpoint.url, headers, body, seconds)
            return metricdata.answer_of(reply)

        further = next_token is not None
        call = Call(
            metricdata.SERVICE,
            metricdata.OPERATION,
            GET_METRIC_DATA,
            aws_service,
            queries,
            billable,
            further,
            datapoints,
        )
        return await self._make(once, call, deadline)

    async def assume(self, role: RoleLike) -> Frozen:
        """
        Credentials of *role*, asked for with these.

        Raises:
            CredentialsError: where the role cannot be assumed.
        """
        if self._runtime.role is not None and not self.scope.role_arn:
            try:
                await self.identify()
                await self._caller.check()
            except AwsError as error:
                raise CredentialsError(f"role {role.arn} is not assumed: {error}") from error
        try:
            answer = await self.call("sts", "AssumeRole", assume_params(role), aws_service="sts")
        except DeniedError as error:
            # Under Pod Identity the session's tags go along, and then both actions are needed (chart.md 3.7).
            raise CredentialsError(
                f"role {role.arn} may not be assumed: {error.detail}; its trust policy must allow this identity "
                "sts:AssumeRole and, from EKS Pod Identity, sts:TagSession, and so must the identity's own policy"
            ) from error
        except AwsError as error:
            raise CredentialsError(f"role {role.arn} cannot be assumed: {error}") from error
        frozen = self._keeper.frozen
        return assumed(answer, role, frozen.provider if frozen is not None else "")

    # ---- told by the keeper ----------------------------------------------------------------------------------------

    def credentials_changed(self, frozen: Frozen) -> None:
        """Show the new credentials' expiry and provider, once it is known whose they are."""
        if self._caller.arn:
            self._runtime.telemetry.credentials(self.scope, frozen.expiry)
            self._runtime.telemetry.identity(self.scope, self._caller.arn, frozen.provider)

    def credentials_failed(self, code: str) -> None:
        """Count a failed refresh."""
        self._runtime.telemetry.credentials_refresh_failed(self.scope, code)

    # ---- how a call is made ----------------------------------------------------------------------------------------

    async def _read(
        self,
        call: Call,
        params: Mapping[str, Any],
        cut: Callable[[Mapping[str, Any]], dict[str, Any]],
        deadline: float | None,
    ) -> dict[str, Any]:
        """What *cut* makes of botocore's answer, in the worker thread that has read it."""

        async def once(_credentials: Frozen, seconds: float) -> dict[str, Any]:
            return await self._runtime.workers.run(
                lambda attempt: cut(self._clients.invoke(call.service, call.operation, params, attempt)), seconds
            )

        return await self._make(once, call, deadline)

    async def _make(
        self, once: Callable[[Frozen, float], Awaitable[dict[str, Any]]], call: Call, deadline: float | None
    ) -> dict[str, Any]:
        if call.service != "sts":
            await self._caller.check()
        who = self._caller.arn or self.scope.role_arn or "the default credentials"
        return await self._runtime.attempts.make(once, call, self._keeper, self.scope, who, deadline)
