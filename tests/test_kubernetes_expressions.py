"""The README's expressions, asked of a real Prometheus over what the exporter shows of the demo in its troubles.

Nothing is copied: questions, expressions and YAML are read out of the README.
"""

from __future__ import annotations

import asyncio
import copy
import http.server
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config import Lease, parse
from exporter.kubernetes.objects import DEFAULT, KINDS
from tests import readme
from tests.kubernetes_answers import ANSWERS, Found
from tests.kubernetes_plots import FIRST, PLOTS, SECOND, names, scraped
from tests.kubernetes_scenes import APART, NAMESPACE, Scene, play
from tests.prometheus import PATIENCE, Prometheus, Result, Sample, close, serving, write_blocks

EXPRESSIONS = readme.expressions()
BLUE, GREEN = "quiet", "by-hand"
"""The scenes that are two clusters at one time as well."""

pytestmark = pytest.mark.binary


@dataclass(frozen=True)
class Stage:
    """The scenes by name, a Prometheus that has them, and the instant at which two of them are two clusters."""

    scenes: Mapping[str, Scene]
    prometheus: Prometheus
    together: float


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """All scenes played once, each at an instant of its own."""
    folder = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        played = asyncio.run(play(PLOTS, folder, patch.setenv))
    scenes = {scene.plot.name: scene for scene in played}
    together = played[-1].at + APART
    samples = [sample for scene in played for sample in scraped(scene)]
    samples += [sample for name in (BLUE, GREEN) for sample in moved(scenes[name], together)]
    with serving(folder, write_blocks(samples, folder)) as prometheus:
        yield Stage(scenes, prometheus, together)


def moved(scene: Scene, at: float) -> Iterator[Sample]:
    """The samples of a scene as if it had been at another instant, in a cluster of the scene's name."""
    later = at - scene.at
    for sample in scraped(scene):
        value = sample.value + later * sample.name.endswith("_timestamp_seconds")
        labels = {**sample.labels, "cluster": scene.plot.name}
        yield replace(sample, at=sample.at + later, labels=labels, value=value)


def found(results: Sequence[Result], labels: Sequence[str]) -> dict[tuple[str, ...], float]:
    """Values of *labels* → value; ids are named."""
    named = names()
    keys = [tuple(named.get(value, value) for value in result.of(*labels)) for result in results]
    assert len(keys) == len(set(keys)), f"twice: {sorted(keys)}"
    return {key: result.value for key, result in zip(keys, results, strict=True)}


def same(actual: Mapping[tuple[str, ...], float], expected: Found) -> bool:
    """Whether the keys are the same, and each value that is said."""
    return actual.keys() == expected.keys() and all(
        value is None or close(actual[key], value) for key, value in expected.items()
    )


# ---- the tables


def test_every_question_has_its_answer() -> None:
    """No expression of the README goes untested, and none is tested that answers nothing in any scene."""
    assert ANSWERS.keys() == EXPRESSIONS.keys()
    scenes = {plot.name for plot in PLOTS}
    for question, answer in ANSWERS.items():
        assert any(answer.of(scene) for scene in scenes), question
        assert set(answer.scenes) <= scenes, question


@pytest.mark.parametrize("question", list(EXPRESSIONS))
def test_an_expression_answers_its_question(question: str, stage: Stage) -> None:
    """In each scene exactly what is so, with the right claim; nothing where nothing is; never an error."""
    answer = ANSWERS[question]
    for name, scene in stage.scenes.items():
        actual = found(stage.prometheus.ask(EXPRESSIONS[question], scene.at), answer.labels)
        assert same(actual, answer.of(name)), f"{name}: {actual} instead of {answer.of(name)}"


@pytest.mark.parametrize("question", [each for each, text in EXPRESSIONS.items() if "absent(" not in text])
def test_clusters_are_told_apart_by_their_label(question: str, stage: Stage) -> None:
    """With `cluster` added to each `on` and `by`, two clusters of one account answer as each does alone."""
    expression = re.sub(r"\b(on|by) \(", r"\1 (cluster, ", EXPRESSIONS[question])
    results = stage.prometheus.ask(expression, stage.together)
    assert {result.labels.get("cluster") for result in results} <= {BLUE, GREEN}
    for name in (BLUE, GREEN):
        own = [result for result in results if result.labels["cluster"] == name]
        actual, expected = found(own, ANSWERS[question].labels), ANSWERS[question].of(name)
        assert same(actual, expected), f"{name}: {actual} instead of {expected}"


# ---- the YAML


