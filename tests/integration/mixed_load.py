"""So many requests of every length, over connections that are kept, for the tests of what a server needs in the long run."""

import http.client
import itertools
import json
import random
import threading

CONNECTIONS = 8
PREDICT = "/api/v1/predict"


def mixed_bodies(short, long):
    """(path, body) without end: one text, of twenty a long one, of fifty a batch of eight; the same for every run. `short` and
    `long` take a random.Random and return a text."""
    draw = random.Random(11)
    for i in itertools.count():
        if i % 50 == 49:
            yield PREDICT + "/batch", {"texts": [short(draw) for _ in range(8)]}
        else:
            yield PREDICT, {"text": (long if i % 20 == 19 else short)(draw)}


def send(server, bodies, count):
    """Sends the next `count` of them; each must be answered with 200."""
    lock, left, failures = threading.Lock(), itertools.islice(bodies, count), []

    def work():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        while not failures:
            with lock:
                path, body = next(left, (None, None))
            if path is None:
                return
            try:
                connection.request("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200:
                    failures.append((answer.status, content[:200]))
            except (OSError, http.client.HTTPException) as failure:
                failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
