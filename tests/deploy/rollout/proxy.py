"""HAProxy in front of servers that come and go, on free ports of loopback, in two parts that a cluster has:

- `http` sends each request where it likes, as an Ingress or a Gateway does;
- `tcp` sends each connection, and what comes over it later goes the same way, as kube-proxy's: there a client leaves a
  pod that ends only because the pod says `Connection: close`.

Who is sent anything is decided by HAProxy's own checks of /health/ready alone, period, threshold and time-out being those of
the chart's readiness probe.
"""

import contextlib
import csv
import io
import os
import pathlib
import re
import socket
import subprocess
import time

import support

HAPROXY = support.SOURCE / "build/deps/haproxy"
BACKENDS = ("http", "tcp")

# What cannot be delivered is an error, as with kube-proxy, which does not know requests. HAProxy would send again on a
# failed connect, and that would hide a server that stops listening too early.
AS_THEY_COME = "retries 0"
# For pods that die. With more than one request a connection HAProxy would close the client's without a word, and without a
# line in its log, where the server's breaks: HTTP leaves it to the client to ask again. The first gets its 502, and cannot
# meet a dead connection to a server that was kept.
ONE_A_CONNECTION = AS_THEY_COME + "\n  option httpclose"
# And a connect that fails has sent nothing, so another pod may have it; what was sent is never sent again.
CONNECTS_ANEW = "option httpclose\n  retries 1\n  option redispatch 1\n  retry-on conn-failure"

CONFIG = """\
global
  log stdout format raw local0
  stats socket {folder}/haproxy.sock level admin
  nbthread 1
  maxconn 500
defaults
  log global
  timeout connect 1s
  timeout client 1m
  timeout server 1m
  timeout check {timeout_ms}ms
  balance roundrobin
  {delivery}
frontend by_request
  mode http
  bind 127.0.0.1:{http}
  http-request capture req.hdr(X-Correlation-ID) len 32
  log-format "request %[capture.req.hdr(0)] to %s: %ST %ts"
  default_backend http
frontend by_connection
  mode tcp
  bind 127.0.0.1:{tcp}
  log-format "connection of %cp to %s: %ts"
  default_backend tcp
"""
BACKEND = """\
backend {name}
  mode {name}
  option httpchk GET /health/ready
  http-check expect status 200
"""


class Proxy:
    """A running HAProxy; use as a context manager. `probe` is the chart's readinessProbe with its times as they are to be."""

    def __init__(self, folder: pathlib.Path, probe, delivery=AS_THEY_COME):
        self._folder, self._probe = folder, probe
        self.ports = {name: support.free_port() for name in BACKENDS}
        folder.joinpath("haproxy.cfg").write_text(
            CONFIG.format(folder=folder, timeout_ms=int(1000 * probe["timeoutSeconds"]), delivery=delivery, **self.ports)
            + "".join(BACKEND.format(name=name) for name in BACKENDS))
        with self._log_path.open("wb") as file:
            self._process = subprocess.Popen(
                [HAPROXY / "bin/haproxy", "-db", "-f", folder / "haproxy.cfg"], stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, env=os.environ | {"LD_LIBRARY_PATH": str(HAPROXY / "lib")})

    def __enter__(self):
        deadline = time.monotonic() + 20
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self._ask("show version")
                return self
            time.sleep(0.02)
        raise AssertionError(f"HAProxy did not start: {self.log}")

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait(60)

    @property
    def _log_path(self):
        return self._folder / "haproxy.log"

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def _ask(self, command) -> str:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self._folder / "haproxy.sock"))
            s.sendall(f"{command}\n".encode())
            return support.read_to_end(s).decode().strip()

    # --- Endpoints ---

    def add(self, name, port):
        check = f"check inter {int(1000 * self._probe['periodSeconds'])}ms fall {self._probe['failureThreshold']} rise 1"
        for backend in BACKENDS:
            answer = self._ask(f"add server {backend}/{name} 127.0.0.1:{port} {check}")
            assert "registered" in answer, answer
            for what in ("health", "server"):
                assert not (answer := self._ask(f"enable {what} {backend}/{name}")), answer

    def remove(self, name):
        """Of a pod that is gone: it must have been found not ready before."""
        assert name not in self.up(), f"{name} has ended and was still sent requests"
        for backend in BACKENDS:
            assert not (answer := self._ask(f"set server {backend}/{name} state maint")), answer
            deadline = time.monotonic() + 10
            while "deleted" not in (answer := self._ask(f"del server {backend}/{name}")):  # until the last byte is through
                assert time.monotonic() < deadline, answer
                time.sleep(0.01)

    def _servers(self):
        rows = csv.DictReader(io.StringIO(self._ask("show stat -1 4 -1").removeprefix("# ")))
        return [(row["pxname"], row["svname"], row) for row in rows]

    def up(self) -> set:
        """Names of those that are sent anything, by request or by connection."""
        return {name for _, name, row in self._servers() if row["status"].startswith("UP")}

    def up_everywhere(self) -> set:
        up = [(backend, name) for backend, name, row in self._servers() if row["status"].startswith("UP")]
        return {name for _, name in up if all((backend, name) in up for backend in BACKENDS)}

    def in_flight(self, name) -> int:
        """Requests that the server has, of those that came by `http`."""
        return sum(int(row["scur"]) for backend, server, row in self._servers() if (backend, server) == ("http", name))

    # --- What the log tells ---

    def server_of(self, request) -> str:
        """Where a request by `http` went."""
        found = re.findall(rf"^request {re.escape(request)} to (\S+):", self.log, re.MULTILINE)
        assert len(found) == 1, f"expected {request} once in the log, found {found}"
        return found[0]

    def served(self, kind) -> set:
        """Names of all servers that got a `request` or a `connection`."""
        return set(re.findall(rf"^{kind} .* to (\S+):", self.log, re.MULTILINE))

    def found_not_ready(self, backend) -> set:
        """Names of the servers that went because they answered 503 to the check, not because nobody answered."""
        return set(re.findall(rf"Server {backend}/(\S+) is DOWN, reason: Layer7 wrong status, code: 503", self.log))
