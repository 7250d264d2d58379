#!/usr/bin/env python3
"""The load generator against wrk, on one server: check_wrk.py --url http://127.0.0.1:8000 --load build/release/bin/ks_load

Both run closed loops of one body over 1 and 8 connections, in turns, several rounds of a second; the best of each must agree
within 10 %: the best is what a busy machine disturbed least.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

BODY = '{"text":"I love this"}'
SCRIPT = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [[%s]]\n' % BODY
TOLERANCE = 0.10


def wrk(arguments, script, connections):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{arguments.seconds}s", "-s", script, arguments.url + arguments.path]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def ours(arguments, bodies, connections):
    options = {"port": urllib.parse.urlparse(arguments.url).port, "path": arguments.path, "bodies": bodies, "connections": connections,
               "seconds": arguments.seconds, "warm-up": 0.1}
    command = [arguments.load, *(str(word) for name, value in options.items() for word in (f"--{name}", value))]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["requests_per_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--path", default="/api/v1/predict")
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="what was found instead of lines about it; fails for no difference")
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("check_wrk.py: wrk is missing; run: apt-get install wrk")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        script, bodies = pathlib.Path(folder, "post.lua"), pathlib.Path(folder, "bodies")
        script.write_text(SCRIPT)
        bodies.write_text(BODY + "\n")
        for connections in (1, 8):
            rounds = [(wrk(arguments, script, connections), ours(arguments, bodies, connections)) for _ in range(arguments.rounds)]
            theirs, mine = map(max, zip(*rounds))
            found.append({"connections": connections, "wrk": theirs, "ours": mine, "difference": mine / theirs - 1, "rounds": rounds})
    if arguments.json:
        print(json.dumps(found))
        return 0
    for row in found:
        print("{connections} connections: wrk {wrk:.0f}, ours {ours:.0f} requests/s, {difference:+.1%}; rounds ".format(**row)
              + ", ".join(f"{a:.0f}/{b:.0f}" for a, b in row["rounds"]))
    return int(max(abs(row["difference"]) for row in found) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
