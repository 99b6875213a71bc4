"""
Claims that run full. The kubelet says so, for claims that a pod has mounted; the exporter adds the volume behind them.

A kubelet's series carry its node: all is aggregated by claim first, so a slope goes on when the pod moves. Claims whose
driver is not EBS have no size of their own (EFS says 8 EiB), and what is only read may be full for ever.
"""

from __future__ import annotations

from rules.build import words
from rules.build.claims_owners import C, owned_claim
from rules.build.model import Alert, Record, Threshold

_SIZELESS = "claim:kubernetes_sizeless:info"
_FREE = "claim:kubelet_available:bytes"
_RATIO = "claim:kubelet_available:ratio"
_INODES = "claim:kubelet_inodes_free:ratio"
_SIZE = "claim:kubelet_capacity:bytes"
_SOON = "claim:kubelet_full:eta20m_seconds"
_LATER = "claim:kubelet_full:eta6h_seconds"

_ARGUMENTS = "$labels.cluster $labels.namespace $labels.persistentvolumeclaim"
_SELECTOR = "{cluster='%s',namespace='%s',persistentvolumeclaim='%s'}"


def _asked(expr: str, arguments: str, then: str, otherwise: str = "") -> str:
    """A phrase that is said with the answer to a query, and another one where there is none."""
    end = f"{{{{ else }}}}{otherwise}{{{{ end }}}}" if otherwise else "{{ end }}"
    return f'{{{{ with printf "{expr}" {arguments} | query }}}}{then}{end}'


LEFT = _asked(f"{_FREE}{_SELECTOR}", _ARGUMENTS, "{{ . | first | value | humanize1024 }}B") + _asked(
    f"{_SIZE}{_SELECTOR}", _ARGUMENTS, " of {{ . | first | value | humanize1024 }}B"
)
"""Bytes that are left, of how many."""

_PATCH = (
    "kubectl -n {{ $labels.namespace }} patch pvc {{ $labels.persistentvolumeclaim }} -p "
    '\'{"spec":{"resources":{"requests":{"storage":"'
    + _asked(
        f"ceil(1.5 * {_SIZE}{_SELECTOR} / 2^30)", _ARGUMENTS, '{{ . | first | value | printf \\"%.0f\\" }}'
    ).replace('\\"', '"')
    + "Gi\"}}}}'"
)
_COOLING = _asked(
    "round(21600 - time() + max(aws_ebs_volume_modification_start_timestamp_seconds{cluster='%s',volume_id='%s'}), 60) > 0",
    "$labels.cluster $labels.volume_id",
    "AWS may refuse: the volume was changed less than 6 hours ago; the next change is allowed in "
    "{{ . | first | value | humanizeDuration }}. ",
)
_CLASS = "max by (allow_expansion) (kubernetes_storageclass_info{cluster='%s',storageclass='%s'})"
GROW = (
    f'{{{{ with printf "{_CLASS}" $labels.cluster $labels.storageclass | query }}}}'
    '{{ if eq (. | first | label "allow_expansion") "true" }}The class may grow it. '
    "{{ else }}Its class {{ $labels.storageclass }} does not allow growing: set allowVolumeExpansion: true on the class "
    "first, or make room. {{ end }}{{ else }}Whether its class may grow it is not known. {{ end }}"
    f"{_COOLING}Grow it: {_PATCH}"
)
"""Whether and when the claim can grow, and the command."""

_VOLUME = "{{ if $labels.volume_id }}Volume {{ $labels.volume_id }}{{ else }}It{{ end }}"
_USER = "{{ if $labels.workload }}, used by {{ $labels.workload }},{{ end }}"


def _eta(window: str, values: int) -> str:
    slope = f"deriv({_FREE}[{window}])"
    return f"({_FREE} / ((0 - {slope}) > 0)) and count_over_time({_FREE}[{window}]) >= {values}"


