"""The rules about claims: space, attachments, CSI drivers, zones, and what is about to go. The groups are in modules."""

from __future__ import annotations

from rules.build.claims_attach import attachments
from rules.build.claims_drivers import drivers
from rules.build.claims_life import ends, sizes
from rules.build.claims_owners import claim_owners
from rules.build.claims_space import space
from rules.build.claims_zones import nodes_of_zones, zones
from rules.build.model import Group, RuleFile

FILE = RuleFile(
    name="claims",
    about="Claims that are full or going, volumes that cannot be attached, CSI drivers that are down, zones that are lost.",
    groups=[
        Group(topic="owners", rules=claim_owners()),
        Group(topic="space", rules=space()),
        Group(topic="sizes", rules=sizes()),
        Group(topic="ends", rules=ends()),
        Group(topic="attachments", rules=attachments()),
        Group(topic="drivers", rules=drivers()),
        Group(topic="nodes", rules=nodes_of_zones()),
        Group(topic="zones", rules=zones()),
    ],
)
