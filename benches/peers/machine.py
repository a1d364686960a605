"""What the numbers were measured on."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

# What kernels for encoders choose by.
FLAGS = ["avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm"]


def facts(given):
    """Name and value of each fact."""
    cpu = read("/proc/cpuinfo")
    fields = dict(line.split(":", 1) for line in cpu.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = fields.get("flags", fields.get("Features", "")).split()
    memory = [int(line.split()[1]) for line in read("/proc/meminfo").splitlines() if line.startswith("MemTotal")]
    return {
        "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": fields.get("model name", platform.processor() or platform.machine()),
        "cores": os.cpu_count(),
        "instructions": " ".join(flag for flag in FLAGS if flag in flags),
        "memory": f"{memory[0] / 2**20:.0f} GiB" if memory else "unknown",
        "system": platform.platform(),
        "load before": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "python": platform.python_version(),
        "touchstone": said(["git", "describe", "--always", "--dirty"]),
        "rustc": said(["rustc", "--version"]),
        "node": said(["node", "--version"]),
        "chromium": said(["chromium", "--version"]),
        "threads": given.threads,
        "rounds": given.rounds,
    }


def read(path):
    """A file's text, empty where there is none."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def said(command):
    """What a program prints, or "unknown"."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
