"""Clients that ask all the time over connections that they keep, and know the right answer to what they ask."""

import dataclasses
import itertools
import json
import random
import socket
import threading
import time

import support

TEXTS = [f"{subject} {verdict}{', and I have more to say' * (10 if number % 5 == 0 else 0)} ({number})"
         for number, (subject, verdict) in enumerate(itertools.product(
             ("the day was", "this parcel is", "their answer seems", "my new phone is"),
             ("wonderful", "awful", "a thing of two sides", "what I asked for", "late again", "better than the last one")))]
BATCH_SIZE = 8
BATCH_SHARE = 0.1


def essence(prediction):
    return prediction["label"], prediction["scores"]


def right_answers(server) -> dict:
    """What one server says of each text, asked alone: all others must say the same, to the last bit, in any batch."""
    answers = {text: essence(server.post("/api/v1/predict", {"text": text}).json()) for text in TEXTS}
    assert len({str(answer) for answer in answers.values()}) == len(TEXTS), "two texts of one answer could be mixed up"
    return answers


@dataclasses.dataclass
class Failure:
    request: str
    kind: str
    began: float
    ended: float
    what: str

    def __str__(self):
        return f"{self.request} by {self.kind}, {self.ended - self.began:.3f} s: {self.what}"


class Client:
    """One connection to `port`, opened again where an answer closes it. `most_pause` bounds the time between two requests."""

    def __init__(self, kind, number, port, answers, most_pause):
        self._kind, self._number, self._port, self._answers = kind, number, port, answers
        self._most_pause = most_pause
        self._random = random.Random(f"{kind} {number}")
        self._socket = self._stream = None
        self.requests = self.texts = 0
        self.slowest = 0.0
        self.failures = []

    def run(self, stop: threading.Event):
        while not stop.is_set():
            self._one()
            stop.wait(self._random.uniform(0, self._most_pause))
        self._close()

    def _one(self):
        batch = self._random.random() < BATCH_SHARE
        texts = self._random.choices(TEXTS, k=BATCH_SIZE if batch else 1)
        name = f"{self._kind}-{self._number}-{self.requests}"
        self.requests += 1
        self.texts += len(texts)
        began = time.monotonic()
        try:
            what = self._ask(name, texts, batch)
        except (OSError, ValueError, IndexError) as error:  # the latter two: an answer that breaks off
            what = repr(error)
        ended = time.monotonic()
        self.slowest = max(self.slowest, ended - began)
        if what:
            self._close()
            self.failures.append(Failure(name, self._kind, began, ended, what))

    def _ask(self, name, texts, batch):
        """What is wrong with the answer; empty if nothing is."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            self._stream = self._socket.makefile("rb")
        path, value = ("/api/v1/predict/batch", {"texts": texts}) if batch else ("/api/v1/predict", {"text": texts[0]})
        head, body = support.post_bytes(path, value).split(b"\r\n\r\n", 1)
        self._socket.sendall(head + f"\r\nX-Correlation-ID: {name}\r\n\r\n".encode() + body)
        answer = support.read_response(self._stream)
        if answer.status != 200:
            return f"{answer.status} {answer.body.decode()}"
        value = json.loads(answer.body)
        found = [essence(prediction) for prediction in (value["results"] if batch else [value])]
        if found != [self._answers[text] for text in texts]:
            return f"another text's answer: {found}, asked {texts}"
        if answer.headers.get("connection", "").lower() == "close":
            self._close()
        return ""

    def _close(self):
        if self._socket is not None:
            self._stream.close()
            self._socket.close()
            self._socket = self._stream = None


class Traffic(support.Threads):
    """`clients` a kind, for each port of `ports` by its kind."""

    def __init__(self, ports, answers, clients, most_pause):
        self._clients = [Client(kind, number, port, answers, most_pause)
                         for kind, port in ports.items() for number in range(clients)]
        super().__init__([client.run for client in self._clients])

    @property
    def requests(self) -> int:
        return sum(client.requests for client in self._clients)

    @property
    def failures(self) -> list:
        return sorted((failure for client in self._clients for failure in list(client.failures)), key=lambda f: f.began)

    def __str__(self):
        return (f"{self.requests} requests with {sum(client.texts for client in self._clients)} texts, {len(self.failures)} "
                f"failed, the slowest {max(client.slowest for client in self._clients):.2f} s")
