"""A server as a process, seen from outside: its first answer, its load, its memory."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

BETWEEN_CONNECTS = 0.0002


class NotAnswering(RuntimeError):
    pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(port, path, body):
    """The body of the answer once its last byte is there; None where nobody listens or is ready yet."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            with connection.makefile("rb") as stream:
                status = stream.readline().split()
                length = 0
                while line := stream.readline().strip():
                    name, value = line.split(b":", 1)
                    if name.lower() == b"content-length":
                        length = int(value)
                answer = stream.read(length)
    except (ConnectionRefusedError, ConnectionResetError):
        return None
    if len(status) < 2 or status[1] == b"503":
        return None
    if status[1] != b"200":
        raise NotAnswering(f"POST {path}: expected status 200, found {status[1].decode()}: {answer[:300]!r}")
    return answer


@contextlib.contextmanager
def started(command, path, body, log, env=None, timeout=180):
    """Yields (port, seconds to the last byte of the first answer, process); "{port}" in the command is a free port."""
    port = free_port()
    command = [word.replace("{port}", str(port)) for word in command]
    with open(log, "wb") as errors:
        before = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=env, start_new_session=True)
        try:
            while post(port, path, body) is None:
                if process.poll() is not None or time.perf_counter() - before > timeout:
                    raise NotAnswering(f"no answer: {pathlib.Path(log).read_text(errors='replace')[-800:]}")
                time.sleep(BETWEEN_CONNECTS)
            yield port, time.perf_counter() - before, process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a session of its own: its children go with it
            process.wait()


def resident_bytes(pid):
    """Of the process and of those it started."""
    total, pids = 0, [pid]
    while pids:
        one = pids.pop()
        with contextlib.suppress(OSError):
            status = pathlib.Path(f"/proc/{one}/status").read_text()
            total += next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:")), 0)
            pids += [int(child) for task in pathlib.Path(f"/proc/{one}/task").iterdir()
                     for child in (task / "children").read_text().split()]
    return total


def measure(command, path, bodies, load, log, plan, env=None):
    """Cold starts, then requests a second at each number of connections, with their latencies and the memory after."""
    first = bodies.read_bytes().split(b"\n", 1)[0]
    starts = []
    for _ in range(plan["cold_starts"] + 1):
        with started(command, path, first, log, env) as (_, seconds, _):
            starts.append(seconds)
    result = {"first_answer_s": sorted(starts[1:])[(len(starts) - 1) // 2], "load": {}}  # the first warmed the page cache
    with started(command, path, first, log, env) as (port, _, process):
        for connections in plan["connections"]:
            made = subprocess.run(
                [load, "--port", str(port), "--path", path, "--bodies", str(bodies), "--connections", str(connections),
                 "--seconds", str(plan["load_seconds"]), "--warm-up", str(plan["load_seconds"] / 4)],
                capture_output=True, check=False)
            if not made.stdout:
                raise NotAnswering(made.stderr.decode())
            counts = json.loads(made.stdout)
            if counts["errors"] or not counts["requests"]:
                raise NotAnswering(f"{connections} connections: {counts['requests']} answers, {counts['errors']} of them errors")
            result["load"][str(connections)] = counts
        result["resident_bytes"] = resident_bytes(process.pid)
    return result
