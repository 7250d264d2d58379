"""`health`, the probe of container runtimes and scripts: a server's state as an exit code and one sentence."""

import http.server
import json
import signal

import pytest

import support


def health(*arguments):
    """The exit code, standard output, standard error."""
    done = support.run("health", *arguments, timeout=30)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_ready_server(server):
    code, out, error = health("--url", f"{server.url}/health/ready")
    assert (code, out, error) == (0, f"{server.url}/health/ready: status 200\n", "")
    assert health("--url", server.url) == (0, f"{server.url}/health/ready: status 200\n", "")
    code, out, error = health("--url", f"{server.url}/health/live", "--json")
    found = json.loads(out)
    assert found.pop("time_ms") > 0
    assert (code, found, error) == (0, {"url": f"{server.url}/health/live", "healthy": True, "status": 200, "reason": ""}, "")


def test_a_server_that_is_stopping():
    with support.Server("--drain-delay", "10s") as server:
        server.process.send_signal(signal.SIGTERM)
        server.wait_log('"stopping"')
        code, out, error = health("--url", f"{server.url}/health/ready")
        assert (code, out) == (1, "")
        assert error == f"error: {server.url}/health/ready: status 503: the server is draining (E4002)\n"
        assert health("--url", f"{server.url}/health/live")[0] == 0, "alive it still is"


def test_nobody_there():
    url = f"http://127.0.0.1:{support.free_port()}/health/ready"
    code, out, error = health("--url", url)
    assert (code, out, error) == (1, "", f"error: {url}: nobody listens (connection refused)\n")
    code, out, error = health("--url", url, "--json")
    found = json.loads(out)
    assert code == 1 and "nobody listens" in error
    assert not found["healthy"] and found["status"] is None and found["reason"] == "nobody listens (connection refused)"


def test_nobody_answers():
    with support.socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/health/ready"
        code, out, error = health("--url", url, "--timeout", "150ms")
    assert (code, out, error) == (1, "", f"error: {url}: no answer within 150ms\n")


class Stranger(http.server.BaseHTTPRequestHandler):
    """Another kind of server: its path says what it answers."""

    ANSWERS = {"/moved": (302, b""), "/text": (500, "größer\x1b[31m than\nexpected".encode()), "/empty": (204, b""),
               "/json": (503, b'{"error_message":3,"error_code":"E1"}')}

    def do_GET(self):
        status, body = self.ANSWERS[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize("path, code, reason", [
    ("/moved", 1, "status 302: without a reason"),
    ("/text", 1, "status 500: gr????er?[31m than"),
    ("/json", 1, 'status 503: {"error_message":3,"error_code":"E1"}'),
    ("/empty", 0, ""),
])
def test_a_server_that_is_not_ours(path, code, reason):
    with support.Listener(Stranger) as stranger:
        done = health("--url", stranger.url + path, "--json")
    assert done[0] == code and json.loads(done[1])["reason"] == reason


@pytest.mark.parametrize("arguments, message", [
    (["--url", "https://127.0.0.1/"], '--url: expected http://HOST[:PORT][/PATH], found "https://127.0.0.1/"'),
    (["--timeout", "soon"], '--timeout: expected a duration from 1ms to 1h (such as 500ms or 2s), found "soon"'),
    (["--timeout", "0"], "--timeout: expected a duration from 1ms"),
    (["http://127.0.0.1/"], "http://127.0.0.1/"),
])
def test_wrong_usage(arguments, message):
    code, out, error = health(*arguments)
    assert code == 2 and out == "" and message in error
