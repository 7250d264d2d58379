"""What a release does in a cluster: where its pods go, what may take them, what they may do, and how many there are."""

import json
import time

import helm_chart
from cluster import wait_for
from cluster_metrics import ClusterMetrics
from deploy_page import quoted
from helm_chart import CHART
from test_cluster_release import DEPLOYMENT, RELEASE, install, pods


def test_pods_spread_and_keep_from_other_cpus(kubernetes, namespace):
    install(kubernetes, namespace, ["--set=replicaCount=4"])
    nodes = {n["metadata"]["name"]: n["metadata"]["labels"] for n in kubernetes.items("nodes")}
    used = [pod["spec"]["nodeName"] for pod in pods(kubernetes, namespace)]
    zones = [nodes[node]["topology.kubernetes.io/zone"] for node in used]
    assert sorted(used) == ["node-0", "node-1", "node-2", "node-3"]
    assert sorted(zones) == ["zone-0", "zone-0", "zone-1", "zone-1"]


def test_no_node_for_the_image_is_said_by_the_pod(kubernetes, namespace):
    flags = ["--set=nodeSelector.kubernetes\\.io/arch=s390x"]
    kubernetes.helm("install", RELEASE, CHART, "--namespace", namespace, *flags)
    message = quoted("didn't match Pod's node affinity/selector")
    wait_for(lambda: message in str(pods(kubernetes, namespace)), 30, "no pod says so")


def test_a_rollout_never_has_fewer_pods(kubernetes, namespace):
    install(kubernetes, namespace, ["--set=replicaCount=3"])
    kubernetes.helm("upgrade", RELEASE, CHART, "--namespace", namespace, "--set=replicaCount=3,minReadySeconds=2,config.threads=1")
    seen = []

    def done():
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{DEPLOYMENT}"
        status = json.loads(kubernetes.request("GET", path)[1])["status"]
        seen.append(status.get("availableReplicas", 0))
        return status.get("updatedReplicas") == status["replicas"] == status.get("availableReplicas") == 3

    wait_for(done, 60, "the rollout did not end")
    assert len(seen) > 20 and min(seen) >= 3, seen


def evict(kubernetes, namespace, pod):
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    return kubernetes.request("POST", f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body)


def test_the_budget_refuses_a_second_eviction(kubernetes, namespace):
    """One pod may go; while its replacement has no node, no other may."""
    install(kubernetes, namespace, ["--set=replicaCount=3"])
    wait_for(lambda: kubernetes.get("pdb", DEPLOYMENT, namespace)["status"].get("disruptionsAllowed") == 1, 30, "no disruption allowed")
    first, second, _ = [pod["metadata"]["name"] for pod in pods(kubernetes, namespace)]
    nodes = [n["metadata"]["name"] for n in kubernetes.items("nodes")]
    kubernetes.kubectl("cordon", *nodes)
    try:
        assert evict(kubernetes, namespace, first)[0] == 201
        wait_for(lambda: kubernetes.get("pdb", DEPLOYMENT, namespace)["status"]["currentHealthy"] == 2, 30, "nothing was evicted")
        status, body = evict(kubernetes, namespace, second)
        assert status == 429 and "would violate the pod's disruption budget" in body
    finally:
        kubernetes.kubectl("uncordon", *nodes)
    wait_for(lambda: kubernetes.get("pdb", DEPLOYMENT, namespace)["status"]["currentHealthy"] == 3, 60, "no replacement")
    wait_for(lambda: evict(kubernetes, namespace, second)[0] == 201, 30, "the budget is still spent")


def test_the_service_account_can_do_nothing(kubernetes, namespace):
    install(kubernetes, namespace)
    def rights(account):
        who = f"--as=system:serviceaccount:{namespace}:{account}"
        return kubernetes.kubectl("auth", "can-i", "--list", who, "-n", namespace, "--no-headers").stdout

    # Every account may ask who it is and find the API; this one may no more.
    assert "selfsubjectreviews" in rights(DEPLOYMENT)
    assert rights(DEPLOYMENT) == rights("nobody")
    who = f"--as=system:serviceaccount:{namespace}:{DEPLOYMENT}"
    for verb, what in (("get", "secrets"), ("list", "pods"), ("create", "pods"), ("patch", "deployments"), ("get", "nodes")):
        answer = kubernetes.try_kubectl("auth", "can-i", verb, what, who, "-n", namespace)
        assert answer.stdout.strip() == "no", (verb, what, answer.stdout)
    for pod in pods(kubernetes, namespace):
        assert "projected" not in json.dumps(pod["spec"]["volumes"]), "a token is mounted"


# Otherwise as the chart has it, with seconds for its minutes.
FAST = {"autoscaling": {"enabled": True, "behavior": {
    "scaleUp": {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 2}, {"type": "Pods", "value": 4, "periodSeconds": 2}]},
    "scaleDown": {"stabilizationWindowSeconds": 4, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 1}]}}},
    "serviceMonitor": {"enabled": True, "interval": "500ms", "scrapeTimeout": "500ms"}, "minReadySeconds": 0}


def test_the_autoscaler_follows_the_queue(kubernetes, namespace, tmp_path):
    """2 pods, then 6 for 12000 tokens at 2000 a pod, then 2 again; CPU, the second metric, asks for no more."""
    kubernetes.helm("install", RELEASE, CHART, "-n", namespace, "--wait", *helm_chart.value_flags(values=FAST, folder=tmp_path))

    def state(): return kubernetes.kubectl("describe", "hpa", DEPLOYMENT, "-n", namespace).stdout

    def steady(count):
        """Whether there are so many, for five seconds."""
        end = time.monotonic() + 5
        while kubernetes.get("deployment", DEPLOYMENT, namespace)["spec"]["replicas"] == count:
            if time.monotonic() > end:
                return True
            time.sleep(0.2)
        return False

    with ClusterMetrics(kubernetes, kubernetes.get("servicemonitor", DEPLOYMENT, namespace), tmp_path) as load:
        load.cpu_millis = 600
        wait_for(lambda: "ValidMetricFound" in state(), 60, state)
        load.queue_tokens = 3000
        assert steady(2), state()
        load.queue_tokens = 12000
        wait_for(lambda: steady(6), 90, state)
        load.queue_tokens = 100
        wait_for(lambda: steady(2), 90, state)
        # Without a queue CPU asks for more: 5.6 cores are 70 % of what four pods of two cores request.
        load.cpu_millis = 5600
        wait_for(lambda: steady(4), 60, state)
