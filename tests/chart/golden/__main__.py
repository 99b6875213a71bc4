"""``python -m tests.chart.golden [--replaces-workloads]``: writes the golden renders anew; read the difference then."""

from __future__ import annotations

import argparse
import sys

import yaml

from tests.chart import golden
from tests.chart.matrix import cases


def main(arguments: list[str]) -> int:
    """Write every file; those of cases that are gone are taken away."""
    parser = argparse.ArgumentParser(prog="python -m tests.chart.golden", description=__doc__)
    parser.add_argument(
        "--replaces-workloads", action="store_true", help="also what no upgrade of a release can change"
    )
    given = parser.parse_args(arguments)
    wanted = {golden.RELEASED}
    for each in golden.recorded():
        golden.path_of(each).write_text(golden.written(golden.record(each, each.objects())))
        wanted.add(golden.path_of(each))
    for path in set(golden.HERE.glob("*.yaml")) - wanted:
        path.unlink()
    now = {each.name: golden.released(each.objects()) for each in cases()}
    before = yaml.safe_load(golden.RELEASED.read_text()) if golden.RELEASED.exists() else {}
    kept = now if given.replaces_workloads else {name: before.get(name, now[name]) for name in now}
    golden.RELEASED.write_text(golden.written(kept))
    if kept != now:
        changed = sorted(name for name in now if kept[name] != now[name])
        print(f"released.yaml is as it was: an upgrade cannot change {', '.join(changed)}.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
