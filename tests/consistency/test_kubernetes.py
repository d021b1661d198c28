"""deploy/kubernetes/ is valid by Kubernetes' schemas, and everything the manifests name exists."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from reelrank.app.settings import Settings

HERE = Path(__file__).parents[2] / "deploy" / "kubernetes"
VERSIONS = ("1.31", "1.34")
SETTINGS = {f"REELRANK_{name.upper()}" for name in Settings.model_fields}
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((HERE / "kustomization.yaml").read_text())
MANIFESTS: list[dict[str, Any]] = [
    manifest
    for name in KUSTOMIZATION["resources"]
    for manifest in yaml.safe_load_all((HERE / name).read_text())
]


def manifests_by_name(kind: str) -> dict[str, dict[str, Any]]:
    return {manifest["metadata"]["name"]: manifest for manifest in MANIFESTS if manifest["kind"] == kind}


def get_pod(manifest: dict[str, Any]) -> dict[str, Any]:
    spec = manifest["spec"]
    template = spec["jobTemplate"]["spec"]["template"] if manifest["kind"] == "CronJob" else spec["template"]
    pod: dict[str, Any] = template["spec"]
    return pod


PODS = {
    name: get_pod(manifest)
    for kind in ("Deployment", "CronJob")
    for name, manifest in manifests_by_name(kind).items()
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: f"{m['kind']} {m['metadata']['name']}")
def test_a_manifest_is_valid_without_unknown_fields(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_output_of_kustomize_is_valid() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed; the manifests alone were validated")
    output = subprocess.run(["kubectl", "kustomize", HERE], check=True, capture_output=True, text=True).stdout
    rendered = list(yaml.safe_load_all(output))
    assert len(rendered) == len(MANIFESTS) + 1
    for manifest in rendered:
        kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)
    images = set(re.findall(r"image: (\S+)", output))
    assert images == {"reelrank:local"}


def test_the_kustomization_lists_every_manifest() -> None:
    assert {path.name for path in HERE.glob("*.yaml")} == {*KUSTOMIZATION["resources"], "kustomization.yaml"}


def test_services_scalers_and_budgets_point_at_deployments() -> None:
    deployments = manifests_by_name("Deployment")
    for scaler in manifests_by_name("HorizontalPodAutoscaler").values():
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
        least = deployments[scaler["spec"]["scaleTargetRef"]["name"]]["spec"]["replicas"]
        assert scaler["spec"]["minReplicas"] == least
    labels = [manifest["spec"]["template"]["metadata"]["labels"] for manifest in deployments.values()]
    selectors = [manifest["spec"]["selector"] for manifest in manifests_by_name("Service").values()]
    selectors += [
        manifest["spec"]["selector"]["matchLabels"]
        for manifest in manifests_by_name("PodDisruptionBudget").values()
    ]
    assert len(selectors) == 4
    assert all(selector in labels for selector in selectors)


def test_the_ranking_address_is_a_service_and_its_port() -> None:
    literals = dict(literal.split("=", 1) for literal in KUSTOMIZATION["configMapGenerator"][0]["literals"])
    host, port = literals["REELRANK_RANKING_URL"].removeprefix("http://").split(":")
    assert manifests_by_name("Service")[host]["spec"]["ports"][0]["port"] == int(port)
    assert set(literals) <= SETTINGS


@pytest.mark.parametrize("name", manifests_by_name("Deployment"))
def test_probes_use_endpoints_and_ports_of_the_service(name: str) -> None:
    container = PODS[name]["containers"][0]
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    arguments = container["args"]
    assert arguments[arguments.index("--port") + 1] == str(container["ports"][0]["containerPort"])
    assert name == f"reelrank-{arguments[arguments.index('--role') + 1]}"


@pytest.mark.parametrize("name", PODS)
def test_every_mount_has_a_volume_and_every_claim_exists(name: str) -> None:
    pod = PODS[name]
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} <= volumes
    claims = {v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v}
    assert claims <= set(manifests_by_name("PersistentVolumeClaim"))
