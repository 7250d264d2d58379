"""Rolling updates and dying pods with real servers behind a real HAProxy, under load that never stops.

KS_ROLLOUT_REPLACEMENTS, 200 if not set, is how many pods are replaced; a tenth as many are killed. The planted tests show
that a request which is lost, late or answered wrongly is seen.
"""

import os
import pathlib
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent.parent.parent / "integration")]

from deployment import DRAIN_DELAY, READINESS, Deployment  # noqa: E402
from proxy import BACKENDS, CONNECTS_ANEW, ONE_A_CONNECTION, Proxy  # noqa: E402
from traffic import TEXTS, Traffic, right_answers  # noqa: E402

REPLACEMENTS = int(os.environ.get("KS_ROLLOUT_REPLACEMENTS", "200"))
KILLS = max(3, REPLACEMENTS // 10)
CLIENTS = 12
# A client that is silent for longer than the drain delay may find its connection closed, as with any server: it has to
# ask within it to be told.
MOST_PAUSE = 0.4 * DRAIN_DELAY


def traffic_by(proxy, deployment, kinds=BACKENDS):
    ports = {kind: proxy.ports[kind] for kind in kinds}
    return Traffic(ports, right_answers(deployment.pods[0]), CLIENTS, MOST_PAUSE)


def first(failures):
    return "\n".join(map(str, failures[:10]))


def test_replacing_every_pod_loses_no_request(tmp_path):
    began = time.monotonic()
    with Proxy(tmp_path, READINESS) as proxy, Deployment(proxy) as deployment:
        with traffic_by(proxy, deployment) as traffic:
            for done in range(1, REPLACEMENTS + 1):
                deployment.replace_oldest()
                if done % 20 == 0:
                    print(f"{done} of {REPLACEMENTS} replaced after {time.monotonic() - began:.0f} s: {traffic}", flush=True)
            deployment.finish()
        replaced = {f"pod-{number}" for number in range(REPLACEMENTS)}
        assert not traffic.failures, f"{traffic}\n{first(traffic.failures)}"
        assert traffic.requests > 20 * REPLACEMENTS
        assert replaced <= proxy.served("request") and replaced <= proxy.served("connection")
        for backend in BACKENDS:
            assert replaced <= proxy.found_not_ready(backend), "each left because it said so"
    print(f"{REPLACEMENTS} pods replaced in {time.monotonic() - began:.0f} s: {traffic}")


def kill_one(proxy, deployment, number):
    """Kills a pod while it has a request; (its name, when it was told, when it was gone)."""
    pod = deployment.pods[number % len(deployment.pods)]
    deadline = time.monotonic() + 30
    while proxy.in_flight(pod.name) == 0:
        assert time.monotonic() < deadline, f"{pod.name} gets no requests"
    told = time.monotonic()
    pod.process.kill()
    pod.process.wait(30)
    gone = time.monotonic()
    pod.start_again()
    time.sleep(2 * READINESS["periodSeconds"] * READINESS["failureThreshold"])
    deployment.wait_up()
    return pod.name, told, gone


def lost_with(kills, failure, server):
    return any(name == server and failure.began <= gone and failure.ended >= told for name, told, gone in kills)


def run_kills(folder, delivery, count):
    """All failures, and those of requests that the killed pod did not have when it was killed."""
    with Proxy(folder, READINESS, delivery) as proxy, Deployment(proxy) as deployment:
        with traffic_by(proxy, deployment, ["http"]) as traffic:
            kills = [kill_one(proxy, deployment, number) for number in range(count)]
        print(f"{count} pods killed: {traffic}")
        return traffic.failures, [failure for failure in traffic.failures
                                  if not lost_with(kills, failure, proxy.server_of(failure.request))]


def test_a_killed_pod_takes_with_it_what_it_had_and_nothing_else(tmp_path):
    failures, others = run_kills(tmp_path, CONNECTS_ANEW, KILLS)
    assert failures, "every kill hit a pod at work"
    assert not others, first(others)


# --- Planted ---

def test_planted_pods_that_do_not_wait_lose_requests(tmp_path):
    with Proxy(tmp_path, READINESS) as proxy, Deployment(proxy, drain_delay=0) as deployment:
        with traffic_by(proxy, deployment) as traffic:
            for _ in range(3):
                deployment.replace_oldest()
    assert {failure.kind for failure in traffic.failures} == set(BACKENDS)


def test_planted_requests_after_the_kill_are_lost_where_nothing_connects_anew(tmp_path):
    _, others = run_kills(tmp_path, ONE_A_CONNECTION, 2)
    assert others


def test_planted_answers_of_other_texts_are_seen(tmp_path):
    with Proxy(tmp_path, READINESS) as proxy, Deployment(proxy) as deployment:
        answers = right_answers(deployment.pods[0])
        answers[TEXTS[0]] = answers[TEXTS[1]]
        with Traffic(proxy.ports, answers, CLIENTS, MOST_PAUSE) as traffic:
            deadline = time.monotonic() + 30
            while not traffic.failures and time.monotonic() < deadline:
                time.sleep(0.05)
    assert traffic.failures and all("another text's answer" in failure.what for failure in traffic.failures)
