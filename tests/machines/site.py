"""
Several machines on one: what deploy/ says, on loopback addresses of its own.

Settings come from gendan.env.example, commands from the systemd units, the balancer from nginx.conf; only addresses,
folders and the names of the machines are put in.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gendan.child import last_lines, open_log
from gendan.embedded import EmbeddedPostgres
from notifications.channels import ALWAYS
from tests.chaos.site import Arrival, Receiver, arrivals_in

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HOSTS = ("127.0.0.2", "127.0.0.3")
"""Two machines; each has an API server and a worker, the first has the services."""
BALANCER = "127.0.0.4"
STARTS_WITHIN = 180.0


@dataclass
class Machines:
    """The processes of all machines, by name: api-1, api-2, services, worker-1, worker-2, nginx, redis."""

    home: Path
    environment: dict[str, str]
    receiver: Receiver
    ports: dict[str, int]
    postgres: EmbeddedPostgres
    _own: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        """Prefect's API, behind the balancer."""
        return self.environment["PREFECT_API_URL"]

    def arrived(self) -> list[Arrival]:
        """Return all that the receiver took, and what lies in the outbox of both machines."""
        return [*self.receiver.heard, *arrivals_in(self.home / "outbox")]

    def log(self, name: str) -> Path:
        """Return the log of a process."""
        return self.home / "logs" / f"{name}.log"

    def begin(self, name: str) -> None:
        """Start a process as its unit says."""
        match name.split("-"):
            case ["api", number]:
                host = HOSTS[int(number) - 1]
                command = self._unit("gendan-api", {"0.0.0.0": host, "4200": str(self.ports["api"])})
                self._start(name, command, {"PREFECT_HOME": str(self._machine(number) / "prefect")})
            case ["services"]:
                self._start(name, self._unit("gendan-services"), {"PREFECT_HOME": str(self.home / "services")})
            case ["worker", number]:
                machine = self._machine(number)
                command = self._unit("gendan-worker", {"%H": f"machine-{number}"})
                self._start(name, command, {"GENDAN_HOME": str(machine), "PREFECT_HOME": str(machine / "worker")})
            case _:
                raise ValueError(name)

    def once(self, unit: str) -> None:
        """Run a unit that ends by itself; raises RuntimeError if it fails."""
        environment = self.environment | {"GENDAN_HOME": str(self.home), "PREFECT_HOME": str(self.home / "once")}
        done = subprocess.run(
            self._unit(unit), env=environment, capture_output=True, text=True, cwd=self.home, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{unit} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def kill(self, name: str) -> None:
        """Kill a process with no warning; it is gone when this returns."""
        self._own[name].kill()
        self._own[name].wait()

    def gone(self) -> list[str]:
        """Return the processes that have ended, by name."""
        return [name for name, process in self._own.items() if process.poll() is not None]

    def answers(self, url: str) -> None:
        """Wait until something answers at `url`; raises RuntimeError if nothing does."""
        give_up = time.monotonic() + STARTS_WITHIN
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            try:
                with direct.open(url, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                if (gone := self.gone()) or time.monotonic() > give_up:
                    words = "\n".join(f"{name}:\n{last_lines(self.log(name))}" for name in gone)
                    raise RuntimeError(f"nothing answers at {url}; ended: {gone}\n{words}") from None
                time.sleep(0.3)

    def start_plain(self, name: str, command: list[str]) -> None:
        """Start a program that is none of ours."""
        self._start(name, command, {})

    def end(self) -> None:
        """Stop everything: workers first."""
        order = ("worker", "services", "api", "nginx", "redis")
        for name in sorted(self._own, key=lambda name: order.index(name.split("-")[0])):
            process = self._own[name]
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=60 if name.startswith("worker") else 15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _machine(self, number: str) -> Path:
        folder = self.home / f"machine-{number}"
        folder.mkdir(exist_ok=True)
        return folder

    def _unit(self, name: str, put_in: dict[str, str] | None = None) -> list[str]:
        text = (DEPLOY / "systemd" / f"{name}.service").read_text()
        line = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
        assert line is not None
        command = re.sub(r"\$\{(\w+)\}", lambda found: self.environment[found[1]], line[1])
        words = [(put_in or {}).get(word, word) for word in shlex.split(command)]
        return [str(Path(sys.executable).parent / Path(words[0]).name), *words[1:]]

    def _start(self, name: str, command: list[str], changes: dict[str, str]) -> None:
        with open_log(self.log(name)) as log:
            self._own[name] = subprocess.Popen(
                command,
                env=self.environment | changes,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def several_machines(home: Path, say: Callable[[str], None]) -> Iterator[Machines]:
    """Run two API servers behind nginx, the services, two workers, PostgreSQL and Redis, for the length of a block."""
    with ExitStack() as kept:
        receiver = Receiver()
        kept.callback(receiver.close)
        postgres = EmbeddedPostgres(home / "postgres")
        postgres.start()
        kept.callback(postgres.stop)
        postgres.ensure_databases("gendan", "prefect")
        ports = {"redis": free_port("127.0.0.1"), "api": free_port(*HOSTS), "balancer": free_port(BALANCER)}
        machines = Machines(home, _environment(home, postgres, ports, receiver), receiver, ports, postgres)
        kept.callback(machines.end)

        redis = ["redis-server", "--bind", "127.0.0.1", "--port", str(ports["redis"]), "--appendonly", "yes"]
        (home / "redis").mkdir()
        machines.start_plain("redis", [*redis, "--dir", str(home / "redis")])
        say("PostgreSQL and Redis run")
        machines.once("gendan-prefect-database")
        for name in ("api-1", "api-2", "services"):
            machines.begin(name)
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        assert nginx, "nginx is not installed"
        machines.start_plain(
            "nginx", [nginx, "-p", str(home), "-c", str(_nginx_file(home, ports)), "-g", "daemon off;"]
        )
        for host in HOSTS:
            machines.answers(f"http://{host}:{ports['api']}/api/ready")
        machines.answers(f"{machines.api_url}/ready")
        say("two API servers answer behind nginx")
        machines.once("gendan-prepare")
        machines.begin("worker-1")
        machines.begin("worker-2")
        yield machines


def free_port(*hosts: str) -> int:
    """Return a port that is free on all of these addresses."""
    while True:
        with socket.socket() as probe:
            probe.bind((hosts[0], 0))
            port = int(probe.getsockname()[1])
        try:
            for host in hosts[1:]:
                with socket.socket() as other:
                    other.bind((host, port))
        except OSError:
            continue
        return port


def _environment(home: Path, postgres: EmbeddedPostgres, ports: dict[str, int], receiver: Receiver) -> dict[str, str]:
    lines = re.findall(r"^([A-Z_]+)=(.*)$", (DEPLOY / "gendan.env.example").read_text(), re.MULTILINE)
    library, outbox = home / "library", home / "outbox"
    library.mkdir()
    outbox.mkdir()
    (home / "logs").mkdir()
    channels = home / "channels.yaml"
    channels.write_text(
        f"urls:\n  - outbox://{outbox}:\n      - tag: {ALWAYS}\n"
        f"  - json://127.0.0.1:{receiver.port}/?rto=3&cto=3:\n      - tag: {ALWAYS}\n"
    )
    pages = f"http://{BALANCER}:{ports['balancer']}"
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("GENDAN_", "PREFECT_", "PG"))}
    return (
        ours
        | dict(lines)
        | {
            "GENDAN_DATABASE_URL": postgres.url("gendan"),
            "PREFECT_API_DATABASE_CONNECTION_URL": postgres.prefect_url("prefect"),
            "PREFECT_REDIS_MESSAGING_URL": f"redis://127.0.0.1:{ports['redis']}/0",
            "PREFECT_SERVER_DOCKET_URL": f"redis://127.0.0.1:{ports['redis']}/1",
            "PREFECT_API_URL": f"{pages}/api",
            "PREFECT_UI_API_URL": f"{pages}/api",
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": pages,
            "GENDAN_CHANNELS": str(channels),
            "GENDAN_LIBRARY": str(library),
            "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
            "no_proxy": "*",
            "NO_PROXY": "*",
        }
    )


def _nginx_file(home: Path, ports: dict[str, int]) -> Path:
    text = (DEPLOY / "nginx.conf").read_text()
    for number, host in enumerate(HOSTS, start=1):
        text = text.replace(f"api-{number}:4200", f"{host}:{ports['api']}")
    text = text.replace("listen 4200;", f"listen {BALANCER}:{ports['balancer']};")
    kinds = ("proxy", "client_body", "fastcgi", "uwsgi", "scgi")
    folders = " ".join(f"{kind}_temp_path {home}/nginx-{kind};" for kind in kinds)
    whole = home / "nginx-main.conf"
    whole.write_text(
        f"{'user root;' if os.getuid() == 0 else ''}\npid {home}/nginx.pid;\nerror_log stderr;\nworker_processes 1;\n"
        f"events {{ worker_connections 512; }}\nhttp {{\naccess_log off;\n{folders}\n{text}\n}}\n"
    )
    return whole
