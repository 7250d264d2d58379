#!/usr/bin/env python3
"""Writes the chart's Grafana dashboards, deploy/helm/kubesentiment/files/dashboards/*.json: scripts/dashboards.py

Grafana's JSON says everything many times over; what differs from panel to panel stands here. In the queries `OF` is what
the variables of the dashboard select, RATE the window that Grafana thinks right for a rate.
"""

import dataclasses
import json
import pathlib

TARGET = pathlib.Path(__file__).parent.parent / "deploy/helm/kubesentiment/files/dashboards"
OF = 'namespace=~"$namespace", job=~"$job"'
RATE = "$__rate_interval"
COLUMNS = 24
CLASSIFYING = 'method="POST", route=~"/api/v1/predict(/batch)?|/|/models/.+"'
SINGLE = 'method="POST", route="/api/v1/predict"'


@dataclasses.dataclass
class Panel:
    title: str
    queries: list            # (PromQL, legend)
    unit: str = "short"      # Grafana's name of it
    text: str = ""           # what to see in it
    stat: bool = False       # one number instead of curves
    stacked: bool = False
    at_most: float | None = None
    width: int = 8
    height: int = 7


@dataclasses.dataclass
class Row:
    title: str
    panels: list


@dataclasses.dataclass
class Dashboard:
    name: str
    title: str
    rows: list

    def panels(self):
        return [panel for row in self.rows for panel in row.panels]


def stat(title, query, legend, unit, text, width=4):
    return Panel(title, [(query, legend)], unit, text, stat=True, width=width, height=4)


def quantiles(series, of, by="", legend="", shares=(0.5, 0.9, 0.99)):
    """The curves of a histogram's quantiles."""
    labels = ", ".join(["le", *filter(None, [by])])
    return [(f"histogram_quantile({share}, sum by ({labels}) (rate({series}_bucket{{{of}}}[RATE])))",
             f"P{share * 100:.0f}{legend}") for share in shares]


def share_of(part, whole, window, by):
    """Of each value of the label `by` in the rate of all."""
    return f"sum by ({by}) (rate({part}[{window}])) / ignoring ({by}) group_left () sum(rate({whole}[{window}]))"


def mean_of(histogram, window, by=""):
    group = f"sum by ({by}) " if by else "sum"
    return f"{group}(rate({histogram}_sum{{OF}}[{window}])) / {group}(rate({histogram}_count{{OF}}[{window}]))"


