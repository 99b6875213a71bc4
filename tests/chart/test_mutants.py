"""The breaking of templates: what is made of a line, and that a broken chart is caught by what is said to catch it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chart import mutants
from tests.chart.matrix import VALUES
from tests.chart.mutating import Mutant
from tests.chart.mutating import mutants as made_of
from tests.chart.rendering import CHART

HERE = Path(__file__).parent

LINES = {
    "  replicas: {{ .Values.replicas }}\n": {
        "line deleted": "",
        ".Values.replicas not read": "  replicas: {{ 2 }}\n",
        "key replicas is another": "  replicasx: {{ .Values.replicas }}\n",
    },
    "{{- if and .Values.service.enabled (eq .x 1) }}\n": {
        "guard true": "{{- if true }}\n",
        "guard false": "{{- if false }}\n",
        "and turned": "{{- if or .Values.service.enabled (eq .x 1) }}\n",
        "eq turned": "{{- if and .Values.service.enabled (ne .x 1) }}\n",
        ".Values.service.enabled not read": "{{- if and true (eq .x 1) }}\n",
        "1 is another": "{{- if and .Values.service.enabled (eq .x 2) }}\n",
    },
    "      - protocol: TCP\n": {
        "line deleted": "",
        "key protocol is another": "      - protocolx: TCP\n",
        "TCP is another": "      - protocol: TCPx\n",
    },
    "        readOnly: true\n": {
        "line deleted": "",
        "true turned": "        readOnly: false\n",
        "key readOnly is another": "        readOnlyx: true\n",
    },
    '{{ include "storage-exporter.image" . | nindent 4 }}\n': {
        "line deleted": "",
        "4 is another": '{{ include "storage-exporter.image" . | nindent 0 }}\n',
    },
    '{{- fail "true is 1" -}}\n': {"line deleted": ""},
    "{{- end }}\n": {},
    "\n": {},
    "# a comment: true\n": {},
}


@pytest.mark.parametrize("line", LINES)
def test_changes(line: str) -> None:
    """What one line becomes; nothing of blank lines, ends and comments; of a failure only that it is gone."""
    text = f"{{{{/* eq\n1 */}}}}\nfirst\n{line}last\n"
    found = {each.change: each.text for each in made_of("x.yaml", text, VALUES) if each.line == 4}
    assert found == {change: text.replace(f"first\n{line}", f"first\n{new}") for change, new in LINES[line].items()}


def test_comments_and_sentences_stay() -> None:
    """A template's comment is not broken, nor is a sentence of the notes; a command in them is."""
    text = "{{/*\ntrue\n*/}}\nIt is true.\n    kubectl get pods 1\n{{ .x }}\n"
    assert {each.line for each in made_of("NOTES.txt", text, VALUES)} == {5, 6}


def test_each_is_another() -> None:
    """No mutant of our templates is the template itself or another mutant of it."""
    found = mutants.chosen([""], 0, 1)
    assert sum(map(len, found.values())) > 1500
    for file, some in found.items():
        texts = [each.text for each in some]
        assert len(texts) == len(set(texts))
        assert (CHART / "templates" / file).read_text() not in texts


def test_sample() -> None:
    """A sample is of its size, the same for the same seed, another for another."""
    first, again, other = (mutants.chosen(["_pod.tpl"], 20, seed)["_pod.tpl"] for seed in (1, 1, 2))
    assert len(first) == 20
    assert first == again != other
    assert mutants.chosen(["pdb", "podmon"], 0, 1).keys() == {"pdb.yaml", "podmonitor.yaml"}


def test_equivalents_are_there() -> None:
    """Each line of the table is of a mutant that there is."""
    for file, some in mutants.EQUIVALENT.items():
        found = made_of(file, (CHART / "templates" / file).read_text(), VALUES)
        for each in some:
            assert each.keys() == {"line", "change", "why"}
            assert any(each["line"] in one.before and one.change.startswith(each["change"]) for one in found), each
            assert len(each["why"]) > 20


