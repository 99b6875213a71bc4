"""Whose a series is at the receiver, and which way it goes there."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.naming import label_set
from exporter.remote.tenants import Tenants

ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"
SCOPES = {ONE: "one", f"{ONE}/eu-west-1": "one-eu", f"{TWO}/us-east-1": "two-us"}

names = st.sampled_from(["account_id", "region", "cluster", "bucket", "xaccount_id", "A", "volume_id"])
texts = st.text(st.sampled_from('ab1,={}"\\\n é') | st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [ONE, TWO, "eu-west-1", "us-east-1", "x,account_id=", ",region=", f'account_id="{ONE}"', f'{{account_id="{TWO}"']
)


@pytest.mark.parametrize(
    ("account", "region", "tenant"),
    [
        (ONE, "eu-west-1", "one-eu"),
        (ONE, "us-east-1", "one"),
        (ONE, "", "one"),
        (TWO, "us-east-1", "two-us"),
        (TWO, "eu-west-1", "rest"),
        (THREE, "eu-west-1", "rest"),
        ("", "", "rest"),
    ],
)
def test_the_region_counts_before_the_account_and_the_account_before_the_default(
    account: str, region: str, tenant: str
) -> None:
    """What is said of a region of an account wins, then what is said of the account, then the default."""
    tenants = Tenants("rest", SCOPES)
    assert tenants.of(account, region) == tenant
    assert tenants.of_labels(label_set(("account_id", "region", "b"), (account, region, "x"))) == tenant
    assert tenants.of_labels(label_set(("cluster", "account_id", "region"), ("c", account, region))) == tenant


def test_without_tenants_all_is_nobodys() -> None:
    """A receiver without tenants has the one tenant of no name, and so have series without a scope."""
    tenants = Tenants(None, {})
    assert tenants.of(ONE, "eu-west-1") == ""
    assert tenants.of_labels(label_set(("account_id", "region"), (ONE, "eu-west-1"))) == ""
    assert tenants.of_labels(b"") == ""
    assert tenants.names() == [""]
    assert tenants.lanes() == [":0/1"]
    assert Tenants(None, SCOPES).of_labels(b"") == ""


@given(st.dictionaries(names, texts, max_size=7))
def test_the_tenant_of_a_label_set_is_the_tenant_of_its_scope(labels: dict[str, str]) -> None:
    """Whatever stands beside account and region, in whatever order, however odd: only the two labels decide."""
    tenants = Tenants("rest", SCOPES)
    rendered = label_set(list(labels), list(labels.values()))
    assert tenants.of_labels(rendered) == tenants.of(labels.get("account_id", ""), labels.get("region", ""))


def test_every_tenant_is_named_once() -> None:
    """Two scopes may share a tenant, also the default one."""
    tenants = Tenants("b", {ONE: "c", TWO: "a", THREE: "b", f"{ONE}/eu-west-1": "a"}, concurrency=2)
    assert tenants.names() == ["b", "a", "c"]
    assert tenants.lanes() == ["b:0/2", "b:1/2", "a:0/2", "a:1/2", "c:0/2", "c:1/2"]


@pytest.mark.parametrize("concurrency", [1, 2, 7, 64])
def test_a_series_always_goes_the_same_way(concurrency: int) -> None:
    """The lane follows from the label set alone, in another process too, and every lane gets its share."""
    tenants, again = Tenants("t", SCOPES, concurrency), Tenants("t", SCOPES, concurrency)
    label_sets = [label_set(("volume_id",), (f"vol-{n:x}",)) for n in range(4096)]
    lanes = [tenants.lane("one", labels) for labels in label_sets]
    assert lanes == [again.lane("one", labels) for labels in label_sets]
    assert set(lanes) == {f"one:{index}/{concurrency}" for index in range(concurrency)}
    assert set(lanes) <= set(tenants.lanes())
    assert min(Counter(lanes).values()) > 4096 / concurrency / 2


def test_the_way_of_a_label_set_is_fixed() -> None:
    """What waits on disk was sorted into lanes by an earlier process: the numbers are part of the format."""
    tenants = Tenants("t", {}, 8)
    assert [tenants.lane("t", labels) for labels in (b"", b'{a="1"}', b'{a="2"}')] == ["t:0/8", "t:4/8", "t:5/8"]


@given(st.text(max_size=12), st.integers(1, 64))
def test_a_lane_tells_its_tenant(tenant: str, concurrency: int) -> None:
    """Whatever the tenant is called, all its lanes lead to it."""
    tenants = Tenants(tenant, {}, concurrency)
    assert {tenants.tenant_of_lane(lane) for lane in tenants.lanes()} == {tenant}
    assert tenants.tenant_of_lane(f"{tenant}:3/{concurrency + 4}") == tenant
