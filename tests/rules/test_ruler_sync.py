"""`rules sync` and `rules diff` against rulers on loopback: what is sent, what is left alone, what is printed."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.demo import RulerServer, run_ruler_in_thread
from tests.rules.ruler_side import ATTACH, CREDITS, GROWTH, OURS, UNUSED, Side, alert, promql
from tests.serving import Authority

TENANT = "officeless"
FOREIGN = {"name": "theirs", "interval": "1m", "rules": [{"record": "a:b", "expr": "up"}]}


@pytest.fixture
def side(tmp_path: Path) -> Side:
    return Side(tmp_path)


@pytest.fixture
def mimir() -> Iterator[RulerServer]:
    with run_ruler_in_thread("mimir", judge=promql) as server:
        yield server


@pytest.fixture
def loki() -> Iterator[RulerServer]:
    with run_ruler_in_thread("loki") as server:
        yield server


def both(mimir: RulerServer, loki: RulerServer, **more: Any) -> dict[str, Any]:
    """The section `rules` for two rulers."""
    return {"mimir": {"url": mimir.url, "tenant": TENANT}, "loki": {"url": loki.url, "tenant": TENANT}, **more}


def names(server: RulerServer, namespace: str = OURS, tenant: str | None = TENANT) -> list[str]:
    return [group["name"] for group in server.groups(tenant).get(namespace, [])]


def test_rules_arrive_where_they_are_understood(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """PromQL in Mimir, LogQL in Loki, a group a request, as YAML, for the tenant; the plan is printed before."""
    side.configure(both(mimir, loki))
    done = side("sync")
    assert done.exit_code == 0, done.output
    assert sorted(names(mimir)) == [CREDITS, UNUSED, GROWTH]
    assert names(loki) == [ATTACH]
    lines = done.stdout.splitlines()
    assert lines[0] == "mimir: namespace storage-exporter: 3 to create, 0 unchanged"
    assert f"  + group {CREDITS} (3 rules)" in lines
    assert lines[-2:] == ["mimir: 3 groups set, 0 deleted", "loki: 1 group set, 0 deleted"]
    posts = mimir.changes()
    assert [post.method for post in posts] == ["POST"] * 3
    assert {post.path for post in posts} == {f"/prometheus/config/v1/rules/{OURS}"}
    assert {post.tenant for post in posts} == {TENANT}
    assert {post.headers["content-type"] for post in posts} == {"application/yaml"}
    assert all(post.headers["user-agent"].startswith("storage-exporter/") for post in posts)
    assert set(yaml.safe_load(posts[0].body)) <= {"name", "interval", "query_offset", "rules"}
    assert [request.method for request in mimir.requests] == ["GET", "POST", "POST", "POST"]


def test_only_mimir_is_told_to_evaluate_a_page_at_once(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """And keeps it: an offset of zero would be nothing said to Mimir, which then waits a minute."""
    side.configure(both(mimir, loki))
    assert side("sync").exit_code == 0
    offsets = {group["name"]: group.get("query_offset") for group in mimir.groups(TENANT)[OURS]}
    assert offsets == {CREDITS: "1s", UNUSED: None, GROWTH: None}
    assert "query_offset" not in loki.groups(TENANT)[OURS][0]


@pytest.mark.parametrize("long_spans", [False, True])
@pytest.mark.parametrize("kind", ["mimir", "cortex"])
def test_a_second_time_sends_nothing(side: Side, kind: Any, long_spans: bool) -> None:
    """Whatever the rulers make of the text; `diff` says so by its exit code, before and after."""
    with (
        run_ruler_in_thread(kind, long_spans=long_spans, empty_ok=long_spans) as one,
        run_ruler_in_thread("loki", long_spans=long_spans) as other,
    ):
        rules = both(one, other)
        rules["mimir"]["prefix"] = one.prefix
        side.configure(rules)
        assert side("diff").exit_code == 2
        assert side("sync").exit_code == 0
        sent = len(one.changes()), len(other.changes())
        assert sent == (3, 1)
        done = side("sync")
        assert done.exit_code == 0
        assert "nothing to do, 3 unchanged" in done.stdout
        assert (len(one.changes()), len(other.changes())) == sent
        done = side("diff")
        assert (done.exit_code, done.stderr) == (0, "")


def test_one_changed_rule_sends_one_group(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """An override of one threshold is one request, and the plan shows the two numbers."""
    side.configure(both(mimir, loki))
    assert side("sync").exit_code == 0
    before = len(mimir.changes())
    side.configure(both(mimir, loki, alerts={"AwsEfsBurstCreditsLow": {"thresholds": {"credits": 0.5}}}))
    done = side("diff")
    assert done.exit_code == 2
    assert "1 to change, 2 unchanged" in done.stdout
    assert "0.25  # credits → filesystem:aws_efs_burst_credits:ratio < 0.5  # credits" in done.stdout
    assert len(mimir.changes()) == before
    assert side("sync").exit_code == 0
    (sent,) = mimir.changes()[before:]
    assert yaml.safe_load(sent.body)["name"] == CREDITS
    assert "< 0.5  # credits" in sent.body


def test_a_group_that_is_no_more_is_deleted(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """After everything else was taken, and nothing else is deleted."""
    side.configure(both(mimir, loki))
    assert side("sync").exit_code == 0
    before = len(mimir.changes())
    more = {"AwsS3BucketGrowthAnomaly": {"severity": "critical"}}
    side.configure(both(mimir, loki, disable=["AwsEfsUnused"], alerts=more))
    done = side("sync")
    assert done.exit_code == 0
    assert [(each.method, each.path) for each in mimir.changes()[before:]] == [
        ("POST", f"/prometheus/config/v1/rules/{OURS}"),
        ("DELETE", f"/prometheus/config/v1/rules/{OURS}/{UNUSED}"),
    ]
    assert sorted(names(mimir)) == [CREDITS, GROWTH]
    assert "mimir: 1 group set, 1 deleted" in done.stdout


def test_foreign_namespaces_survive(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """Of our tenant, of other tenants, with names like ours: synced, pruned, they are neither read nor changed."""
    for server, namespace, tenant in (
        (mimir, "theirs", TENANT),
        (mimir, f"{OURS}-2", TENANT),
        (mimir, OURS, "other"),
        (loki, "theirs", TENANT),
    ):
        server.put(namespace, FOREIGN, tenant)
    others = mimir.groups("other"), loki.groups(TENANT)["theirs"]
    side.configure(both(mimir, loki))
    for words in (("sync",), ("sync",), ("sync", "--prune")):
        assert side(*words).exit_code == 0
        assert (mimir.groups("other"), loki.groups(TENANT)["theirs"]) == others
        assert set(mimir.groups(TENANT)) - {OURS} == {"theirs", f"{OURS}-2"}
    for server in (mimir, loki):
        assert {request.path.removeprefix(server.prefix).split("/")[1] for request in server.requests} == {OURS}


def test_groups_of_others_in_our_namespace_go(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """The namespace is ours alone; the plan says what goes."""
    mimir.put(OURS, {**FOREIGN, "name": "a group/with ?signs"}, TENANT)
    side.configure(both(mimir, loki))
    assert "  - group a group/with ?signs (1 rule)" in side("diff").stdout
    assert side("sync").exit_code == 0
    assert sorted(names(mimir)) == [CREDITS, UNUSED, GROWTH]


def test_another_namespace_is_another_place(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """Two releases in one tenant do not know each other."""
    side.configure(both(mimir, loki))
    assert side("sync").exit_code == 0
    side.configure(both(mimir, loki, namespace="storage-exporter-blue", disable=["AwsEfsUnused"]))
    assert side("sync").exit_code == 0
    assert (len(names(mimir)), len(names(mimir, "storage-exporter-blue"))) == (3, 2)


def test_a_dry_run_changes_nothing(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """It prints the same plan."""
    side.configure(both(mimir, loki))
    done = side("sync", "--dry-run")
    assert done.exit_code == 0
    assert f"  + group {CREDITS} (3 rules)" in done.stdout
    assert "groups set" not in done.stdout
    assert not mimir.changes()
    assert not loki.changes()


def test_only_one_ruler(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """--only leaves the other alone; one that is not configured is refused, or noted where all are meant."""
    side.configure(both(mimir, loki))
    assert side("sync", "--only", "loki").exit_code == 0
    assert (len(mimir.requests), len(loki.changes())) == (0, 1)
    side.configure({"mimir": {"url": mimir.url, "tenant": TENANT}})
    done = side("sync", "--only", "loki")
    assert done.exit_code == 1
    assert "rules.loki is not configured; give its url" in done.stderr
    done = side("sync")
    assert done.exit_code == 0
    assert "note: rules.loki is not configured, so 1 LogQL alerts are not brought anywhere" in done.stderr
    side.configure({})
    done = side("sync")
    assert done.exit_code == 1
    assert "neither rules.mimir nor rules.loki is configured" in done.stderr


def test_prune_takes_everything_of_ours_away(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """One request a ruler, after a look; a second time there is nothing to do; a dry run only looks."""
    side.configure(both(mimir, loki))
    assert side("sync").exit_code == 0
    before = len(mimir.changes())
    done = side("sync", "--prune", "--dry-run")
    assert done.exit_code == 0
    assert "3 to delete" in done.stdout
    assert len(mimir.changes()) == before
    done = side("sync", "--prune")
    assert done.exit_code == 0
    assert (mimir.groups(TENANT), loki.groups(TENANT)) == ({}, {})
    assert [(each.method, each.path) for each in mimir.changes()[before:]] == [
        ("DELETE", f"/prometheus/config/v1/rules/{OURS}")
    ]
    assert "mimir: 0 groups set, 3 deleted" in done.stdout
    assert side("sync", "--prune").exit_code == 0
    assert len(mimir.changes()) == before + 1


def test_a_target_is_never_emptied_by_overrides(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """All files of Loki left out: nothing at all is asked of either, and how to take rules away is said."""
    side.configure(both(mimir, loki))
    assert side("sync").exit_code == 0
    sent = len(mimir.requests), len(loki.requests)
    side.configure(both(mimir, loki, files={"drivers": False}, disable=["AwsEfsUnused"]))
    for command in ("sync", "diff"):
        done = side(command)
        assert done.exit_code == 1
        assert "rules.loki: no rule is left" in done.stderr
        assert "rules sync --prune" in done.stderr
    assert (len(mimir.requests), len(loki.requests)) == sent
    assert side("sync", "--only", "mimir").exit_code == 0
    side.configure(both(mimir, loki, files={"drivers": False, "efs": False, "s3": False}))
    done = side("sync")
    assert done.exit_code == 1
    assert "rules: leaves no rule at all" in done.stderr
    assert names(loki) == [ATTACH]


def test_bad_overrides_and_a_bad_pack_are_said_together_and_nothing_is_asked(
    side: Side, mimir: RulerServer, loki: RulerServer
) -> None:
    """One line a mistake, with its path; exit code 1 for every command, so that 2 means differences alone."""
    side.configure(
        both(
            mimir,
            loki,
            disable=["AwsEfsUnusd"],
            alerts={"AwsEfsBurstCreditsLow": {"severity": "page", "thresholds": {"credits": "many"}}},
        )
    )
    for command in ("check", "diff", "sync"):
        done = side(command)
        assert done.exit_code == 1
        assert [line.split(": ", 2)[1] for line in done.stderr.splitlines()] == [
            "rules.disable[0]",
            "rules.alerts.AwsEfsBurstCreditsLow.severity",
            "rules.alerts.AwsEfsBurstCreditsLow.thresholds.credits",
        ]
    side.change("mimir/s3.yaml", lambda data: data["groups"][0].update(interval="1h"))
    done = side("sync")
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 4
    assert "rules: mimir/s3.yaml: storage-exporter.s3.growth: interval '1h'" in done.stderr
    assert not mimir.requests
    assert not loki.requests


def test_check_counts_what_there_is(side: Side) -> None:
    """Groups, recordings and alerts by severity, after overrides; without a configuration, too."""
    done = side("check")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "mimir: 2 files, 3 groups, 1 recordings, 4 alerts (1 critical, 2 warning, 1 info)",
        "loki: 1 files, 1 groups, 0 recordings, 1 alerts (1 critical)",
    ]
    side.configure({"disable": ["AwsEfsUnused"], "alerts": {"AwsEfsBurstCreditsLow": {"severity": "critical"}}})
    assert side("check").stdout.splitlines()[0] == (
        "mimir: 2 files, 2 groups, 1 recordings, 3 alerts (2 critical, 1 warning)"
    )


def test_programs_are_told_in_json(side: Side, mimir: RulerServer, loki: RulerServer) -> None:
    """Plan, what was done, and problems, of each ruler; nothing else on stdout."""
    side.configure(both(mimir, loki))
    done = side("diff", "--json")
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert told["version"] == 1
    assert [(each["target"], each["namespace"], each["differs"], each["done"]) for each in told["targets"]] == [
        ("mimir", OURS, True, []),
        ("loki", OURS, True, []),
    ]
    loki.faults.add("forbidden")
    done = side("sync", "--json")
    assert done.exit_code == 1
    one, other = json.loads(done.stdout)["targets"]
    assert {each["group"] for each in one["done"]} == {CREDITS, UNUSED, GROWTH}
    assert other["target"] == "loki"
    assert "HTTP 403" in other["problems"][0]
    assert "groups" not in other


# --- who we are, and whom we trust


def test_credentials_of_every_kind(side: Side, tmp_path: Path) -> None:
    """A password from a variable's place, a token of a file, a header of one's own; no output holds any of them."""
    token, password, header = "t0ken-of-a-file", "pass-w0rd-of-ours", "he4der-value"
    (tmp_path / "token").write_text(f"{token}\n")
    with (
        run_ruler_in_thread("mimir", basic={"exporter": password}) as one,
        run_ruler_in_thread("loki", bearer=[token]) as other,
    ):
        side.configure(
            {
                "mimir": {
                    "url": one.url,
                    "tenant": TENANT,
                    "auth": {"basic": {"username": "exporter", "password": password}},
                    "headers": {"X-Key": header},
                },
                "loki": {"url": other.url, "tenant": TENANT, "auth": {"bearer_token_file": str(tmp_path / "token")}},
            }
        )
        shown = [side("sync"), side("diff"), side("check")]
        assert [done.exit_code for done in shown] == [0, 0, 0], shown[0].output
        assert {request.headers["x-key"] for request in one.requests} == {header}
        for server in (one, other):
            server.faults.add("echo-400", method="POST")
            server.put(OURS, FOREIGN, TENANT)
        side.change("mimir/efs.yaml", lambda data: data["groups"][0]["rules"].append(alert("AwsEfsMore", "x > 0")))
        side.change("loki/drivers.yaml", lambda data: data["groups"][0]["rules"][0].update({"for": "7m"}))
        done = side("sync")
        assert done.exit_code == 1
        assert "authorization=<hidden>" in done.stderr.lower()
        shown.append(done)
        basic = base64.b64encode(f"exporter:{password}".encode()).decode()
        for secret in (token, password, header, basic):
            assert all(secret not in done.output for done in shown)


def test_a_file_that_cannot_be_used_is_named_before_anything_is_asked(side: Side, mimir: RulerServer) -> None:
    """A missing token, or certificates that are none: of one ruler, and the other is not asked either."""
    for more, key in (
        ({"auth": {"bearer_token_file": "/nowhere/token"}}, "rules.loki.auth"),
        ({"url": "https://127.0.0.1:1", "tls": {"ca_file": "/nowhere/ca.pem"}}, "rules.loki.tls"),
    ):
        ruler = {"url": mimir.url, "tenant": TENANT}
        side.configure({"mimir": ruler, "loki": {**ruler, **more}})
        done = side("sync")
        assert done.exit_code == 1
        assert f"{key}: a file it names cannot be used: No such file or directory" in done.stderr
    assert not mimir.requests


def test_tls_by_an_authority_of_our_own(side: Side, tmp_path: Path) -> None:
    """Named, it is trusted; not named, the message says how to name it, at once and without another attempt."""
    authority = Authority(tmp_path)
    authority.issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with run_ruler_in_thread("mimir", ssl=context) as server:
        side.configure({"mimir": {"url": server.url, "tenant": TENANT, "tls": {"ca_file": str(authority.path)}}})
        done = side("sync")
        assert done.exit_code == 0, done.output
        assert len(names(server)) == 3
        side.configure({"mimir": {"url": server.url, "tenant": TENANT}})
        done = side("sync", "--timeout", "5")
        assert done.exit_code == 1
        assert "TLS failed" in done.stderr
        assert "name its authority by rules.mimir.tls.ca_file" in done.stderr
        side.configure({"mimir": {"url": server.url, "tenant": TENANT, "tls": {"insecure_skip_verify": True}}})
        assert side("sync").exit_code == 0
