"""KMS keys that something of ours is encrypted with: unusable, about to be deleted, or with material that expires."""

from __future__ import annotations

from rules.build import words
from rules.build.ebs_words import CLAIM_OF_EACH, named
from rules.build.identity import FILE_SYSTEM, KEY, VOLUME, listed
from rules.build.model import Alert, Group, Record, Threshold
from rules.build.owners import FILE_SYSTEM_CLAIM

_K, _V, _F = listed(KEY), listed(VOLUME), listed(FILE_SYSTEM)
_C = "namespace, persistentvolumeclaim"
_FILE_KEYS = f"group by ({_F}, key_id) (aws_efs_file_system_kms_key_info)"
_USED = "key:aws_kms_resources:sum"
_CLAIMS = "key:kubernetes_claim:info"
_DELETION = f"max by ({_K}) (aws_kms_key_deletion_timestamp_seconds)"
_WHICH = "$labels.account_id $labels.region $labels.key_id"
_SELECTOR = 'account_id="%s",region="%s",key_id="%s"'

_ENCRYPTS = named(
    f"max by (resource_level) (aws_kms_key_resources{{{_SELECTOR}}})",
    _WHICH,
    " It encrypts: ",
    '{{ printf "%.0f" $each.Value }} {{ reReplaceAll "_" " " $each.Labels.resource_level }}',
    "resource_level",
) + named(f"topk(5, {_CLAIMS}{{{_SELECTOR}}})", _WHICH, " Claims: ", CLAIM_OF_EACH, "persistentvolumeclaim")
_STATE = (
    f"{{{{ with query (printf `group by (state) (aws_kms_key_info{{{_SELECTOR}}})` {_WHICH}) }}}}"
    "{{ (first .).Labels.state }}{{ else }}not known{{ end }}"
)
_AWS = "--region {{ $labels.region }} --key-id {{ $labels.key_id }}"
_KEY_SUMMARY = "KMS key {{ $labels.key_id }}"

KEYS = Group(
    topic="keys",
    rules=[
        Record(name=_USED, expr=f"sum by ({_K}) (max by ({_K}, resource_level) (aws_kms_key_resources))"),
        Record(
            name=_CLAIMS,
            expr=f"""
                group by ({_K}, {_C}) (
                  group by ({_V}, key_id) (aws_ebs_volume_kms_key_info)
                  * on ({_V}) group_left ({_C}) volume:aws_ebs_claim:info{{persistentvolumeclaim!=""}}
                )
                or
                group by ({_K}, {_C}) (
                  {FILE_SYSTEM_CLAIM}
                  * on ({_F}) group_left (key_id)
                  ({_FILE_KEYS} unless on ({_F}) (count by ({_F}) ({_FILE_KEYS}) > 1))
                )
            """,
        ),
        Alert(
            name="AwsKmsKeyDisabled",
            severity="critical",
            component="protection",
            # A key that is to be deleted cannot be used either; it has its own page.
            expr=f"""
                {_USED} > 0 and max by ({_K}) (aws_kms_key_enabled) == 0 unless {_DELETION}
            """,
            keep="10m",
            summary=f'{_KEY_SUMMARY}: cannot be used, and {{{{ printf "%.0f" $value }}}} things need it',
            description=f"""
                The key's state is {_STATE}.{_ENCRYPTS} What is open works on for a while; a volume that is attached
                anew, a restore and, within the hour, file systems and buckets fail. Enable it: aws kms enable-key
                {_AWS}. Ask who disabled it: CloudTrail, event DisableKey.
            """,
            dashboard=words.OVERVIEW_DASHBOARD,
            console=words.KEY_CONSOLE,
        ),
        Alert(
            name="AwsKmsKeyPendingDeletion",
            severity="critical",
            component="protection",
            expr=f"""
                round({_DELETION} - time(), 60) < $horizon and {_USED} > 0
            """,
            thresholds={
                "horizon": Threshold(2764800, "seconds", "before the deletion; AWS waits 7 to 30 days, so 32 is always")
            },
            keep="10m",
            summary=f"{_KEY_SUMMARY}: will be deleted, with all that it encrypts",
            description=f"""
                It is deleted in {{{{ humanizeDuration $value }}}}; then what it encrypts is lost for good.{_ENCRYPTS}
                It cannot be used already now. Take it back: aws kms cancel-key-deletion {_AWS} and then aws kms
                enable-key {_AWS}.
            """,
            dashboard=words.OVERVIEW_DASHBOARD,
            console=words.KEY_CONSOLE,
        ),
        Alert(
            name="AwsKmsKeyMaterialExpiring",
            severity="warning",
            component="protection",
            expr=f"""
                round(max by ({_K}) (aws_kms_key_material_expiry_timestamp_seconds) - time(), 60) < $horizon
                and {_USED} > 0
            """,
            thresholds={"horizon": Threshold(2592000, "seconds", "before imported key material expires")},
            keep="30m",
            summary=f"{_KEY_SUMMARY}: its imported material expires",
            description=f"""
                The material expires in {{{{ humanizeDuration $value }}}}; then nothing that the key encrypts can be
                read.{_ENCRYPTS} Import the same material again, with a later date or none: aws kms
                get-parameters-for-import {_AWS} --wrapping-algorithm RSAES_OAEP_SHA_256 --wrapping-key-spec RSA_4096,
                then aws kms import-key-material.
            """,
            dashboard=words.OVERVIEW_DASHBOARD,
            console=words.KEY_CONSOLE,
        ),
    ],
)
