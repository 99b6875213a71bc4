"""
``python -m tests.chart.mutants [--only FILE …] [--sample N]``: breaks the chart's templates one line at a time, in a
copy, and reports how many of the breaks the tests catch.

Each mutant meets cases of the matrix (helm refuses it; schemas; invariants; golden renders) and the modules of
tests/chart that are about its template, and stops at the first that says something. With ``--all-modules`` the others
follow, which takes minutes for each that survives.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.chart import golden, invariants, kinds
from tests.chart.matrix import VALUES, Case, case, cases
from tests.chart.mutating import Mutant, mutants
from tests.chart.rendering import CHART, KUBERNETES, HelmError, Object, helm, parsed
from tests.tools import ROOT

EQUIVALENT: dict[str, list[dict[str, str]]] = yaml.safe_load(Path(__file__).with_name("equivalent.yaml").read_text())
"""By file: part of the line, how the change begins, and why no values whatever tell the mutant from the template."""

# The modules that are about a template, those that say most of it and soonest first. A template that only the cases can
# tell anything of has a place here too, with the module that would hold a test of it.
NEAR = {
    "NOTES.txt": ("test_notes_whole", "test_notes", "test_notes_rules"),
    "_alertmanager.tpl": ("test_alertmanager",),
    "_config.tpl": ("test_config", "test_conflicts", "test_workload", "test_rbac", "test_pod"),
    "_names.tpl": ("test_workload", "test_pod", "test_conflicts"),
    "_notes.tpl": ("test_notes_whole", "test_notes", "test_notes_rules"),
    "_pod.tpl": ("test_pod", "test_workload", "test_config"),
    "_refuse.tpl": ("test_conflicts", "test_refused"),
    "_rules.tpl": ("test_rules", "test_rule_jobs", "test_conflicts"),
    "_scrape.tpl": ("test_monitors",),
    "alertmanager.yaml": ("test_alertmanager",),
    "configmap.yaml": ("test_config",),
    "dashboards.yaml": ("test_dashboards",),
    "deployment.yaml": ("test_workload", "test_pod"),
    "extra-objects.yaml": ("test_workload",),
    "grafana-dashboards.yaml": ("test_dashboards",),
    "networkpolicy.yaml": ("test_networkpolicy",),
    "pdb.yaml": ("test_workload",),
    "podmonitor.yaml": ("test_monitors",),
    "prometheusrules.yaml": ("test_rules",),
    "rbac.yaml": ("test_rbac", "test_workload"),
    "rule-configmaps.yaml": ("test_rules",),
    "rules-sync.yaml": ("test_rule_jobs", "test_sync_job"),
    "service.yaml": ("test_workload",),
    "serviceaccount.yaml": ("test_workload", "test_pod"),
    "servicemonitor.yaml": ("test_monitors",),
    "statefulset.yaml": ("test_workload", "test_pod"),
    "tests/check.yaml": ("test_pod", "test_workload"),
}
# These modules say here what the cases have said already, or are not about templates.
PASSED = {
    "test_matrix",
    "test_golden",
    "test_invariants",
    "test_kinds",
    "test_mutants",
    "test_readme",
}
LAST = ("test_dead_values", "test_package", "test_sync_job", "test_quick_start", "test_life")
_LONGEST = 600  # seconds that one module may take
_FEW = 6  # cases before the nearest module, which takes as long as ten to twenty of them


@dataclass
class Bench:
    """A copy of the repository whose chart is broken, and the tests that fail in it anyway."""

    folder: Path
    with_golden: bool = True
    with_modules: bool = True
    all_modules: bool = False
    red: dict[str, list[str]] = field(default_factory=dict)
    turns: list[Case] = field(default_factory=list)

    @property
    def templates(self) -> Path:
        """Of the chart that is broken."""
        return self.folder / "helm" / "storage-exporter" / "templates"

    @property
    def whole(self) -> Path:
        """The chart as it was: that of the repository may change meanwhile."""
        return self.folder / "whole" / "storage-exporter"

    def caught(self, mutant: Mutant) -> str:
        """Who says something of a mutant; empty: nobody."""
        path = self.templates / mutant.file
        before = path.read_text()
        path.write_text(mutant.text)
        try:
            return next(filter(None, self._answers(mutant.file)), "")
        finally:
            path.write_text(before)

    def _answers(self, file: str) -> Iterator[str]:
        """Of the cases that caught the most, of the nearest module, and of the others of both: who says something."""
        turns: list[Case] = []
        if "notes" not in file.lower():  # which are never rendered
            turns = sorted(self.turns, key=lambda each: not _reached(file, each, self.whole))
        folder = self.folder / "tests" / "chart"
        names = modules(file, folder, every=self.all_modules) if self.with_modules else []
        yield self._by_cases(turns[:_FEW])
        yield self._by_modules(file, names[:1])
        yield self._by_cases(turns[_FEW:])
        yield self._by_modules(file, names[1:])

    def _by_cases(self, some: Sequence[Case]) -> str:
        for each in some:
            by = self._by_case(each)
            if by:
                self.turns.remove(each)  # what caught one catches more
                self.turns.insert(0, each)
                return f"{by} ({each.name})"
        return ""

    def _by_case(self, given: Case) -> str:
        try:
            text = _text(given, self.folder / "helm" / "storage-exporter")
            objects = parsed(text) if text != _before(given.name, self.whole) else []
        except HelmError:
            return "helm"
        except (AssertionError, yaml.YAMLError):
            return "YAML"
        return self._by_objects(given, objects) if objects not in ([], _objects(given.name, self.whole)) else ""

    def _by_objects(self, given: Case, objects: list[Object]) -> str:
        if any(not (each.get("kind") and (each.get("metadata") or {}).get("name")) for each in objects):
            return "invariants"
        if any(kinds.faults(each, kinds.VERSIONS[0]) for each in objects):
            return "schemas"
        if invariants.wrong(invariants.Scene(objects, given.effective())):
            return "invariants"
        if golden.released(objects) != golden.released(_objects(given.name, self.whole)):
            return "released.yaml"
        if not self.with_golden or given.name in golden.WITHOUT:
            return ""
        return "golden" if golden.record(given, objects) != golden.read(golden.path_of(given).read_text()) else ""

    def _by_modules(self, file: str, names: Sequence[str]) -> str:
        for name in names:
            if self._passes(name):
                continue
            if name not in self.red:  # what fails without any change too says nothing
                mutated = (self.templates / file).read_text()
                (self.templates / file).write_text((self.whole / "templates" / file).read_text())
                self.red[name] = self._failures(name)
                (self.templates / file).write_text(mutated)
                if self.red[name]:
                    _say(f"left out, for it fails without any change: {', '.join(self.red[name])}")
                    if self._passes(name):
                        continue
            return name
        return ""

    def _passes(self, name: str) -> bool:
        try:
            done = self._pytest(name, "-x", *(f"--deselect={each}" for each in self.red.get(name, ())))
        except subprocess.TimeoutExpired:
            return False
        return done.returncode in {0, 5}  # 5: no test is left

    def _failures(self, name: str) -> list[str]:
        lines = self._pytest(name, "-rfE").stdout.splitlines()
        return [line.split()[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]

    def _pytest(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, f"tests/chart/{name}.py"]
        environ = {**os.environ, "PYTHONPATH": str(self.folder)}
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=_LONGEST, check=False
        )


def turns() -> list[Case]:
    """The cases that are tried: those that render in no time first, and few of those that take long."""
    slow = {"default", "everything", "config-maps", "grafana-operator", "ci-everything"}
    found = [each for each in cases() if each.base == "lean" or each.name in slow]
    return sorted(found, key=lambda each: (each.name not in {"lean", "everything"}, each.base != "lean"))


def _reached(file: str, given: Case, chart: Path) -> bool:
    """Whether a template gives something in a case; of a named template nobody knows."""
    return file.startswith("_") or f"/templates/{file}\n" in _before(given.name, chart)


def modules(file: str, folder: Path, *, every: bool = False) -> list[str]:
    """The modules of a folder that are about a template; then, if *every* one is asked, the others, the slow last."""
    there = {path.stem for path in folder.glob("test_*.py")}
    first = [name for name in NEAR[file] if name in there]
    rest = sorted(there - set(first) - PASSED - set(LAST)) if every else []
    return [*first, *rest, *(name for name in LAST if every and name in there - set(first))]


def bench(folder: Path, *, with_golden: bool, with_modules: bool, all_modules: bool = False) -> Bench:
    """The copy: chart and tests as files, all else by links."""
    folder.mkdir(exist_ok=True)
    for path in ROOT.iterdir():
        if path.name in {"helm", "tests"}:
            shutil.copytree(path, folder / path.name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.name not in {".git", "build"}:
            (folder / path.name).symlink_to(path)
    shutil.copytree(ROOT / "helm", folder / "whole", symlinks=True)
    return Bench(folder, with_golden, with_modules, all_modules, turns=turns())


def chosen(only: Sequence[str], sample: int, seed: int) -> dict[str, list[Mutant]]:
    """The mutants to try by file: at most *sample* of each, 0 for all; equivalent ones are left out."""
    found: dict[str, list[Mutant]] = {}
    chance = random.Random(seed)
    for path in sorted((CHART / "templates").rglob("*")):
        file = str(path.relative_to(CHART / "templates"))
        if path.is_file() and any(part in file for part in only):
            made = [each for each in mutants(file, path.read_text(), VALUES) if not equivalent(each)]
            found[file] = sorted(chance.sample(made, sample), key=lambda m: m.line) if 0 < sample < len(made) else made
    return found


def equivalent(mutant: Mutant) -> bool:
    """Whether it is known to change nothing."""
    return any(
        each["line"] in mutant.before and mutant.change.startswith(each["change"])
        for each in EQUIVALENT.get(mutant.file) or ()
    )


def told(benches: Sequence[Bench], some: Sequence[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """The mutants in their order with who caught each; as many at once as there are benches."""
    free: queue.SimpleQueue[Bench] = queue.SimpleQueue()
    for each in benches:
        free.put(each)

    def on_a_bench(mutant: Mutant) -> str:
        taken = free.get()
        try:
            return taken.caught(mutant)
        finally:
            free.put(taken)

    with ThreadPoolExecutor(len(benches)) as threads:
        yield from zip(some, threads.map(on_a_bench, some), strict=True)


def main(arguments: Sequence[str]) -> int:
    """Try them, print a line for each that survives and one for each file; 1 where less than 95 % are caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.chart.mutants", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[""], metavar="FILE", help="parts of names of templates")
    parser.add_argument("--sample", type=int, default=0, help="at most so many of a template; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="so many at once, each in a copy of its own")
    parser.add_argument("--without-golden", action="store_true", help="as if somebody had written the goldens anew")
    parser.add_argument("--cases-only", action="store_true", help="without the modules")
    parser.add_argument("--all-modules", action="store_true", help="not only those about the template")
    given = parser.parse_args(arguments)
    total, by = Counter[bool](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        benches = [
            bench(
                Path(folder) / str(number),
                with_golden=not given.without_golden,
                with_modules=not given.cases_only,
                all_modules=given.all_modules,
            )
            for number in range(max(given.jobs, 1))
        ]
        for file, some in chosen(given.only, given.sample, given.seed).items():
            began, caught = time.monotonic(), 0
            for mutant, who in told(benches, some):
                by[who.partition(" ")[0] or "nobody"] += 1
                total[bool(who)] += 1
                caught += bool(who)
                if not who:
                    _say(f"survives: {mutant}")
            _say(f"{file}: {caught} of {len(some)}, {time.monotonic() - began:.0f} s")
    everything = total[True] + total[False]
    _say(f"caught {total[True]} of {everything}: " + ", ".join(f"{name} {count}" for name, count in by.most_common()))
    return 0 if everything and total[True] >= 0.95 * everything else 1


@functools.cache
def _before(name: str, chart: Path) -> str:
    return _text(case(name), chart)


@functools.cache
def _objects(name: str, chart: Path) -> list[Object]:
    return parsed(_before(name, chart))


def _text(given: Case, chart: Path) -> str:
    """What helm gives; the values are known to pass the schema."""
    files: list[Any] = [part for file in given.files for part in ("--values", file)]
    options = [
        "--namespace",
        given.namespace,
        "--kube-version",
        KUBERNETES,
        "--skip-schema-validation",
        "--values",
        "-",
    ]

    return helm("template", given.release, chart, *files, *options, text=json.dumps(given.values))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
