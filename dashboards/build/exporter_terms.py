"""Selectors, folds and limits that the panels about the exporter share."""

from __future__ import annotations

from dashboards.build.queries import where
from dashboards.build.thresholds import high, low, number
from rules.build.identity import SERVICE, listed

REPLICA = "cluster, pod, instance, replica"
"""Who a replica is: scraped it has pod and instance, pushing it has replica; a label that is not there is the same for all."""

BY_SERVICE = listed(SERVICE)
BY_JOB = f"{BY_SERVICE}, job_name"

AGE = where("service:storage_exporter_data_age:seconds")
AGE_LIMIT = f"max by ({BY_SERVICE}) ({where('storage_exporter_data_age_limit_seconds')})"

MISSED_LIMIT = high(warning=number("StorageExporterPassesMissed", "passes", of="count"))
THROTTLE_LIMIT = high(warning=number("StorageExporterApiThrottled", "share", of="ratio"))
CREDENTIALS_LIMIT = low(critical=number("StorageExporterCredentialsExpiring", "left", of="seconds"))
LAG_LIMIT = high(warning=number("StorageExporterEventLoopStalled", "lag", of="seconds"))
SILENCE_LIMIT = high(critical=number("StorageExporterPushFailing", "silence", of="seconds"))
WAIT_LIMIT = high(warning=number("StorageExporterPushBacklog", "age", of="seconds"))
FILL_LIMIT = high(warning=number("StorageExporterPushBacklog", "fill", of="ratio"))

ONE = high(warning=1)
ONE_GRAVE = high(critical=1)


def here(name: str, also: str = "") -> str:
    """A metric of the chosen clusters, of one that has no account and region."""
    return where(name, also=also, place=("cluster",))


def once(name: str, *by: str, scoped: bool = False, also: str = "") -> str:
    """
    A gauge of the exporter, the highest of its replicas: those that do not lead keep none or an old one.

    Args:
        name: of the family, without ``storage_exporter_``.

        by: its labels beside the place.

        scoped: whether it has account and region.

        also: further matchers.
    """
    place = ("cluster", "account_id", "region") if scoped else ("cluster",)
    return f"max by ({', '.join([*place, *by])}) ({where(f'storage_exporter_{name}', also=also, place=place)})"


def grown(name: str, *by: str, scoped: bool = False, span: str = "$__rate_interval", also: str = "") -> str:
    """
    By how much a counter of the exporter rose, of all its replicas together.

    Args:
        name: of the family, without ``storage_exporter_`` and ``_total``.

        by: what to sum by.

        scoped: whether it has account and region.

        span: over which time.

        also: further matchers.
    """
    return _counted("increase", name, by, span, also, scoped=scoped)


def per_second(name: str, *by: str, scoped: bool = False, also: str = "") -> str:
    """The same a second, over time."""
    return _counted("rate", name, by, "$__rate_interval", also, scoped=scoped)


def _counted(how: str, name: str, by: tuple[str, ...], span: str, also: str, *, scoped: bool) -> str:
    place = ("cluster", "account_id", "region") if scoped else ("cluster",)
    read = where(f"storage_exporter_{name}_total", also=also, place=place)
    return f"sum by ({', '.join(by)}) ({how}({read}[{span}]))"


DROPS = 'reason!="superseded"'
"""Datapoints that a newer one replaced are no loss."""

_RULERS = (
    "cortex_prometheus_rule_evaluation_failures_total",
    "prometheus_rule_evaluation_failures_total",
    "loki_prometheus_rule_evaluation_failures_total",
)


def rules_failed(span: str) -> str:
    """Evaluations of this project's rule groups that failed, whichever ruler evaluates them."""
    groups = 'rule_group=~".*storage-exporter[.].*"'
    return " or ".join(
        f"sum by (cluster, rule_group) (increase({here(each, also=groups)}[{span}]))" for each in _RULERS
    )