SERVICE = Dashboard("service", "KubeSentiment: service", [
    Row("Now", [
        stat("Answered, last hour",
             "1 - sum(job:kubesentiment_errors:increase1h{OF}) / sum(job:kubesentiment_requests:increase1h{OF})",
             "answered", "percentunit", "Objective: 99.9 %. Not answered are 429 and statuses from 500 on."),
        stat("Within 0.25 s, last hour",
             "1 - sum(job:kubesentiment_slow_predicts:increase1h{OF}) / sum(job:kubesentiment_predicts:increase1h{OF})",
             "within 0.25 s", "percentunit", "Objective: 99 % of the requests with one text."),
        stat("Processes", "count(ml_queue_limit_tokens{OF})", "processes", "short", "Those that Prometheus scrapes."),
        stat("Cold start", "max(ml_cold_start_seconds{OF})", "slowest", "s",
             "From the first line of main to ready; the slowest process."),
        stat("Precision in use", "count by (precision, reason) (ml_active_precision{OF})", "{{precision}} ({{reason}})",
             "short", "Processes by precision. int8_self_check_failed is a fault."),
        stat("Versions", "count by (version) (build_info{OF})", "{{version}}", "short",
             "Processes by version: two while a rollout lasts."),
    ]),
    Row("Requests", [
        Panel("Requests by status", [
            (f"sum by (status) (rate(http_requests_total{{OF, {CLASSIFYING}}}[RATE]))", "{{status}}")], "reqps",
            "Requests to classify. 429: no room. 504: no time. 503: draining. 500: a run failed.", stacked=True),
        Panel("Refusals by reason", [("sum by (reason) (rate(ml_rejected_total{OF}[RATE]))", "{{reason}}")], "reqps",
              "abandoned: the client left while its request waited."),
        Panel("Latency of single texts", quantiles("http_request_duration_seconds", f"OF, {SINGLE}"), "s",
              "From the request read to its answer made."),
        Panel("Requests by route", [
            ('sum by (route) (rate(http_requests_total{OF, method="POST"}[RATE]))', "{{route}}")], "reqps"),
        Panel("Burn rate of the error budget", [
            (f"max(job:kubesentiment_errors:increase{w}{{OF}} / job:kubesentiment_requests:increase{w}{{OF}}) / 0.001", w)
            for w in ("5m", "30m", "1h", "6h")], "short",
            "1: the budget lasts the month. Alerts: 14.4 over an hour and 5 minutes, 6 over six hours and 30 minutes."),
        Panel("Burn rate of the latency budget", [
            (f"max(job:kubesentiment_slow_predicts:increase{w}{{OF}} / job:kubesentiment_predicts:increase{w}{{OF}}) / 0.01",
             w) for w in ("5m", "30m", "1h", "6h")], "short", "As on the left, of single texts slower than 0.25 s."),
    ]),
    Row("Queue and runs", [
        Panel("Queue", [("max by (instance) (ml_queue_tokens{OF})", "{{instance}}"), ("max(ml_queue_limit_tokens{OF})", "limit")],
              "short", "Tokens admitted and not answered yet; beyond the limit requests are refused."),
        Panel("Queue wait", quantiles("ml_queue_wait_seconds", "OF", shares=(0.5, 0.99)), "s", "From admission to a run."),
        Panel("Duration of a run", quantiles("ml_inference_duration_seconds", "OF", "backend", " {{backend}}", (0.5, 0.99)), "s",
              "One run may hold many texts."),
        Panel("Texts a second", [("sum by (backend) (rate(ml_predictions_total{OF}[RATE]))", "{{backend}}")], "short"),
        Panel("Tokens a second", [("sum(rate(ml_tokens_total{OF}[RATE]))", "answered")], "short"),
        Panel("Runs by session", [("sum by (session) (rate(ml_runs_total{OF}[RATE]))", "{{session}}")], "ops",
              "wide: a text that came to an idle server and got all cores."),
        Panel("Texts in a run", [(mean_of("ml_batch_size", "RATE"), "mean"), *quantiles("ml_batch_size", "OF", shares=(0.99,))]),
        Panel("Tokens in a run", [
            (mean_of("ml_batch_tokens", "RATE"), "mean"), *quantiles("ml_batch_tokens", "OF", shares=(0.99,))]),
        Panel("Requests in flight", [("sum by (instance) (http_requests_in_flight{OF})", "{{instance}}")], "short"),
    ]),
    Row("Processes", [
        Panel("CPU", [("sum by (instance) (rate(process_cpu_seconds_total{OF}[RATE]))", "{{instance}}")], "short", "Cores in use."),
        Panel("Memory", [("max by (instance) (process_resident_memory_bytes{OF})", "{{instance}}")], "bytes", "Resident."),
        Panel("Starts", [("changes(process_start_time_seconds{OF}[30m])", "{{instance}}")], "short",
              "Of one and the same target within half an hour: more than three are a crash loop."),
        Panel("Open files", [("max by (instance) (process_open_fds{OF})", "{{instance}}")], "short", width=6),
        Panel("Log lines dropped", [("sum by (instance) (rate(log_dropped_total{OF}[RATE]))", "{{instance}}")], "short",
              "Nobody reads stderr fast enough.", width=6),
        Panel("Spans of traces", [
            ("sum(rate(trace_spans_exported_total{OF}[RATE]))", "taken"),
            ("sum(rate(trace_spans_dropped_total{OF}[RATE]))", "dropped")], "short",
            "A second. dropped: the collector was away, too slow, or refused them. None where traces are off.", width=6),
        Panel("Hung workers and damaged packages", [
            ("sum(ml_worker_stalled{OF})", "hung"), ("count(ml_package_verified{OF} == 0) or vector(0)", "damaged"),
            ("sum(ml_package_verified{OF})", "whole")], "short", "Processes.", width=6),
    ]),
])

