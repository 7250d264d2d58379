"""Stands in for prometheus-adapter and metrics-server: serves custom.metrics.k8s.io and metrics.k8s.io to the API server.

Both loads, tokens in queues and CPU time, are shared evenly by the pods, as a Service shares them.
"""

import datetime
import http.server
import json
import re
import ssl
import threading
import urllib.parse

CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2"
RESOURCE = "/apis/metrics.k8s.io/v1beta1"


class MetricsAdapter:
    """Serves on a free port of loopback; use as a context manager."""

    def __init__(self, cluster):
        self._cluster = cluster
        self.queue_tokens = 0
        self.cpu_millis = 0

    def __enter__(self):
        adapter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                answer = adapter.answer(urllib.parse.urlsplit(self.path))
                body = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}).encode()
                self.send_response(200 if answer else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._cluster.certificate, self._cluster.key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self._cluster.apply(*self._registration())
        return self

    def __exit__(self, *_):
        self._cluster.kubectl("delete", "apiservice", "v1beta2.custom.metrics.k8s.io", "v1beta1.metrics.k8s.io")
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _registration(self):
        port = self._server.server_address[1]
        service = {"name": "metrics-adapter", "namespace": "kube-system"}
        yield {"apiVersion": "v1", "kind": "Service", "metadata": service,
               "spec": {"type": "ExternalName", "externalName": "localhost"}}
        for group, version in (("custom.metrics.k8s.io", "v1beta2"), ("metrics.k8s.io", "v1beta1")):
            yield {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"{version}.{group}"},
                   "spec": {"group": group, "version": version, "service": service | {"port": port},
                            "insecureSkipTLSVerify": True, "groupPriorityMinimum": 100, "versionPriority": 100}}

    def answer(self, url):
        """What is served at a URL; None where there is nothing."""
        path = urllib.parse.unquote(url.path)
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        selector = urllib.parse.parse_qs(url.query).get("labelSelector", [""])[0]
        if path in (CUSTOM, RESOURCE):
            name, kind = (("pods/ml_queue_tokens", "MetricValueList") if path == CUSTOM else ("pods", "PodMetrics"))
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": path.removeprefix("/apis/"),
                    "resources": [{"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get", "list"]}]}
        if match := re.fullmatch(rf"{CUSTOM}/namespaces/([^/]+)/pods/\*/ml_queue_tokens", path):
            pods = self._pods(match[1], selector)
            return {"kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta2", "metadata": {}, "items": [
                {"describedObject": {"kind": "Pod", "namespace": match[1], "name": pod, "apiVersion": "v1"},
                 "metric": {"name": "ml_queue_tokens"}, "timestamp": now, "value": f"{self.queue_tokens * 1000 // len(pods)}m"}
                for pod in pods]}
        if match := re.fullmatch(rf"{RESOURCE}/namespaces/([^/]+)/pods", path):
            pods = self._pods(match[1], selector)
            return {"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": [
                {"metadata": {"name": pod, "namespace": match[1]}, "timestamp": now, "window": "10s",
                 "containers": [{"name": "kubesentiment", "usage": {"cpu": f"{self.cpu_millis // len(pods)}m", "memory": "64Mi"}}]}
                for pod in pods]}
        return None

    def _pods(self, namespace, selector):
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={urllib.parse.quote(selector)}"
        return [pod["metadata"]["name"] for pod in json.loads(self._cluster.request("GET", path)[1])["items"]]
