"""
The rules about EBS volumes and the nodes they are attached to.

Of AWS's recommended alarms (aws-facts 5.1) VolumeStalledIOCheck is AwsEbsVolumeStalledIO and StatusCheckFailed_AttachedEBS
is AwsEbsNodeVolumesUnreachable, both after 3 bad minutes instead of 10. StatusCheckFailed and CPUUtilization of EC2 are
left out: they say whether a node works, not its storage, and Kubernetes replaces nodes that do not.
"""

from __future__ import annotations

from rules.build import ebs_life, ebs_limits, ebs_stalled
from rules.build.model import Group, RuleFile
from rules.build.owners import volume_owners

FILE = RuleFile(
    name="ebs",
    about="EBS volumes: stalled, impaired, throttled, running out of burst credits, and whose they are.",
    groups=[
        Group(topic="owners", rules=volume_owners()),
        ebs_stalled.GROUP,
        *ebs_life.GROUPS,
        *ebs_limits.GROUPS,
    ],
)
