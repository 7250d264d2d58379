"""Stands in for the kubelet and kube-state-metrics: starts a real server anew whenever it ends, and shows how often."""

import http.server

import support

RESTARTS = """# HELP kube_pod_container_status_restarts_total [STABLE] The number of container restarts per container.
# TYPE kube_pod_container_status_restarts_total counter
kube_pod_container_status_restarts_total{{namespace="reviews",pod="sentiment-0",uid="5d1c7b0e",container="kubesentiment"}} {}
"""


class RestartedContainer(support.Server):
    """A pod's only container, started anew `pause` seconds after it ended; it need not get ready. `state_metrics_port` has what
    kube-state-metrics says of it."""

    def __init__(self, *arguments, pause, **options):
        super().__init__(*arguments, **options)
        self.restarts = 0
        self._pause = pause
        self._kubelet = support.Threads([self._run])
        container = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(RESTARTS.format(container.restarts).encode())

        self._state_metrics = support.Listener(Handler)
        self.state_metrics_port = self._state_metrics.port

    def __enter__(self):
        self._state_metrics.__enter__()
        self._kubelet.__enter__()
        return self

    def __exit__(self, *_):
        self._kubelet.__exit__()
        self._state_metrics.__exit__()
        super().__exit__()

    def _run(self, stop):
        while not stop.wait(self._pause):
            if self.process.poll() is not None:
                self.start(self.process.args, env=support.ENVIRONMENT)
                self.restarts += 1
