"""The hashes, the licences and the SBOM of the dependencies are complete."""

import importlib.util
import re
import tomllib

import pytest

from groupcomm.files import REPO

SPEC = importlib.util.spec_from_file_location("dependencies", REPO / "tools" / "dependencies.py")
dependencies = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(dependencies)
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]


def test_requirements_txt_has_every_pin_of_the_project_with_hashes():
    packages = dependencies.locked()
    # No test installs the extra "live", whose library needs a sound card.
    extras = (pins for name, pins in PROJECT["optional-dependencies"].items() if name != "live")
    lines = [line for group in (PROJECT["dependencies"], *extras) for line in group]
    pins = {line for line in lines if not line.startswith(dependencies.ROOT)}
    assert len(pins) >= 25
    for pin in pins:
        name, version = pin.split("==")
        assert packages[dependencies.normalized(name)]["version"] == version, (
            "requirements.txt is older than pyproject.toml; CONTRIBUTING.md says how to write it"
        )
    for package in packages.values():
        assert package["hashes"] and package["via"]
        assert all(re.fullmatch("[0-9a-f]{64}", one) for one in package["hashes"])


def test_scope_says_what_needs_a_package():
    scopes = dependencies.scopes(dependencies.locked())
    assert {
        name: scopes[name] for name in ("numpy", "mdurl", "tensorflow", "grpcio", "pluggy")
    } == {
        "numpy": "required",
        "mdurl": "required",  # of markdown-it-py of rich
        "tensorflow": "optional",
        "grpcio": "optional",
        "pluggy": "excluded",
    }


def test_licence_of_every_dependency_is_known():
    found = {name: dependencies.licence(name) for name in dependencies.locked()}
    assert [name for name, licence in found.items() if licence == "unknown"] == []
    assert (found["numpy"], found["soxr"]) == ("BSD License", "LGPL-2.1-or-later")


def test_sbom_is_complete_and_the_same_for_the_same_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    found = dependencies.sbom()
    assert found == dependencies.sbom()
    assert found["metadata"]["timestamp"] == "2001-09-09T01:46:40Z"
    names = {component["name"] for component in found["components"]}
    assert names == {*dependencies.locked(), "cmsisdsp"}
    refs = {component["bom-ref"] for component in found["components"]} | {dependencies.ROOT}
    assert {entry["ref"] for entry in found["dependencies"]} == refs
    needed = {ref for entry in found["dependencies"] for ref in entry["dependsOn"]}
    assert needed == refs - {dependencies.ROOT}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000001")
    assert dependencies.sbom()["serialNumber"] != found["serialNumber"]


def test_package_that_is_not_installed_has_no_licence():
    with pytest.raises(dependencies.metadata.PackageNotFoundError):
        dependencies.licence("no-such-package")
