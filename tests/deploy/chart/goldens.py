#!/usr/bin/env python3
"""Writes golden/: the objects that each values file makes, so that a change of the chart is read as a difference of them.

default.yaml has all objects; the others have those that are not the same there, and say which are missing. Rules and
dashboards are left out: they are files that the chart passes on. Needs helm (scripts/setup-kubernetes chart) and the packages of build/venv.
"""

import os
import pathlib
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE / "golden"

os.environ.setdefault("KS_SOURCE_DIR", str(HERE.parent.parent.parent))
sys.path.insert(0, str(HERE.parent))

import helm_chart  # noqa: E402


class Dumper(yaml.SafeDumper):
    """Text of several lines as it is, and no references."""

    def ignore_aliases(self, _):
        return True


Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))


def render(**options):
    return [document for document in helm_chart.render(**options)
            if document["kind"] != "PrometheusRule" and "-dashboard-" not in document["metadata"]["name"]]


def differences(documents, default):
    """One file's text."""
    missing = {document["kind"] for document in default} - {document["kind"] for document in documents}
    changed = [document for document in documents if document not in default]
    return "".join(f"# No {kind}.\n" for kind in sorted(missing)) + dump(changed)


def dump(documents):
    return yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=130)


def texts():
    """What the files have to say, by name."""
    default = render()
    made = {"default": dump(default), "every-object": differences(render(values=helm_chart.EVERYTHING), default)}
    for overlay in helm_chart.OVERLAYS:
        made[overlay.removeprefix("values-").removesuffix(".yaml")] = differences(render(overlays=[overlay]), default)
    return {f"{name}.yaml": text for name, text in made.items()}


def main():
    TARGET.mkdir(exist_ok=True)
    wanted = texts()
    for file in TARGET.iterdir():
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        (TARGET / name).write_text(text)


if __name__ == "__main__":
    main()