CAUGHT = {
    "helm": ("pdb.yaml", "maxUnavailable:", "maxUnavailable: {{ fail 1 }} #"),
    "schemas": ("pdb.yaml", "maxUnavailable:", "maxUnavailablex:"),
    "invariants": ("pdb.yaml", "maxUnavailable:", "maxUnavailable: 0 #"),
    "released.yaml": ("statefulset.yaml", "storage: ", "storage: 3Gi #"),
    "golden": ("_pod.tpl", "terminationGracePeriodSeconds: ", "terminationGracePeriodSeconds: 46 #"),
    "": ("pdb.yaml", "spec:", "spec: # a comment\n"),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> mutants.Bench:
    """A copy without the modules, which take minutes."""
    return mutants.bench(tmp_path_factory.mktemp("bench"), with_golden=True, with_modules=False)


@pytest.mark.parametrize("by", CAUGHT)
def test_caught(by: str, bench: mutants.Bench) -> None:
    """A break is caught by what it belongs to, and what breaks nothing is not; the copy is whole again after it."""
    file, old, new = CAUGHT[by]
    text = (CHART / "templates" / file).read_text()
    assert old in text
    bench.turns = [each for each in mutants.turns() if each.name in {"lean", "persistence", "everything"}]
    assert bench.caught(Mutant(file, 1, "", "", text.replace(old, new, 1))).partition(" ")[0] == by
    assert (bench.templates / file).read_text() == text


def test_near_is_complete() -> None:
    """Every template has modules that are about it, and all of them are there."""
    templates = CHART / "templates"
    assert mutants.NEAR.keys() == {str(path.relative_to(templates)) for path in templates.rglob("*") if path.is_file()}
    for file, near in mutants.NEAR.items():
        assert near
        assert mutants.modules(file, HERE) == list(near)


def test_modules_come_in_order() -> None:
    """Of all, what is about a template runs first, the slow last, and what the cases have said is not said again."""
    names = mutants.modules("_refuse.tpl", HERE, every=True)
    assert names[:2] == ["test_conflicts", "test_refused"]
    assert tuple(names[-len(mutants.LAST) :]) == mutants.LAST
    assert len(names) == len(set(names)) > 15
    assert not set(names) & mutants.PASSED
    assert mutants.modules("rules-sync.yaml", HERE, every=True).count("test_sync_job") == 1


def test_benches_at_once(tmp_path: Path) -> None:
    """Two copies share the mutants; the answers come in the order of the mutants."""
    benches = [mutants.bench(tmp_path / name, with_golden=False, with_modules=False) for name in "ab"]
    for each in benches:
        each.turns = [case for case in each.turns if case.name == "lean"]
    whole = (CHART / "templates" / "pdb.yaml").read_text()
    some = [
        Mutant("pdb.yaml", 1, str(number), "", whole.replace("spec:", put, 1))
        for number, put in enumerate(["spec:", "specx:", "spec: #", "specy:", "{{ fail 1 }}"])
    ]
    who = [by.partition(" ")[0] for mutant, by in mutants.told(benches, some)]
    assert who == ["", "schemas", "", "schemas", "helm"]


LOOKS = """
from pathlib import Path

def test_red():
    assert False

def test_looks():
    assert "kind: Pod" in Path("helm/storage-exporter/templates/pdb.yaml").read_text()
"""


def test_caught_by_a_module(tmp_path: Path) -> None:
    """A module that fails says something; a test that fails without any change does not, beside it or alone."""
    made = mutants.bench(tmp_path, with_golden=True, with_modules=True, all_modules=True)
    made.turns = []
    for path in (tmp_path / "tests" / "chart").glob("test_*.py"):
        path.unlink()
    (tmp_path / "tests" / "chart" / "test_looks.py").write_text(LOOKS)
    text = (CHART / "templates" / "pdb.yaml").read_text()
    assert made.caught(Mutant("pdb.yaml", 1, "", "", text.replace("kind: Pod", "kind: Other"))) == "test_looks"
    assert made.red == {"test_looks": ["tests/chart/test_looks.py::test_red"]}
    assert made.caught(Mutant("pdb.yaml", 1, "", "", f"{text} ")) == ""
