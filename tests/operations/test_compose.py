"""docker-compose.yml: what it mounts exists, its ports are those that the rest is configured with, nothing is open."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kedis.config import Config

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
#: As compose reads it when the environment is empty.
COMPOSE: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", TEXT))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "ops" / "prometheus" / "prometheus.yml").read_text())
each_service = pytest.mark.parametrize("name", SERVICES)


def mounts(name: str) -> list[tuple[str, str, str]]:
    """(source, target, mode) of each."""
    split = [volume.split(":") for volume in SERVICES[name].get("volumes", ())]
    return [(words[0], words[1], words[2] if len(words) > 2 else "rw") for words in split]


def flags(words: list[str]) -> dict[str, str]:
    return dict(zip(words[::2], words[1::2], strict=True))


def test_the_services() -> None:
    assert set(SERVICES) == {"passwords", "kedis", "prometheus", "grafana", "locust"}
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"locust"}


@each_service
def test_every_service_is_shut_in(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all("noexec" in place for place in service["tmpfs"])
    assert service["mem_limit"] and service["cpus"] and service["pids_limit"]
    assert "privileged" not in service and "cap_add" not in service


@each_service
def test_images_are_pinned(name: str) -> None:
    version = SERVICES[name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", version)


def test_each_image_of_its_own_is_built_by_one_service() -> None:
    """Two that build one tag at once fail on current versions of Docker."""
    built = [service["image"] for service in SERVICES.values() if "build" in service]
    assert len(set(built)) == len(built)
    own = {service["image"] for service in SERVICES.values() if service["image"].startswith("kedis")}
    assert own == set(built)
    builder = {service["image"]: name for name, service in SERVICES.items() if "build" in service}
    for service in SERVICES.values():
        if service["image"] in own and "build" not in service:
            assert service["pull_policy"] == "never", "no registry has it"
            condition = service["depends_on"][builder[service["image"]]]["condition"]
            assert condition == "service_completed_successfully", "which is built before"


def test_base_images_are_pinned() -> None:
    text = (ROOT / "ops" / "Dockerfile").read_text()
    stages = set(re.findall(r"(?m)^FROM \S+ AS (\w[\w-]*)$", text))
    for image in re.findall(r"(?m)^FROM (\S+)", text):
        assert image in stages or re.fullmatch(r"[\w/]+:\d+\.\d+\.\d+-[\w-]+", image), image


@each_service
def test_every_mounted_path_exists(name: str) -> None:
    for source, _, mode in mounts(name):
        if source.startswith("."):
            assert (ROOT / source).exists(), source
            assert mode == "ro", f"{source}: what is in the repository is not to be written to"
        else:
            assert source in COMPOSE["volumes"]


@each_service
def test_only_loopback_is_published(name: str) -> None:
    for published in SERVICES[name].get("ports", ()):
        assert published.startswith("127.0.0.1:"), published


@each_service
def test_what_others_wait_for_can_come_true(name: str) -> None:
    for other, words in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        if words["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other] or SERVICES[other]["image"].startswith("kedis:")


def test_scrape_targets_are_services_with_that_port() -> None:
    targets = {
        job["job_name"]: job["static_configs"][0]["targets"][0].split(":")
        for job in PROMETHEUS["scrape_configs"]
    }
    kedis = flags(SERVICES["kedis"]["command"])
    assert kedis["--metrics-bind"] == "0.0.0.0"
    assert targets["kedis"] == ["kedis", str(Config().metrics_port)]
    assert targets["locust"] == ["locust", SERVICES["locust"]["environment"]["LOCUST_METRICS_PORT"]]
    assert targets["prometheus"] == ["localhost", "9090"]
    assert SERVICES["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]


def test_ports_are_those_that_the_programs_listen_on() -> None:
    assert SERVICES["kedis"]["ports"][0].endswith(f":{Config().port}")
    assert SERVICES["kedis"]["ports"][1].endswith(f":{Config().metrics_port}")
    assert SERVICES["locust"]["environment"]["KEDIS_HOST"] == f"kedis:{Config().port}"
    exposed = re.findall(r"^EXPOSE (.*)$", (ROOT / "ops" / "Dockerfile").read_text(), re.MULTILINE)
    assert exposed == ["8089 9646", f"{Config().port} {Config().metrics_port}"]


def test_prometheus_finds_its_files() -> None:
    inside = {target: ROOT / source for source, target, _ in mounts("prometheus") if source.startswith(".")}
    (config,) = [
        word.partition("=")[2] for word in SERVICES["prometheus"]["command"] if "config.file" in word
    ]
    assert inside[config].samefile(ROOT / "ops" / "prometheus" / "prometheus.yml")
    folder = Path(config).parent
    for rules in PROMETHEUS["rule_files"]:
        place = folder / rules
        assert (inside[str(place.parent)] / place.name).is_file()


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    inside = {target: ROOT / source for source, target, _ in mounts("grafana") if source.startswith(".")}
    provisioning = inside["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "kedis.yml").read_text())["providers"]
    assert list(inside[provider["options"]["path"]].glob("*.json"))
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (inside[str(home.parent)] / home.name).is_file()


def test_no_password_stands_in_the_file_or_in_a_command() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable and not str(value).startswith("/passwords/"):
                assert name == "passwords" and value is None
    assert "requirepass" not in TEXT
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


def test_each_reads_the_password_that_was_made_for_it() -> None:
    made = dict(word.split("=", 1) for word in SERVICES["passwords"]["entrypoint"] if "=" in word)
    files = {name: word.partition("=")[2] for name, word in made.items()}
    assert SERVICES["kedis"]["environment"]["KEDIS_PASSWORD_FILE"] == files["kedis"]
    assert SERVICES["locust"]["environment"]["KEDIS_PASSWORD_FILE"] == files["kedis"]
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"] == files["grafana"]
    writable = {source: target for source, target, mode in mounts("passwords") if mode == "rw"}
    for name, services in {"kedis": ("kedis", "locust"), "grafana": ("grafana",)}.items():
        volume = f"{name}-password"
        assert files[name].startswith(writable[volume])
        for service in services:
            assert (volume, writable[volume], "ro") in mounts(service)


def test_the_example_of_the_environment_has_every_variable_and_its_default() -> None:
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT))
    lines = (ROOT / ".env.example").read_text().splitlines()
    shown = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert shown == used


def test_the_memory_limit_leaves_room_for_a_rewrite() -> None:
    limit = int(SERVICES["kedis"]["mem_limit"].removesuffix("m"))
    data = int(flags(SERVICES["kedis"]["command"])["--maxmemory"].removesuffix("mb"))
    assert limit >= 2.5 * data


def test_the_server_takes_the_flags() -> None:
    config = Config.from_command_line(SERVICES["kedis"]["command"])
    assert config.maxmemory == 768 << 20
    assert config.bind_addresses == ["0.0.0.0"]


@pytest.mark.parametrize("profile", [[], ["--profile", "load"]], ids=["plain", "load"])
def test_compose_itself_agrees(profile: list[str]) -> None:
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed")
    words = ["docker-compose", *profile, "--env-file", ".env.example", "config"]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    resolved = yaml.safe_load(done.stdout)["services"]
    assert resolved["kedis"]["command"] == SERVICES["kedis"]["command"]
    assert resolved["kedis"]["ports"] == ["127.0.0.1:6379:6379/tcp", "127.0.0.1:9121:9121/tcp"]