MODEL = Dashboard("model", "KubeSentiment: model", [
    Row("Labels", [
        Panel("Labels", [(share_of("ml_predictions_total{OF}", "ml_predictions_total{OF}", "RATE", "label"), "{{label}}")],
              "percentunit", "Share of the texts by the label they got.", stacked=True, at_most=1),
        Panel("Drift of labels", [(
            share_of("ml_predictions_total{OF}", "ml_predictions_total{OF}", "1h", "label") + " - "
            + share_of("ml_predictions_total{OF}", "ml_predictions_total{OF}", "1d", "label"), "{{label}}")], "percentunit",
            "Share within the last hour less that of the last day. Far from 0: other texts come, or another model answers."),
        Panel("Texts by label", [("sum by (label) (rate(ml_predictions_total{OF}[RATE]))", "{{label}}")], "short", "A second."),
    ]),
    Row("Confidence", [
        Panel("Confidence", [(mean_of("ml_prediction_confidence", "RATE", "label"), "{{label}}")], "percentunit",
              "Mean score of the label that a text got.", at_most=1),
        Panel("Drift of confidence", [(
            mean_of("ml_prediction_confidence", "1h", "label") + " - " + mean_of("ml_prediction_confidence", "1d", "label"),
            "{{label}}")], "percentunit", "Mean within the last hour less that of the last day. Below 0: it is less sure."),
        Panel("Unsure", [
            ('sum by (label) (rate(ml_prediction_confidence_bucket{OF, le="0.6"}[RATE])) / '
             "sum by (label) (rate(ml_prediction_confidence_count{OF}[RATE]))", "{{label}}")], "percentunit",
            "Share of the texts whose label has a score of 0.6 at most.", at_most=1),
    ]),
    Row("Truth", [
        Panel("Accuracy by feedback, six hours", [
            ("1 - sum by (backend) (model:kubesentiment_feedback_differed:increase6h{OF}) / "
             "sum by (backend) (model:kubesentiment_feedback:increase6h{OF})", "{{backend}}")], "percentunit",
            "Who is content says nothing: feedback is darker than truth.", at_most=1),
        Panel("Feedback", [("sum by (outcome) (increase(ml_feedback_total{OF}[1h]))", "{{outcome}}")], "short", "Within an hour."),
        Panel("Accuracy since the start", [("avg by (backend) (ml_prediction_accuracy_score{OF})", "{{backend}}")], "percentunit",
              "Over the life of each process.", at_most=1),
    ]),
    Row("Two backends", [
        Panel("Agreement, last hour", [
            ("1 - sum by (model) (model:kubesentiment_other_label:increase1h{OF}) / "
             "sum by (model) (model:kubesentiment_compared:increase1h{OF})", "{{model}}")], "percentunit",
            "Share of the shadow's texts with the same label. int8 beside fp32: 0.995 or more.", at_most=1),
        Panel("Disagreements", [(
            share_of("ml_backend_disagreement_total{OF}", 'ml_shadow_texts_total{OF, outcome="compared"}', "RATE", "kind"),
            "{{kind}}")], "percentunit", "label: another one. score: the same label, off by more than 0.01."),
        Panel("Largest difference", [("max by (model) (ml_backend_score_drift_max{OF})", "{{model}}")], "short",
              "Of a score, over the life of each process."),
    ]),
    Row("Texts", [
        Panel("Truncated", [("sum(rate(ml_truncated_total{OF}[RATE])) / sum(rate(ml_predictions_total{OF}[RATE]))", "share")],
              "percentunit", "Texts longer than the window: their end was not read."),
        Panel("Tokens a text", [("sum(rate(ml_tokens_total{OF}[RATE])) / sum(rate(ml_predictions_total{OF}[RATE]))", "mean")]),
        Panel("Precision in use", [
            ("count by (precision, reason) (ml_active_precision{OF})", "{{precision}} ({{reason}})")], text="Processes."),
    ]),
])

