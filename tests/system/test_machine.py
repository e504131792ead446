"""Covers what is said about the computer beside every measured number."""

import platform

from realtime_vibe.system.machine import (
    installed_versions,
    machine_facts,
    package_version,
    usable_cores,
)


def test_facts_are_filled_in() -> None:
    facts = machine_facts()
    assert facts["cpu"]
    assert facts["cores"] == usable_cores() >= 1
    assert platform.system() in str(facts["system"])


def test_versions_name_only_what_is_installed() -> None:
    versions = installed_versions()
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == package_version("numpy")
    assert None not in versions.values()
    assert package_version("no-such-distribution") is None
