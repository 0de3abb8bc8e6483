"""A real SLURM of two nodes on this machine: its own munged, slurmctld and slurmds, on the loopback, in a folder of its own.

No systemd, no cgroups, no accounting; nothing of an installed cluster is touched. Root only: slurmd starts jobs as users.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.runtime.atomic import host_name

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
NODES = ("node1", "node2")
NODE = "SLURM_CLUSTER_DAEMON"  # variable with a daemon's name
CONFIGURATION = """
ClusterName=monoverse
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={controller_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/spool.%n
StateSaveLocation={folder}/state
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=10
InactiveLimit=0
KillWait=5
MinJobAge=7200
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={node1_port} CPUs=1 RealMemory=64000
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={node2_port} CPUs=1 RealMemory=64000 Gres=gpu:test:1
PartitionName=cpu Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=node2 MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """What keeps a SLURM from being started here; empty if nothing does."""
    if os.geteuid() != 0:
        return "only root can start a SLURM; run `make test-slurm` as root"
    if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"{', '.join(lacking)} not installed; `make test-slurm` installs slurm-wlm and munge"
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        return "Snakemake's plugin for SLURM is not installed; pip install -r requirements-slurm.lock"
    return ""


@dataclass
class Cluster:
    """The daemons and the folder of their configuration."""

    folder: Path
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Where SLURM's commands find this cluster."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self, name: str, *command: str) -> None:
        """Start a daemon that stays our child; what it starts inherits its name."""
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                command, stdout=out, stderr=out, env={**self.environment, NODE: name}, start_new_session=True
            )

    def start_node(self, name: str) -> None:
        """Start one slurmd; its node comes up by itself."""
        self.start(name, "slurmd", "-D", "-N", name)

    def cut_power(self, name: str) -> None:
        """End a node at once: its slurmd and every process that it has started."""
        for pid in processes(self.folder, f"{NODE}={name}", f"SLURMD_NODENAME={name}"):
            end(pid)
        self.daemons.pop(name).wait()

    def ask(self, *command: str) -> str:
        """The answer of one of SLURM's commands."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def jobs(self, comment: str, states: str = "RUNNING") -> list[dict[str, str]]:
        """Jobs of a rule and scene (as the plugin comments them), in some states: id, node, partition, state."""
        fields = ("job", "node", "partition", "state", "gpus", "comment")
        asked = ("squeue", "--noheader", f"--states={states}", "--format=%i|%N|%P|%T|%b|%k")
        rows = [dict(zip(fields, line.split("|"), strict=True)) for line in self.ask(*asked).splitlines()]
        return [row for row in rows if row["comment"] == comment]

    def job(self, comment: str, states: str = "RUNNING", seconds: float = 180) -> dict[str, str]:
        """The newest such job, waited for."""
        deadline = time.monotonic() + seconds
        while not (found := self.jobs(comment, states)):
            assert time.monotonic() < deadline, f"no job {comment} is {states}\n{self.ask('squeue', '--states=all')}"
            time.sleep(0.3)
        return max(found, key=lambda row: int(row["job"]))

    def wait_for_nodes(self, count: int) -> None:
        """Return when so many nodes take jobs."""
        deadline = time.monotonic() + 60
        while True:
            asked = ["sinfo", "--noheader", "--Node", "--partition=cpu", "--states=idle,mixed,allocated", "--format=%n"]
            answer = subprocess.run(asked, env=self.environment, capture_output=True, text=True, check=False)
            if len(answer.stdout.split()) == count:
                return
            assert time.monotonic() < deadline, f"{answer.stdout}{answer.stderr}\n{self.logs()}"
            time.sleep(0.3)

    def logs(self) -> str:
        """The ends of all logs, for a message."""
        return "\n".join(
            f"== {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:])
            for path in sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        )


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster of two nodes with one core each; all that it started is ended with the block."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    cluster = Cluster(folder)
    try:
        configure(folder)
        options = {
            "socket": "munge.socket",
            "key-file": "munge.key",
            "log-file": "munged.log",
            "pid-file": "munged.pid",
        }
        flags = [f"--{name}={folder / file}" for name, file in {**options, "seed-file": "munged.seed"}.items()]
        cluster.start("munged", "munged", "--foreground", "--force", *flags)
        wait_for(folder / "munge.socket")
        cluster.start("slurmctld", "slurmctld", "-D", "-i")
        for node in NODES:
            cluster.start_node(node)
        cluster.wait_for_nodes(len(NODES))
        yield cluster
    finally:
        for pid in processes(folder):
            end(pid)
        for daemon in cluster.daemons.values():
            daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)


def configure(folder: Path) -> None:
    """The configuration, the key and the folders of a cluster."""
    folder.chmod(0o755)
    ports = dict(zip(("controller_port", "node1_port", "node2_port"), free_ports(3), strict=True))
    values: Mapping[str, object] = {"host": host_name(), "folder": folder, **ports}
    (folder / "slurm.conf").write_text(CONFIGURATION.format_map(values))
    (folder / "gres.conf").write_text("NodeName=node2 Name=gpu Type=test File=/dev/null\n")
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    write_srun(folder)
    for name in ("state", *(f"spool.{node}" for node in NODES)):
        (folder / name).mkdir()


def write_srun(folder: Path) -> None:
    """An srun that knows where the configuration is: Snakemake's plugin takes SLURM_CONF away inside jobs."""
    srun = folder / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(f'#!/bin/sh\nexport SLURM_CONF={folder / "slurm.conf"}\nexec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(path: Path, seconds: float = 30) -> None:
    """Return when a file is there."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def processes(folder: Path, *marks: str) -> list[int]:
    """Processes whose environment names the cluster's folder and one of some marks; slurmd gives its steps to init."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        ours = f"SLURM_CONF={folder / 'slurm.conf'}" in environment
        if ours and (not marks or set(marks) & set(environment)):
            found.append(int(entry.name))
    return found


def end(pid: int) -> None:
    """SIGKILL to a process that may have ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
