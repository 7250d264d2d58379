"""A collector of traces that decodes them by the official definitions (the package opentelemetry-proto)."""

import http.server
import threading
import time

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

import support


class Collector(support.Listener):
    """A collector on the loopback that keeps what it takes; `status` is what it answers."""

    def __init__(self, port=0):
        self.requests = []  # ExportTraceServiceRequest
        self.bodies = []
        self.status = 200
        self._changed = threading.Condition()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
                with collector._changed:
                    if collector.status == 200:
                        collector.bodies.append(body)
                        collector.requests.append(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
                    collector._changed.notify_all()
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(Handler, port)

    def spans(self):
        with self._changed:
            return [span for request in self.requests for of_resource in request.resource_spans
                    for of_scope in of_resource.scope_spans for span in of_scope.spans]

    def wait_for_traces(self, count, seconds=30):
        """The spans of each trace, by its id, once there are `count` traces."""
        deadline = time.monotonic() + seconds
        while True:
            traces = {}
            for span in self.spans():
                traces.setdefault(span.trace_id.hex(), []).append(span)
            if len(traces) >= count:
                return traces
            assert time.monotonic() < deadline, f"expected {count} traces, found {traces}"
            time.sleep(0.02)
