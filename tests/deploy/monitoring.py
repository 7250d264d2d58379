"""A real Prometheus and Alertmanager on free ports of loopback, over the chart's rules.

Minutes are too long for a test, so every duration of the rules is divided by FACTOR in a copy (windows, `for`, and the times
of the route in docs/operations.md); nothing else of an expression changes.
"""

import contextlib
import http.server
import json
import re
import subprocess
import time
import urllib.parse
import urllib.request

import support

ROOT = support.SOURCE
FILES = ROOT / "deploy/helm/kubesentiment/files"
PAGE = ROOT / "docs/operations.md"
BIN = ROOT / "build/deps/prometheus/bin"
FACTOR = 60
MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def faster(text):
    """The rules, a query or a route with every duration divided by FACTOR: [5m], `for: 5m`, `group_wait: 30s`."""
    def divide(match):
        milliseconds = int(match[2]) * MILLISECONDS[match[3]] // FACTOR
        return f"{match[1]}{milliseconds}ms{match[4]}"
    return re.sub(r"(\[|^ *\w+: )(\d+)(s|m|h|d)(\]|$)", divide, text, flags=re.MULTILINE)


def as_grafana_asks(query, job):
    """A query of a dashboard with its variables filled in, and faster."""
    filled = query.replace("$__rate_interval", "10m").replace("$namespace", ".*").replace("$job", job)
    assert "$" not in filled, filled
    return faster(filled)


def wait_until(condition, what, seconds=60):
    """What `condition` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.1)
    return found


class Daemon:
    """A program that answers HTTP on `port`, with its log in a file. Use as a context manager."""

    def __init__(self, command, port, log):
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen([str(x) for x in command], stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def __enter__(self):
        wait_until(self._ready, lambda: self.log.read_text())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)

    def _ready(self):
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(self.url + "/-/ready", timeout=5) as answer:
            return answer.status == 200

    def get(self, path, **parameters):
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
            return json.load(answer)


class Receiver(support.Listener):
    """What Alertmanager's webhooks bring: (name of the receiver, firing or resolved, labels, annotations)."""

    def __init__(self):
        self.notices = []
        notices = self.notices

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                notices.extend((body["receiver"], alert["status"], alert["labels"], alert["annotations"])
                               for alert in body["alerts"])
                self.send_response(200)
                self.end_headers()

        super().__init__(Handler)


class PrometheusServer(Daemon):
    """Prometheus with this configuration."""

    def __init__(self, folder, config):
        (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
        port = support.free_port()
        super().__init__(
            [BIN / "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{port}", "--query.lookback-delta=5s", "--rules.alert.resend-delay=1s",
             "--log.level=warn"], port, folder / "prometheus.log")

    def query(self, expr, **parameters):
        """[(labels, value)], NaN left out."""
        samples = self.get("/api/v1/query", query=expr, **parameters)["data"]["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in samples if sample["value"][1] != "NaN"]

    def curves(self, expr, start, end, step):
        """[(labels, [(time, value)])]."""
        series = self.get("/api/v1/query_range", query=expr, start=start, end=end, step=step)["data"]["result"]
        return [(one["metric"], [(when, float(value)) for when, value in one["values"] if value != "NaN"]) for one in series]

    def wait_for(self, expr, seconds=60):
        return wait_until(lambda: self.query(expr), lambda: f"{expr}; {self.log.read_text()}", seconds)


class Prometheus(PrometheusServer):
    """One with the chart's rules, for servers on loopback."""

    def __init__(self, folder, alertmanager=None):
        self.targets = folder / "targets.json"
        self.targets.write_text("[]")
        self.ports = {}
        self.rules = []
        for file in sorted((FILES / "alerts").glob("*.yaml")):
            self.rules.append(folder / file.name)
            self.rules[-1].write_text(faster(file.read_text()))
        targets = {"files": [str(self.targets)], "refresh_interval": "1s"}
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(file) for file in self.rules],
            # kube-state-metrics names pods that are not its own; who scrapes it lets it.
            "scrape_configs": [{"job_name": "files", "honor_labels": True, "file_sd_configs": [targets]}]}
        if alertmanager is not None:
            address = {"targets": [alertmanager.url.removeprefix("http://")]}
            config["alerting"] = {"alertmanagers": [{"static_configs": [address]}]}
        super().__init__(folder, config)

    def scrape(self, job, *ports):
        """Scrapes these ports as `job` from now on, and nothing else as that."""
        self.ports[job] = ports
        fresh = self.targets.with_suffix(".new")
        fresh.write_text(json.dumps([
            {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {"job": job, "namespace": "test"}}
            for job, ports in self.ports.items()]))
        fresh.replace(self.targets)
        if ports:
            self.wait_for(f'sum(up{{job="{job}"}}) == {len(ports)}')


class Alertmanager(Daemon):
    """Routes as docs/operations.md says, with both receivers at `receiver`."""

    def __init__(self, folder, receiver):
        [route] = re.findall(r"^```yaml\n(route:.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        config = re.sub(r"http://\w+\.example", receiver.url, faster(route))
        (folder / "alertmanager.yml").write_text(config)
        port = support.free_port()
        # Debian's reads its templates from /usr/share alone: it gets one of its own, which nobody else sees.
        own_share = f"mount -t tmpfs none /usr/share && mkdir /usr/share/prometheus && ln -s {BIN.parent / 'templates'} " \
                    "/usr/share/prometheus/alertmanager && exec \"$@\""
        super().__init__(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", own_share, "alertmanager",
             BIN / "alertmanager", f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'alertmanager'}",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn"],
            port, folder / "alertmanager.log")
