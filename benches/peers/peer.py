"""A measured program as a process that answers requests, and how several are measured together."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path


class Peer:
    """A running peer. `files`: what it reads at its start, for a start with an empty cache."""

    def __init__(self, name, command, threads, files=()):
        self.name, self.command, self.files = name, [str(part) for part in command], files
        # For the thread pools that read a variable: rayon, OpenMP, the BLAS libraries.
        self.variables = {f"{name}_NUM_THREADS": str(threads) for name in ("RAYON", "OMP", "OPENBLAS", "MKL")}
        self.variables["HF_HUB_OFFLINE"] = "1"
        self.process = self.error = None
        self.version, self.most_tokens = "", None

    def start(self):
        """Starts the process and waits until it is loaded."""
        self.spawn()
        ready = self.read()
        self.version, self.most_tokens = ready["version"], ready.get("most_tokens")

    def spawn(self):
        environment = {**os.environ, **self.variables}
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        log = subprocess.DEVNULL if not os.environ.get("PEERS_VERBOSE") else None
        self.process = subprocess.Popen(self.command, env=environment, stderr=log, **pipes)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended (status {self.process.wait()}); PEERS_VERBOSE=1 shows why")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def ask(self, **request):
        """One request, one answer."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.read()

    def encode(self, workload):
        """Milliseconds for all calls of a workload."""
        calls = zip(workload["calls"], workload["ids"])
        return sum(self.ask(texts=texts, ids=ids)["ms"] for texts, ids in calls)

    def vectors(self, workload):
        """The vectors of a workload of one call, asked for a few at a time."""
        texts, ids = workload["calls"][0], workload["ids"][0]
        size, found = 1 if self.most_tokens else 8, []
        for start in range(0, len(texts), size):
            part = slice(start, start + size)
            found += self.ask(texts=texts[part], ids=ids[part], vectors=True)["vectors"]
        return found

    def peak_memory(self):
        """Most bytes that were resident, None where the system does not tell."""
        return resident(self.process.pid)

    def close(self):
        """Ends the process."""
        if self.process:
            self.process.stdin.close()
            self.process.terminate()
            self.process.wait()
            self.process = None

    def starts(self, text, ids):
        """Seconds to the first vector of a fresh process with an empty and a warm cache, and the bytes of its files."""
        self.forget()
        return {"empty": self.first_vector(text, ids), "warm": self.first_vector(text, ids), "bytes": self.bytes()}

    def first_vector(self, text, ids):
        started = time.perf_counter()
        self.start()
        self.ask(texts=[text], ids=[ids])
        seconds = time.perf_counter() - started
        self.close()
        return seconds

    def bytes(self):
        """Size of its files."""
        return sum(path.stat().st_size for path in self.all_files())

    def all_files(self):
        for path in map(Path, self.files):
            yield from (found for found in path.rglob("*") if found.is_file()) if path.is_dir() else [path]

    def forget(self):
        """Asks the system to drop its files from the page cache."""
        for path in self.all_files():
            with open(path, "rb") as file:
                os.fdatasync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class BrowserPeer(Peer):
    """A peer in a Chromium of its own, behind `browser.mjs`."""

    def starts(self, text, ids):
        plain = self.command
        order = {**json.loads(plain[-1]), "starts": {"texts": [text], "ids": [ids]}}
        try:
            self.command = [*plain[:-1], json.dumps(order)]
            self.spawn()
            return self.read()
        finally:
            self.command = plain
            self.close()

    def peak_memory(self):
        return self.ask(memory=True)["bytes"]


def resident(pid):
    """`VmHWM` of a process, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    kib = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return kib[0] * 1024 if kib else None


def start_all(peers):
    """Starts every peer; one that cannot start keeps its error and the rest go on."""
    for peer in peers:
        print(f"starting {peer.name}", file=sys.stderr, flush=True)
        guarded(peer, peer.start)


def guarded(peer, work, *given):
    """The work's result; None, and the peer is out, where it fails."""
    if peer.error:
        return None
    try:
        return work(*given)
    except (OSError, RuntimeError, ValueError) as error:
        peer.error = str(error)
        peer.close()
        return None


def measure(peers, workloads, rounds, limit):
    """Times in milliseconds, `{(peer, workload): [ms]}`. Every round goes through all workloads and, for each,
    through all peers in turn, so that noise of the machine meets them alike. The first round warms
    up and is not counted; whoever needs more than `limit` seconds in it is spared the others."""
    times, spared = {}, set()
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
        for workload in workloads:
            for peer in peers:
                key = peer.name, workload["name"]
                if key in spared or largest(workload) > (peer.most_tokens or float("inf")):
                    continue
                ms = guarded(peer, peer.encode, workload)
                if ms is None:
                    continue
                if number == 0 and ms > limit * 1e3:
                    spared.add(key)
                    times[key] = [ms]
                elif number > 0:
                    times.setdefault(key, []).append(ms)
    return times


def largest(workload):
    """Tokens of a workload's largest call."""
    return max(sum(map(len, call)) for call in workload["ids"])