def space() -> list[Record | Alert]:
    """Recordings of what is free and until when, and the alerts that read them."""
    mounted = "kubelet_volume_stats_{} and kubelet_volume_stats_used_bytes > 0"
    sized = f"unless on ({C}) {_SIZELESS}"
    return [
        Record(
            name=_SIZELESS,
            expr=f"""
                group by ({C}) (kubernetes_persistentvolumeclaim_info{{csi_driver!~"(ebs[.].*)?"}})
                or
                group by ({C}) (kubernetes_persistentvolumeclaim_info{{access_mode="ReadOnlyMany"}})
            """,
        ),
        Record(name=_FREE, expr=f"min by ({C}) ({mounted.format('available_bytes')}) {sized}"),
        Record(name=_SIZE, expr=f"min by ({C}) ({mounted.format('capacity_bytes')}) {sized}"),
        Record(
            name=_RATIO,
            expr=f"""
                min by ({C}) (
                  kubelet_volume_stats_available_bytes / (kubelet_volume_stats_capacity_bytes > 0)
                  and kubelet_volume_stats_used_bytes > 0
                ) {sized}
            """,
        ),
        Record(
            name=_INODES,
            expr=f"""
                min by ({C}) (kubelet_volume_stats_inodes_free / (kubelet_volume_stats_inodes > 0)) {sized}
            """,
        ),
        Record(name=_SOON, expr=_eta("20m", 10)),
        Record(name=_LATER, expr=_eta("6h", 30)),
        _full(),
        _soon(),
        _inodes(),
        _later(),
    ]


def _full() -> Alert:
    return Alert(
        name="StorageClaimFull",
        severity="critical",
        component="claims",
        source="client",
        expr=owned_claim(f"round({_RATIO} < $free, 0.001) and on ({C}) {_FREE} < $free_bytes"),
        thresholds={
            "free": Threshold(0.03, "ratio", "share of the claim that is still free"),
            "free_bytes": Threshold(50 * 2**30, "bytes", "bytes that are still free: a huge volume with more can wait"),
        },
        wait="1m",
        keep="10m",
        summary=f"{words.CLAIM}: full, {{{{ humanizePercentage $value }}}} left",
        description=f"{_VOLUME}{_USER} has {LEFT} left. Writes fail when it is full. {GROW}",
        dashboard=words.CLAIM_DASHBOARD,
    )


def _soon() -> Alert:
    return Alert(
        name="StorageClaimFullWithinHour",
        severity="critical",
        component="claims",
        source="client",
        expr=owned_claim(
            f"round({_SOON} < $within, 60) and on ({C}) {_RATIO} < $free and on ({C}) deriv({_FREE}[6m]) < 0"
        ),
        thresholds={
            "within": Threshold(3600, "seconds", "time until the claim is full, at the pace of the last 20 minutes"),
            "free": Threshold(0.25, "ratio", "share of the claim that is still free: with more, a burst may end"),
        },
        wait="3m",
        keep="10m",
        summary=f"{words.CLAIM}: full in {{{{ humanizeDuration $value }}}}",
        description=f"{_VOLUME}{_USER} has {LEFT} left and is full in {{{{ humanizeDuration $value }}}} "
        f"at the pace of the last 20 minutes. {GROW}",
        dashboard=words.CLAIM_DASHBOARD,
    )


def _inodes() -> Alert:
    return Alert(
        name="StorageClaimInodesFull",
        severity="critical",
        component="claims",
        source="client",
        expr=owned_claim(f"round({_INODES} < $free, 0.001) unless on ({C}) {_RATIO} < 0.03"),
        thresholds={"free": Threshold(0.03, "ratio", "share of the claim's inodes that are still free")},
        wait="1m",
        keep="10m",
        summary=f"{words.CLAIM}: out of inodes, {{{{ humanizePercentage $value }}}} left",
        description=f"{_VOLUME}{_USER} has room but hardly any inodes: no new file can be made, programs say "
        "'No space left on device'. Find the directory with very many small files and delete what is not needed: "
        "kubectl -n {{ $labels.namespace }} exec POD -- sh -c "
        "'du --inodes -xd3 MOUNT | sort -n | tail'. On ext4 growing the claim adds inodes.",
        dashboard=words.CLAIM_DASHBOARD,
    )


def _later() -> Alert:
    return Alert(
        name="StorageClaimFillingUp",
        severity="warning",
        component="claims",
        source="client",
        expr=owned_claim(f"round({_LATER} < $within, 3600) and on ({C}) {_RATIO} < $free"),
        thresholds={
            "within": Threshold(172800, "seconds", "time until the claim is full, at the pace of the last 6 hours"),
            "free": Threshold(0.25, "ratio", "share of the claim that is still free"),
        },
        wait="30m",
        keep="15m",
        summary=f"{words.CLAIM}: full in about {{{{ humanizeDuration $value }}}}",
        description=f"{_VOLUME}{_USER} has {LEFT} left and is full in about {{{{ humanizeDuration $value }}}} "
        f"at the pace of the last 6 hours. {GROW}",
        dashboard=words.CLAIM_DASHBOARD,
    )
