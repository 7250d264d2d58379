"""The metrics of pods that run nothing, from the pods to the API that the autoscaler asks.

Each ready pod shows at /metrics an even share of the tokens in all queues, as a Service shares requests. A real Prometheus
scrapes them as the chart's ServiceMonitor says. This module takes the place of the Prometheus operator, of prometheus-adapter,
whose rule it asks that Prometheus by, and of metrics-server.
"""

import contextlib
import datetime
import http.server
import json
import re
import ssl
import threading
import urllib.parse

import monitoring
import prometheus_adapter

CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2"
RESOURCE = "/apis/metrics.k8s.io/v1beta1"


class ClusterMetrics:
    """Of the pods that a ServiceMonitor of the cluster selects; use as a context manager."""

    def __init__(self, cluster, monitor, folder):
        self._cluster, self._monitor, self._folder = cluster, monitor, folder
        self._rule = prometheus_adapter.rule()
        self.queue_tokens = 0
        self.cpu_millis = 0

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._port = stack.enter_context(self._serving())
            self.prometheus = stack.enter_context(monitoring.PrometheusServer(self._folder, self._scraping()))
            stack.enter_context(self._registered())
            self._stop = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stop.close()

    @contextlib.contextmanager
    def _serving(self):
        metrics = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                text = metrics.shown(url.path)
                answer = text or metrics.answer(url)
                found = answer is not None
                body = text or json.dumps(answer if found else {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain" if text else "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._cluster.certificate, self._cluster.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    @contextlib.contextmanager
    def _registered(self):
        service = {"name": "cluster-metrics", "namespace": "kube-system"}
        self._cluster.apply(
            {"apiVersion": "v1", "kind": "Service", "metadata": service, "spec": {"type": "ExternalName", "externalName": "localhost"}},
            *({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"{version}.{group}"},
               "spec": {"group": group, "version": version, "service": service | {"port": self._port},
                        "insecureSkipTLSVerify": True, "groupPriorityMinimum": 100, "versionPriority": 100}}
              for group, version in (("custom.metrics.k8s.io", "v1beta2"), ("metrics.k8s.io", "v1beta1"))))
        try:
            yield
        finally:
            self._cluster.kubectl("delete", "apiservice", "v1beta2.custom.metrics.k8s.io", "v1beta1.metrics.k8s.io")

    # --- The pods and who scrapes them ---

    def _scraping(self):
        """Prometheus' configuration."""
        endpoint, = self._monitor["spec"]["endpoints"]
        tls = {"insecure_skip_verify": True}
        found = {"url": f"https://127.0.0.1:{self._port}/targets", "refresh_interval": "1s", "tls_config": tls}
        return {"scrape_configs": [{
            "job_name": self._monitor["metadata"]["name"], "scrape_interval": endpoint["interval"],
            "scrape_timeout": endpoint["scrapeTimeout"], "scheme": "https", "tls_config": tls, "http_sd_configs": [found]}]}

    def targets(self):
        """What the ServiceMonitor selects, with the labels that the operator gives it. All pods are behind this server."""
        namespace, spec = self._monitor["metadata"]["namespace"], self._monitor["spec"]
        endpoint, = spec["endpoints"]
        selector = ",".join(f"{label}={value}" for label, value in spec["selector"]["matchLabels"].items())
        for service in self._list(f"/api/v1/namespaces/{namespace}/services", selector):
            name = service["metadata"]["name"]
            slices = self._list(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", f"kubernetes.io/service-name={name}")
            for one in slices:
                if endpoint["port"] in [port["name"] for port in one["ports"] or []]:
                    for pod in [address["targetRef"]["name"] for address in one["endpoints"] or []]:
                        labels = {"namespace": namespace, "pod": pod, "service": name, "endpoint": endpoint["port"],
                                  "__metrics_path__": f"/pods/{namespace}/{pod}{endpoint['path']}"}
                        yield {"targets": [f"127.0.0.1:{self._port}"], "labels": labels}

    def shown(self, path):
        """What a pod shows at its /metrics; None for any other path."""
        if match := re.fullmatch(r"/pods/([^/]+)/([^/]+)/metrics", path):
            ready = [pod["metadata"]["name"] for pod in self._pods(match[1]) if self._cluster.is_ready(pod)]
            tokens = self.queue_tokens / len(ready) if match[2] in ready else 0
            return f'# TYPE ml_queue_tokens gauge\nml_queue_tokens{{model="default"}} {tokens}\n'
        return None

    def _list(self, path, selector):
        status, body = self._cluster.request("GET", f"{path}?labelSelector={urllib.parse.quote(selector)}")
        assert status == 200, body
        return json.loads(body)["items"]

    def _pods(self, namespace, selector="app.kubernetes.io/name=kubesentiment"):
        return self._list(f"/api/v1/namespaces/{namespace}/pods", selector)

    # --- The APIs ---

    def answer(self, url):
        """What is served at a URL to Prometheus and to the API server; None where there is nothing."""
        path = urllib.parse.unquote(url.path)
        if path == "/targets":
            return list(self.targets())
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        selector = urllib.parse.parse_qs(url.query).get("labelSelector", [""])[0]
        if path in (CUSTOM, RESOURCE):
            served = [(f"pods/{name}", "MetricValueList") for name in self._series()] if path == CUSTOM else [("pods", "PodMetrics")]
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": path.removeprefix("/apis/"), "resources": [
                {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get", "list"]} for name, kind in served]}
        if match := re.fullmatch(rf"{CUSTOM}/namespaces/([^/]+)/pods/\*/([^/]+)", path):
            series = self._series().get(match[2])
            names = [pod["metadata"]["name"] for pod in self._pods(match[1], selector)]
            if not series or not names:
                return None
            values = self._rule.values(self.prometheus.query(monitoring.faster(self._rule.query(series, match[1], names))))
            return {"kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta2", "metadata": {}, "items": [
                {"describedObject": {"kind": "Pod", "namespace": match[1], "name": pod, "apiVersion": "v1"},
                 "metric": {"name": match[2]}, "timestamp": now, "value": f"{int(values[pod] * 1000)}m"}
                for pod in names if pod in values]}
        if match := re.fullmatch(rf"{RESOURCE}/namespaces/([^/]+)/pods", path):
            names = [pod["metadata"]["name"] for pod in self._pods(match[1], selector)]
            return {"kind": "PodMetricsList", "apiVersion": "metrics.k8s.io/v1beta1", "metadata": {}, "items": [
                {"metadata": {"name": pod, "namespace": match[1]}, "timestamp": now, "window": "10s",
                 "containers": [{"name": "kubesentiment", "usage": {"cpu": f"{self.cpu_millis // len(names)}m", "memory": "64Mi"}}]}
                for pod in names]}
        return None

    def _series(self):
        """{name in the API: series of Prometheus}."""
        found = self.prometheus.get("/api/v1/series", **{"match[]": self._rule.series})["data"]
        names = {labels["__name__"] for labels in found}
        return {self._rule.metric(name): name for name in names if self._rule.metric(name)}
