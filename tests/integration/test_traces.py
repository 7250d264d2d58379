"""Traces as a collector gets them."""

import contextlib
import json
import os
import re
import signal
import time

import pytest
from opentelemetry.proto.trace.v1 import trace_pb2

import support
from collector import Collector

PREDICT = "/api/v1/predict"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
SECRET = "zanzibar"


def traced(collector, *arguments, **options):
    return support.Server("--otlp-endpoint", collector.url, *arguments, **options)


def parent_header(trace_id=TRACE_ID, flags="01"):
    return {"traceparent": f"00-{trace_id}-{CALLER}-{flags}"}


def attributes(span):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


def whole_and_parts(spans):
    [whole] = [span for span in spans if span.kind == trace_pb2.Span.SPAN_KIND_SERVER]
    parts = {}
    for span in spans:
        if span is not whole:
            assert span.kind == trace_pb2.Span.SPAN_KIND_INTERNAL and span.parent_span_id == whole.span_id
            parts.setdefault(span.name, []).append(span)
    return whole, parts


def test_a_request_as_the_collector_gets_it():
    before = time.time_ns()
    with Collector() as collector, traced(collector, "--trace-service-name", "reviews") as server:
        headers = parent_header() | {"tracestate": "vendor=1"}
        body = server.post(PREDICT, {"text": f"I love {SECRET}"}, headers).json()
        spans = collector.wait_for_traces(1)[TRACE_ID]
        after = time.time_ns()
        version = json.loads(support.run("version", "--json").stdout)["version"]

        [request] = collector.requests
        [of_resource] = request.resource_spans
        resource = attributes(of_resource.resource)
        assert resource.pop("service.instance.id").count("-") == 4
        assert resource == {"service.name": "reviews", "service.version": version}
        [of_scope] = of_resource.scope_spans
        assert (of_scope.scope.name, of_scope.scope.version) == ("kubesentiment", version)

        whole, parts = whole_and_parts(spans)
        assert whole.name == "POST /api/v1/predict"
        assert whole.parent_span_id.hex() == CALLER and whole.trace_state == "vendor=1"
        assert whole.flags == 0x301 and whole.status.code == trace_pb2.Status.STATUS_CODE_UNSET
        assert attributes(whole) == {"http.request.method": "POST", "http.route": PREDICT,
                                     "http.response.status_code": 200, "ks.texts": 1}
        assert {name: len(of_name) for name, of_name in parts.items()} == {"tokenize": 1, "queue": 1, "run": 1}
        [tokenize], [queue], [run] = parts["tokenize"], parts["queue"], parts["run"]
        assert attributes(tokenize) == {"ks.tokens": body["tokens"]}
        found = attributes(run)
        assert found.pop("ks.cores") >= 1
        assert found == {"ks.backend": "onnx", "ks.batch.sequences": 1, "ks.batch.tokens": body["tokens"]}

        times = [whole.start_time_unix_nano, tokenize.start_time_unix_nano, tokenize.end_time_unix_nano,
                 queue.start_time_unix_nano, queue.end_time_unix_nano, run.end_time_unix_nano, whole.end_time_unix_nano]
        assert times == sorted(times) and queue.end_time_unix_nano <= run.start_time_unix_nano
        assert before <= times[0] and times[-1] <= after
        assert run.end_time_unix_nano - run.start_time_unix_nano == pytest.approx(body["inference_time_ms"] * 1e6, abs=1e3)
        ids = {span.span_id for span in spans}
        assert len(ids) == 4 and all(len(span_id) == 8 and any(span_id) for span_id in ids)
        assert SECRET.encode() not in collector.bodies[0]
        server.wait_log(f'"trace_id":"{TRACE_ID}"')


def test_the_caller_decides_and_wrong_headers_begin_a_new_trace():
    with Collector() as collector, traced(collector) as server:
        server.post(PREDICT, {"text": "unsampled"}, parent_header("1" * 32, flags="00"))
        for wrong in (f"00-{TRACE_ID}-{CALLER}", f"00-{TRACE_ID.upper()}-{CALLER}-01", f"00-{'0' * 32}-{CALLER}-01"):
            server.post(PREDICT, {"text": "wrong"}, {"traceparent": wrong})
        server.post(PREDICT, {"text": "last"}, parent_header("2" * 32))
        traces = collector.wait_for_traces(4)
    assert len(traces) == 4 and "1" * 32 not in traces and TRACE_ID not in traces
    for trace_id, spans in traces.items():
        whole, _ = whole_and_parts(spans)
        assert whole.parent_span_id.hex() == (CALLER if trace_id == "2" * 32 else "")


def test_probes_begin_no_trace_and_a_ratio_of_zero_leaves_the_callers():
    with Collector() as collector, traced(collector, "--trace-sample-ratio", "0") as server:
        server.post(PREDICT, {"text": "not chosen"})
        server.get("/health/ready")
        server.get("/metrics")
        server.get("/health/live", headers=parent_header("3" * 32))
        server.post(PREDICT, {"text": "chosen"}, parent_header("4" * 32))
        traces = collector.wait_for_traces(2)
    assert sorted(traces) == ["3" * 32, "4" * 32]
    assert [span.name for span in traces["3" * 32]] == ["GET /health/live"]