MIGRATION = Dashboard("migration", "KubeSentiment: from PyTorch to ONNX", [
    Row("Who answers", [
        Panel("Texts a second", [("sum by (backend) (rate(ml_predictions_total{OF}[RATE]))", "{{backend}}")], stacked=True),
        Panel("Share of each backend", [
            (share_of("ml_predictions_total{OF}", "ml_predictions_total{OF}", "RATE", "backend"), "{{backend}}")],
            "percentunit", "The canary's share, or what clients ask for.", at_most=1),
        Panel("Runs a second", [("sum by (backend) (rate(ml_runs_total{OF}[RATE]))", "{{backend}}")], "ops"),
    ]),
    Row("What it costs", [
        Panel("Duration of a run, median", quantiles("ml_inference_duration_seconds", "OF", "backend", " {{backend}}", (0.5,)),
              "s"),
        Panel("Duration of a run, P99", quantiles("ml_inference_duration_seconds", "OF", "backend", " {{backend}}", (0.99,)),
              "s"),
        Panel("Time in runs", [("sum by (backend) (rate(ml_inference_duration_seconds_sum{OF}[RATE]))", "{{backend}}")], "short",
              "Workers busy, on the mean."),
        Panel("Load time", [("max by (backend) (ml_model_load_duration_seconds{OF})", "{{backend}}")], "s", "Until warm."),
        Panel("Memory", [("max by (instance) (process_resident_memory_bytes{OF})", "{{instance}}")], "bytes",
              "PyTorch leaves with the last phase, and with it several hundred megabytes."),
        Panel("Queue wait", quantiles("ml_queue_wait_seconds", "OF", shares=(0.5, 0.99)), "s"),
    ]),
    Row("Whether they agree", [
        Panel("Shadow: what became of the texts", [
            ("sum by (outcome) (rate(ml_shadow_texts_total{OF}[RATE]))", "{{outcome}}")], "short",
            "A second. dropped: the shadow had no time. failed: its backend did.", stacked=True),
        Panel("Agreement, last hour", [
            ("1 - sum by (model) (model:kubesentiment_other_label:increase1h{OF}) / "
             "sum by (model) (model:kubesentiment_compared:increase1h{OF})", "{{model}}"),
            ("avg by (model) (ml_backend_agreement_ratio{OF})", "{{model}}, since the start")], "percentunit",
            "Share of the compared texts with the same label.", at_most=1),
        Panel("Compared, last hour", [("sum by (model) (model:kubesentiment_compared:increase1h{OF})", "{{model}}")], "short",
              "Texts: what the agreement stands on."),
        Panel("Disagreements", [("sum by (kind) (increase(ml_backend_disagreement_total{OF}[1h]))", "{{kind}}")], "short",
              "Texts within an hour. label: another one. score: the same label, off by more than 0.01."),
        Panel("Largest difference", [("max by (model) (ml_backend_score_drift_max{OF})", "{{model}}")], "short", "Of a score."),
        Panel("Accuracy by feedback, six hours", [
            ("1 - sum by (backend) (model:kubesentiment_feedback_differed:increase6h{OF}) / "
             "sum by (backend) (model:kubesentiment_feedback:increase6h{OF})", "{{backend}}")], "percentunit", at_most=1),
    ]),
    Row("Labels of each", [
        Panel(f"Labels of {backend}", [(share_of(of_backend, of_backend, "RATE", "label"), "{{label}}")], "percentunit",
              "Shares that differ ask for a look.", stacked=True, at_most=1, width=12)
        for backend in ("onnx", "pytorch") for of_backend in [f'ml_predictions_total{{OF, backend="{backend}"}}']
    ]),
])

DASHBOARDS = [SERVICE, MODEL, MIGRATION]


# --- Grafana's form ---

DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def final(expr):
    """A query as Grafana gets it."""
    return expr.replace("RATE", RATE).replace("OF", OF)


def panel_json(panel, number, x, y):
    defaults = {"unit": panel.unit, "min": None if "rift" in panel.title else 0}
    if panel.at_most is not None:
        defaults["max"] = panel.at_most
    if not panel.stat:
        defaults["custom"] = {
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if panel.stacked else 5, "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"}}
    options = ({"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "textMode": "value_and_name",
                "colorMode": "none", "graphMode": "none"} if panel.stat else
               {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"}})
    return {
        "id": number, "type": "stat" if panel.stat else "timeseries", "title": panel.title, "description": panel.text,
        "datasource": DATA_SOURCE, "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options,
        "targets": [{"refId": chr(ord("A") + i), "datasource": DATA_SOURCE, "expr": final(expr), "legendFormat": legend,
                     "instant": panel.stat, "range": not panel.stat} for i, (expr, legend) in enumerate(panel.queries)]}


def variable(name, query):
    return {"name": name, "type": "query", "label": name, "datasource": DATA_SOURCE,
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1,
            "multi": True, "includeAll": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}


def dashboard_json(dashboard):
    panels, y = [], 0
    for row in dashboard.rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}})
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            panels.append(panel_json(panel, len(panels) + 1, x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return {
        "uid": f"kubesentiment-{dashboard.name}", "title": dashboard.title, "tags": ["kubesentiment"], "schemaVersion": 39,
        "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s", "time": {"from": "now-3h", "to": "now"},
        "timezone": "", "links": [{"type": "dashboards", "title": "KubeSentiment", "tags": ["kubesentiment"],
                                   "asDropdown": False, "keepTime": True, "includeVars": True}],
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "label": "data source", "query": "prometheus", "refresh": 1},
            variable("namespace", "label_values(ml_queue_limit_tokens, namespace)"),
            variable("job", 'label_values(ml_queue_limit_tokens{namespace=~"$namespace"}, job)')]},
        "panels": panels}


def texts():
    """What each file holds, by its name."""
    return {f"{dashboard.name}.json": json.dumps(dashboard_json(dashboard), indent=1) + "\n" for dashboard in DASHBOARDS}


if __name__ == "__main__":
    for name, text in texts().items():
        (TARGET / name).write_text(text)
