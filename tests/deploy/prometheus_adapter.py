"""What prometheus-adapter makes of the rules that it is given, as its documentation and sources have it: which series it takes,
what it calls them, and what it asks Prometheus for them.

Its own program cannot be had where the tests run. What is not written down here of its rules (templates, filters, captures
in names) is refused, so that none is used untested.
"""

import json
import pathlib
import re

import yaml

VALUES = pathlib.Path(__file__).parent.parent.parent / "deploy/autoscaling/prometheus-adapter.yaml"


def equal(label, value):
    return f"{label}={json.dumps(value)}"


class Rule:
    """One rule for custom metrics."""

    def __init__(self, given):
        assert set(given) == {"seriesQuery", "resources", "name", "metricsQuery"}, given
        assert set(given["resources"]) == {"overrides"} and set(given["name"]) == {"matches", "as"}, given
        assert "$" not in given["name"]["as"], given
        self.series = given["seriesQuery"]
        self._name = given["name"]
        self._query = given["metricsQuery"]
        self._labels = {}
        for label, what in given["resources"]["overrides"].items():
            assert set(what) == {"resource"}, given
            self._labels[what["resource"]] = label
        assert set(self._labels) == {"namespace", "pod"}, given

    def metric(self, series):
        """The name in the API of a series that `self.series` finds; None where the rule leaves it."""
        return self._name["as"] if re.search(self._name["matches"], series) else None

    def query(self, series, namespace, pods):
        """What Prometheus is asked for a metric of these pods."""
        named = equal(self._labels["pod"], pods[0]) if len(pods) == 1 else f'{self._labels["pod"]}=~{json.dumps("|".join(pods))}'
        parts = {"Series": series, "GroupBy": self._labels["pod"],
                 "LabelMatchers": ",".join([equal(self._labels["namespace"], namespace), named])}
        query = re.sub(r"<<\.(\w+)>>", lambda match: parts[match[1]], self._query)
        assert "<<" not in query and ">>" not in query, query
        return query

    def values(self, samples):
        """{pod: value} of the answer, [(labels, value)]."""
        return {labels[self._labels["pod"]]: value for labels, value in samples}


def rule():
    """The only rule of deploy/autoscaling."""
    values = yaml.safe_load(VALUES.read_text())
    assert set(values) == {"rules"} and set(values["rules"]) == {"default", "custom"}, values
    assert values["rules"]["default"] is False
    only, = values["rules"]["custom"]
    return Rule(only)