def test_a_batch_is_divided_into_runs_and_errors_are_marked():
    texts = ["word " * 100] * 16
    with Collector() as collector, traced(collector, "--default-deadline", "9s") as server:
        server.post(PREDICT + "/batch", {"texts": texts}, parent_header("5" * 32))
        late = server.post(PREDICT, {"text": "late"}, parent_header("6" * 32) | {"X-Request-Timeout-Ms": "0"})
        assert late.status == 504
        assert server.post(PREDICT, b"{", parent_header("7" * 32)).status == 400
        traces = collector.wait_for_traces(3)
    whole, parts = whole_and_parts(traces["5" * 32])
    assert attributes(whole)["ks.texts"] == 16
    assert len(parts["run"]) > 1 and sum(attributes(run)["ks.batch.sequences"] for run in parts["run"]) == 16
    for run in parts["run"]:
        assert whole.start_time_unix_nano <= run.start_time_unix_nano < run.end_time_unix_nano <= whole.end_time_unix_nano
    [whole] = traces["6" * 32]
    assert whole.status.code == trace_pb2.Status.STATUS_CODE_ERROR and attributes(whole)["error.type"] == "504"
    [whole] = traces["7" * 32]
    assert whole.status.code == trace_pb2.Status.STATUS_CODE_UNSET
    assert attributes(whole)["http.response.status_code"] == 400


def test_without_the_option_there_is_neither_thread_nor_trace(server):
    assert server.post(PREDICT, {"text": "x"}, parent_header()).status == 200
    assert "traces" not in thread_names(server)
    assert server.metric("trace_spans_exported_total") == server.metric("trace_spans_dropped_total") == 0
    assert '"message":"traces"' not in server.log


def thread_names(server):
    names = []
    for task in os.listdir(f"/proc/{server.process.pid}/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{server.process.pid}/task/{task}/comm") as file:
            names.append(file.read().strip())
    return names


def test_a_collector_that_is_away_costs_nothing_and_gets_what_waited():
    port = support.free_port()
    with support.Server("--otlp-endpoint", f"http://127.0.0.1:{port}") as server:
        for _ in range(20):
            assert server.post(PREDICT, {"text": "x"}).status == 200
        server.wait_log('"traces are not taken"')
        with Collector(port) as collector:
            traces = collector.wait_for_traces(20)
            server.wait_log('"traces are taken again"')
        assert all(len(spans) == 4 for spans in traces.values())
        assert server.log.count('"traces are not taken"') == 1
        assert '"cause":"nobody listens (connection refused)"' in server.log
        assert server.metric("trace_spans_exported_total") == 80


def test_a_collector_that_refuses_loses_the_spans():
    with Collector() as collector, traced(collector) as server:
        collector.status = 400
        server.post(PREDICT, {"text": "x"})
        server.wait_log('"traces are not taken","cause":"status 400"')
        deadline = time.monotonic() + 10
        while server.metric("trace_spans_dropped_total") < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_what_waits_is_sent_before_the_end(stop):
    with Collector() as collector, traced(collector, "--drain-delay", "0ms") as server:
        for _ in range(5):
            server.post(PREDICT, {"text": "x"})
        server.process.send_signal(stop)
        assert server.process.wait(20) == 0
        assert len(collector.wait_for_traces(5, seconds=0)) == 5


def test_a_collector_that_never_answers_holds_up_the_end_for_a_bounded_time():
    with support.socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with support.Server("--otlp-endpoint", endpoint, "--drain-delay", "0ms") as server:
            assert server.post(PREDICT, {"text": "x"}).status == 200
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(20) == 0
            assert time.monotonic() - began < 5, "the chart allows five seconds beside the delays"


@pytest.mark.parametrize("arguments, message", [
    (["--otlp-endpoint", "https://c:4318"], 'otlp-endpoint: https is not supported'),
    (["--otlp-endpoint", "c:4318"], 'otlp-endpoint: expected http://HOST[:PORT][/PATH], found "c:4318"'),
    (["--trace-sample-ratio", "2"], 'trace-sample-ratio: expected a number from 0 to 1, found "2"'),
    (["--trace-service-name", ""], "trace-service-name: expected 1 to 255 printable ASCII characters"),
])
def test_wrong_settings_are_refused_at_start(arguments, message):
    done = support.run("serve", *arguments)
    assert done.returncode == 2 and message in done.stderr.decode()


def test_settings_come_from_the_environment_too():
    printed = support.run("serve", "--print-config", env={"KS_OTLP_ENDPOINT": "http://c:4318", "KS_TRACE_SAMPLE_RATIO": "0.25"})
    lines = printed.stdout.decode()
    assert 'otlp-endpoint = "http://c:4318"  # environment KS_OTLP_ENDPOINT\n' in lines
    assert re.search(r"^trace-sample-ratio = 0\.25 ", lines, re.MULTILINE)