def test_the_roles_are_what_is_asked(stage: Stage) -> None:
    """What the README's roles allow is what the API saw: not a verb more, not one less."""
    roles = [each for each in readme.documents() if each.get("kind") in {"ClusterRole", "Role"}]
    rules = [rule for role in roles for rule in role["rules"]]
    allowed = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert allowed == set().union(*(scene.asked for scene in stage.scenes.values()))
    groups = {resource: group for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]}
    paths = {
        name: f"/apis/{groups[name]}/v1/{name}" if groups[name] else f"/api/v1/{name}"
        for name in groups.keys() - {"leases"}
    }
    assert paths == {name: kind.path for name, kind in KINDS.items()}
    assert groups["leases"] == "coordination.k8s.io"
    by_name = {
        verb: rule.get("resourceNames") for rule in rules for verb in rule["verbs"] if "leases" in rule["resources"]
    }
    assert by_name == {"create": None, "get": [Lease().name], "update": [Lease().name]}
    # What is optional can be left out without touching the rest.
    assert all(len(rule["resources"]) == 1 for rule in rules if not set(rule["resources"]) <= set(DEFAULT))
    assert [role["kind"] for role in roles] == ["ClusterRole", "Role"]
    assert roles[1]["metadata"]["namespace"] == NAMESPACE


def test_the_configurations_are_accepted() -> None:
    """Each configuration of the README is one."""
    others = {"apiVersion", "scrape_configs", "env"}
    found = [each for each in readme.documents() if not others & set(each)]
    assert any("kubernetes" in each and "shards" in each for each in found)
    for document in found:
        parse(yaml.safe_dump(document), {}, "README.md")


def test_the_pod_tells_who_it_is() -> None:
    """The variables of the downward API are those that are read."""
    (pod,) = [each["env"] for each in readme.documents() if "env" in each]
    assert {each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in pod} == {
        "POD_NAME": "metadata.name",
        "POD_UID": "metadata.uid",
        "POD_NAMESPACE": "metadata.namespace",
    }


def test_a_fail_over_makes_no_second_series(stage: Stage, tmp_path: Path) -> None:
    """Scraped as the README says, AWS's series are the same after a fail-over, and the replicas still two."""
    pages = dict(stage.scenes["quiet"].pages)
    with ExitStack() as stack:
        served = {pod: stack.enter_context(_page_of(pages, pod)) for pod in pages}
        prometheus = stack.enter_context(serving(tmp_path, tmp_path / "data", _scraping(served)))
        leading = "sum by (pod) (storage_exporter_leader) and sum by (pod) (up) == 1"
        _until(lambda: found(prometheus.ask(leading), ["pod"]) == {(FIRST,): 1, (SECOND,): 0})
        (before,) = prometheus.ask("count by (instance, pod, namespace) (aws_ebs_volume_info)")
        assert before.of("instance", "pod", "namespace") == ("storage-exporter", "storage-exporter", NAMESPACE)
        assert before.value > 20
        # A volume that nobody claims has no namespace; that of the exporter is not put in its place.
        (unclaimed,) = prometheus.ask('aws_ebs_volume_persistentvolumeclaim_info{persistentvolumeclaim=""}')
        assert unclaimed.of("persistentvolume", "namespace") == ("old-reporting", "")

        pages[FIRST], pages[SECOND] = pages[SECOND], pages[FIRST]
        _until(lambda: found(prometheus.ask(leading), ["pod"]) == {(FIRST,): 0, (SECOND,): 1})
        _until(lambda: bool(prometheus.ask("aws_ebs_volume_info")))
        (after,) = prometheus.ask("count(last_over_time(aws_ebs_volume_info[5m]))")
        assert after.value == before.value
        (kept,) = prometheus.ask("count(last_over_time(kubernetes_persistentvolume_info[5m]))")
        (now,) = prometheus.ask("count(kubernetes_persistentvolume_info)")
        assert kept.value == now.value


def _scraping(served: Mapping[str, str]) -> str:
    """The README's configuration of the scraper, with addresses in the place of discovery."""
    (job,) = [
        copy.deepcopy(job)
        for each in readme.documents()
        for job in each.get("scrape_configs", [])
        if job["job_name"] == "storage-exporter"
    ]
    del job["kubernetes_sd_configs"]
    job["static_configs"] = [
        {
            "targets": [address],
            "labels": {
                "__meta_kubernetes_pod_label_app_kubernetes_io_name": "storage-exporter",
                "__meta_kubernetes_pod_name": pod,
                "namespace": NAMESPACE,
            },
        }
        for pod, address in served.items()
    ]
    return yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]})


@contextmanager
def _page_of(pages: Mapping[str, str], pod: str) -> Iterator[str]:
    """A server of the page that *pages* has for *pod* at the time; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages[pod].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(PATIENCE)


def _until(holds: Callable[[], bool]) -> None:
    """Return when *holds* is true."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.1)
