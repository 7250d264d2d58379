"""The OpenAPI document describes exactly what is served: schemathesis calls the running server by it."""

import json
import os
import pathlib
import re
import subprocess
import sys
import http.client
import http.server

import pytest

import support


def schemathesis(url, report, *arguments):
    tool = pathlib.Path(sys.executable).with_name("schemathesis")
    command = [tool, "run", f"{url}/openapi.json", "--url", url, "--checks", "all", "--seed", "7", "--no-color",
               "--suppress-health-check", "all", "--report", "ndjson", "--report-ndjson-path", str(report), *arguments]
    return subprocess.run(command, capture_output=True, timeout=600, cwd=report.parent, env=os.environ | {"CI": "true"})


def test_the_document_is_closed_where_we_speak_and_open_where_we_listen(server):
    document = server.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert schemas
    assert {"/api/v1/predict", "/api/v1/predict/batch", "/api/v1/feedback", "/api/v1/model-info"} <= set(document["paths"])


def test_every_call_by_the_document_keeps_its_contract(tmp_path):
    with support.Server() as server:
        report = tmp_path / "report.ndjson"
        done = schemathesis(server.url, report, "--max-examples", "25")
    output = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0, output[-6000:]
    for operation, (good, valid) in sorted(positive_rates(report).items()):
        print(f"{operation}: {good} of {valid} valid calls ended in 2xx")
        assert valid == 0 or good / valid >= 0.3, f"{operation}: {good} of {valid} calls meant to be valid ended in 2xx"


def positive_rates(report):
    """{operation: (2xx answers, calls meant to be valid)} from schemathesis' report of events."""
    rates = {}
    for line in report.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        for recorder in find(event, "recorder"):
            cases = recorder.get("cases", {})
            for case_id, interaction in recorder.get("interactions", {}).items():
                node = cases.get(case_id, {})
                value = node.get("value", node)
                mode = ((value.get("meta") or {}).get("generation") or {}).get("mode")
                response = interaction.get("response")
                if mode != "positive" or not response:
                    continue
                operation = f"{value.get('method', '?')} {value.get('path', '?')}"
                good, valid = rates.get(operation, (0, 0))
                rates[operation] = (good + (200 <= response["status_code"] < 300), valid + 1)
    return rates


def find(node, key):
    if isinstance(node, dict):
        if key in node and isinstance(node[key], dict):
            yield node[key]
        for value in node.values():
            yield from find(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from find(value, key)


class BuggyProxy(http.server.BaseHTTPRequestHandler):
    """Passes everything on, but adds a field that the document does not have to each prediction."""

    protocol_version = "HTTP/1.1"
    upstream_port = 0

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=30)
        upstream.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "transfer-encoding")})
        answer = upstream.getresponse()
        content = answer.read()
        if self.path.endswith("/predict") and answer.status == 200:
            content = json.dumps(json.loads(content) | {"surprise": 1}).encode()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        upstream.close()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = do_TRACE = handle_any


def test_a_planted_contract_bug_is_found(server, tmp_path):
    handler = type("Handler", (BuggyProxy,), {"upstream_port": server.port})
    with support.Listener(handler) as proxy:
        done = schemathesis(proxy.url, tmp_path / "report.ndjson", "--max-examples", "10", "--include-path", "/api/v1/predict")
    output = done.stdout.decode()
    assert done.returncode == 1, output[-3000:]
    assert re.search(r"surprise|additional", output, re.I), output[-3000:]
