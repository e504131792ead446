"""Prints what this machine is and which versions run on it, for the log of a test run."""

import os
from pathlib import Path

from realtime_vibe.system.machine import installed_versions, machine_facts

WIDEST_FIRST = ("amx_tile", "avx512_bf16", "avx512f", "avx2", "avx")
"""Instructions that decide which kernels the libraries choose, and so the last bits of results."""


def main() -> None:
    """Writes one line about the machine and one about the packages."""
    facts = machine_facts()
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    print(
        f"machine: {facts['cpu']} with {_instructions()}, {facts['cores']} cores,"
        f" {memory_gb:.0f} GB, {facts['system']}, {facts['architecture']}"
    )
    print("versions: " + ", ".join(f"{name} {it}" for name, it in installed_versions().items()))


def _instructions() -> str:
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return "unknown instructions"  # not Linux
    return next((name for name in WIDEST_FIRST if name in flags), "no AVX")


if __name__ == "__main__":
    main()
