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
def started(command, path, body, log, env, deadline):
    """Yields (port, seconds to the last byte of the first answer, process); "{port}" in the command is a free port."""
    port = free_port()
    command = [str(word).replace("{port}", str(port)) for word in command]
    with open(log, "wb") as errors:
        before = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=env, start_new_session=True)
        try:
            while post(port, path, body) is None:
                if process.poll() is not None:
                    tail = pathlib.Path(log).read_text(errors="replace").strip().splitlines()
                    raise NotAnswering(f"no answer: {tail[-1] if tail else f'exit code {process.returncode}'}")
                deadline.left()
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


def under_load(port, path, bodies, load, connections, seconds, deadline, rate=0):
    """What the generator counted at so many connections; closed loop, or `rate` requests a second at exponential gaps."""
    options = {"port": port, "path": path, "bodies": bodies, "connections": connections, "seconds": seconds,
               "warm-up": seconds / 4, "rate": rate}
    try:
        made = subprocess.run([load, *(str(word) for name, value in options.items() for word in (f"--{name}", value))],
                              capture_output=True, check=False, timeout=deadline.left())
    except subprocess.TimeoutExpired:
        raise NotAnswering(f"{connections} connections: not done within {deadline.seconds:.0f} s") from None
    if not made.stdout:
        raise NotAnswering(f"{connections} connections: {made.stderr.decode().strip()}")
    counts = json.loads(made.stdout)
    if counts["errors"] or not counts["requests"]:
        raise NotAnswering(f"{connections} connections: {counts['requests']} answers, {counts['errors']} of them errors")
    return counts


def measure(command, path, bodies, load, log, starts, connections, env, deadline):
    """Cold starts, then requests a second at each number of connections (for so many seconds), with their latencies and the
    memory after."""
    first = bodies.read_bytes().split(b"\n", 1)[0]
    times = []
    for _ in range(starts + 1):
        with started(command, path, first, log, env, deadline) as (_, seconds, _):
            times.append(seconds)
    times = sorted(times[1:])  # the first warmed the page cache
    result = {"first_answer_s": times[len(times) // 2], "cold_starts": len(times), "load": {}}
    with started(command, path, first, log, env, deadline) as (port, _, process):
        for count, seconds in connections.items():
            result["load"][str(count)] = under_load(port, path, bodies, load, count, seconds, deadline)
        result["resident_bytes"] = resident_bytes(process.pid)
    return result
