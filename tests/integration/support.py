"""Starting the real binary, talking to it over raw sockets, and stopping it."""

import contextlib
import dataclasses
import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

BINARY = os.environ["KS_BINARY"]
MODEL = os.environ["KS_MODEL"]
SOURCE = pathlib.Path(os.environ["KS_SOURCE_DIR"])

# The program sees no KS_ option of whoever runs the tests.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("KS_")}


def run(*arguments, program=BINARY, stdin=None, env=None, timeout=120, **options):
    """Runs the program to its end; output as bytes."""
    return subprocess.run(
        [program, *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout,
        env=ENVIRONMENT | (env or {}), **options)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


class Server:
    """A running `kubesentiment serve`; use as a context manager."""

    def __init__(self, *arguments, model=MODEL, env=None, **options):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [BINARY, "serve", "--listen", f"127.0.0.1:{self.port}", "--model", str(model), *map(str, arguments)]
        self.start(command, env=ENVIRONMENT | (env or {}), **options)

    def start(self, command, **options):
        # A file, not a pipe: nobody reads while the server runs, and lines beyond a full pipe are dropped.
        self._log = tempfile.TemporaryFile()
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": self._log}
        self.process = subprocess.Popen(command, **streams | options)

    def __enter__(self):
        try:
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)

    def wait_ready(self, seconds=30.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}: {self.log}")
            with contextlib.suppress(OSError):
                if self.get("/health/ready").status == 200:
                    return
            time.sleep(0.005)
        raise AssertionError(f"serve was not ready within {seconds:g} s: {self.log}")

    @property
    def log(self) -> str:
        """All that was logged so far. The file's position is shared with the server, so it is left alone."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode()

    def wait_log(self, text: str, seconds=30.0):
        """Until `text` has been logged: a line may be written a little after what it tells of."""
        deadline = time.monotonic() + seconds
        while text not in self.log:
            assert time.monotonic() < deadline, f"expected {text} in the log, found {self.log}"
            time.sleep(0.01)

    def request(self, method, path, body=None, headers=None, timeout=30) -> Answer:
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def get(self, path, **options) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path, value, headers=None, **options) -> Answer:
        """Posts `value` as JSON; bytes go as they are."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.request("POST", path, body, {"Content-Type": "application/json"} | (headers or {}), **options)

    def metric(self, name, **labels) -> float:
        """The sum over the series of this name that have these labels."""
        lines = self.get("/metrics").body.decode().splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [line for line in lines
                 if line.startswith((f"{name} ", f"{name}{{")) and all(label in line for label in wanted)]
        assert found, (name, labels)
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def connect(self, timeout=30) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def raw(self, data: bytes, timeout=30) -> bytes:
        """Sends bytes as they are and returns all that comes until the server closes."""
        with self.connect(timeout) as s:
            s.sendall(data)
            return read_to_end(s)


class Threads:
    """Runs each of `targets` in a thread until it is left: they are given the event that then is set. A context manager."""

    def __init__(self, targets):
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=target, args=(self._stop,)) for target in targets]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)


class Listener:
    """Answers HTTP on `port` of the loopback by a BaseHTTPRequestHandler, in threads of its own; a context manager."""

    def __init__(self, handler, port=0):
        handler.log_message = lambda *_: None
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join(60)
        self._server.server_close()


def read_to_end(s: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := s.recv(65536):
            received += chunk
    return received


def post_bytes(path, value) -> bytes:
    """A request as it goes over the wire, with `value` as JSON."""
    body = json.dumps(value).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def read_response(stream) -> Answer:
    """Reads one response with a Content-Length from a binary file object over a socket."""
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline().strip()):
        name, value = line.decode().split(":", 1)
        headers[name.lower()] = value.strip()
    return Answer(status, headers, stream.read(int(headers.get("content-length", "0"))))
