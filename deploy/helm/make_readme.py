#!/usr/bin/env python3
"""Writes the chart's README.md from Chart.yaml and the comments of values.yaml.

A comment that begins with `# --` is the line of the key below it. Below a key that has one, keys need none: they are
shown as its default. Any other key without one is an error.
"""

import argparse
import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parent / "kubesentiment"

HEAD = """# {name}
<!-- Written by deploy/helm/make_readme.py from Chart.yaml and values.yaml; change those. -->
{description} Chart {version}, server {app}, Kubernetes {kube}.

```sh
helm install kubesentiment deploy/helm/kubesentiment --values deploy/helm/kubesentiment/values-production.yaml
```
[docs/deploy.md](../../../docs/deploy.md) leads from nothing to a running service and says what bad values are answered
with; [docs/scaling.md](../../../docs/scaling.md) derives the figures of `autoscaling` and `resources`.

| overlay | for |
|---|---|
{overlays}

An overlay's first comment says what it is for; several are given one after the other, the later one wins. Values of
another type or name than below are refused before anything is sent to the cluster. `--set` makes text of fractions, so
shares are given in a file or by `--set-json`.

| value | default | meaning |
|---|---|---|
"""


class Undocumented(Exception):
    """A key of values.yaml that has no `# --` comment."""


def first_comment(path):
    """The comment at the head of a file, up to the first line that is none, as one paragraph."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


def documented_values(text):
    """Yields (path, default, meaning) of each documented key, in the file's order."""
    values = yaml.safe_load(text)
    meaning = ""
    path = []  # of the key above, as (indent, name)
    covered = None  # indent of the documented key whose children need no comment
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.fullmatch(r" *# -- (.*)", line):
            meaning = match[1]
            continue
        match = re.match(r"( *)([A-Za-z][\w.-]*):(?: |$)(.*)", line)
        if not match:
            continue
        indent = len(match[1])
        if covered is not None and indent > covered:
            continue
        covered = None
        path = [p for p in path if p[0] < indent] + [(indent, match[2])]
        names = [name for _, name in path]
        if not meaning:
            if match[3]:
                raise Undocumented(f"values.yaml:{number}: {'.'.join(names)} has no comment `# -- ...`")
            continue
        value = values
        for name in names:
            value = value[name]
        yield ".".join(names), value, meaning
        meaning, covered = "", indent


def readme():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    overlays = "\n".join(
        f"| [{path.name}]({path.name}) | {first_comment(path)} |" for path in sorted(CHART.glob("values-*.yaml")))
    rows = "".join(
        f"| `{name}` | `{json.dumps(value)}` | {meaning} |\n".replace(" | `\"\"` |", " | |")
        for name, value, meaning in documented_values((CHART / "values.yaml").read_text()))
    return HEAD.format(name=chart["name"], description=chart["description"], version=chart["version"],
                       app=chart["appVersion"], kube=chart["kubeVersion"].removesuffix("-0"), overlays=overlays) + rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where README.md is not what would be written")
    options = parser.parse_args()
    target = CHART / "README.md"
    try:
        wanted = readme()
    except Undocumented as error:
        sys.exit(f"error: {error}")
    if not options.check:
        target.write_text(wanted)
    elif not target.exists() or target.read_text() != wanted:
        sys.exit(f"error: {target} is not what the values say; run: deploy/helm/make_readme.py")


if __name__ == "__main__":
    main()
