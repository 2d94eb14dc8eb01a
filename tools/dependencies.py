"""List the dependencies with their licences, or print the software bill of materials (SBOM).

    python tools/dependencies.py            one line for each: version, licence, what needs it
    python tools/dependencies.py --sbom     CycloneDX 1.6 as JSON

Versions and hashes are those of requirements.txt, licences those of the installed packages. The
SBOM also has CMSIS-DSP, the only code of others in the packages for boards.
"""

import json
import os
import re
import sys
import time
import tomllib
import uuid
from importlib import metadata

from groupcomm import __version__
from groupcomm.files import REPO, json_text

# The metadata of these packages have no licence, or only its text; these are the licences of their
# repositories.
UNNAMED = {"namex": "Apache-2.0", "pyroomacoustics": "MIT", "tflite-micro": "Apache-2.0"}
ROOT = "groupcomm-micro"


def normalized(name: str) -> str:
    """Return the name of a package as PyPI compares it (PEP 503)."""
    return re.sub("[-_.]+", "-", name).lower()


def locked() -> dict[str, dict]:
    """Read requirements.txt.

    Returns
    -------
    dict
        By name: ``version``, ``hashes`` (SHA-256) and ``via``, the packages that require it.
    """
    packages: dict[str, dict] = {}
    for line in (REPO / "requirements.txt").read_text().splitlines():
        if start := re.match(r"([\w.-]+)==([^\s;]+)", line):
            packages[start[1]] = last = {"version": start[2], "hashes": [], "via": []}
        elif found := re.search(r"--hash=sha256:(\w+)", line):
            last["hashes"].append(found[1])
        elif found := re.match(r"    # (?:via|  ) ?(\w[\w.-]*)", line):
            last["via"].append(found[1])
    return packages


def scopes(packages: dict[str, dict]) -> dict[str, str]:
    """Return for each package the scope of CycloneDX.

    It is "required" for `import groupcomm`, "optional" for an extra, and "excluded" for development
    alone.
    """
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    users = {name: line for name, line in extras.items() if name != "dev"}
    found = dict.fromkeys(packages, "excluded")
    for scope, lines in (
        ("optional", sum(users.values(), [])),
        ("required", project["dependencies"]),
    ):
        reached = {normalized(re.split(r"[\[=]", line)[0]) for line in lines} - {ROOT}
        while more := {n for n, p in packages.items() if reached & {*p["via"]}} - reached:
            reached |= more
        found |= {name: scope for name in reached & packages.keys()}
    return found


def licence(name: str) -> str:
    """Return the licence of an installed package: an SPDX expression, or words.

    Raises
    ------
    importlib.metadata.PackageNotFoundError
        When it is not installed.
    """
    about = metadata.metadata(name)
    classifiers = about.get_all("Classifier") or []
    words = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    field = (about.get("License") or "").strip()
    if "\n" in field or len(field) > 60 or field == "UNKNOWN":  # the whole text, or nothing
        field = ""
    found = about.get("License-Expression") or field or " and ".join(words)
    return found or UNNAMED.get(name, "") or "unknown"


def sbom() -> dict:
    """Return the SBOM of the release; it depends on the commit and on SOURCE_DATE_EPOCH alone."""
    packages = locked()
    scope = scopes(packages)
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{package['version']}",
            "name": name,
            "version": package["version"],
            "scope": scope[name],
            "licenses": [_licence_of(name)],
            "purl": f"pkg:pypi/{name}@{package['version']}",
        }
        for name, package in packages.items()
    ]
    root = {"type": "library", "bom-ref": ROOT, "name": ROOT, "version": __version__}
    refs = {ROOT: ROOT} | {name: f"pkg:pypi/{name}@{p['version']}" for name, p in packages.items()}
    needs: dict[str, list[str]] = {ref: [] for ref in refs.values()}
    for name, package in packages.items():
        for parent in package["via"]:
            needs[refs[parent]].append(refs[name])
    components.append(cmsis := _cmsis_dsp())
    needs[ROOT].append(cmsis["bom-ref"])
    needs[cmsis["bom-ref"]] = []
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    content = {
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)),
            "component": {**root, "licenses": [{"expression": "Apache-2.0"}]},
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": on} for ref, on in needs.items()],
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{number}",
        **content,
    }


def _licence_of(name: str) -> dict:
    if expression := metadata.metadata(name).get("License-Expression"):
        return {"expression": expression}
    return {"license": {"name": licence(name)}}


def _cmsis_dsp() -> dict:
    pin = json.loads((REPO / "micro" / "third_party" / "cmsis_dsp.json").read_text())
    purl = f"pkg:pypi/{pin['package']}@{pin['version']}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": pin["package"],
        "version": pin["version"],
        "description": "CMSIS-DSP: its FFT and FIR filters are in the packages for boards",
        "scope": "required",
        "hashes": [{"alg": "SHA-256", "content": pin["sha256"]}],
        "licenses": [{"expression": "Apache-2.0"}],
        "purl": purl,
    }


def main() -> None:
    """Print the list, or with ``--sbom`` the SBOM."""
    if sys.argv[1:] == ["--sbom"]:
        sys.stdout.write(json_text(sbom()))
        return
    packages = locked()
    scope = scopes(packages)
    for name, package in packages.items():
        print(f"{name:<24} {package['version']:<22} {scope[name]:<9} {licence(name)}")


if __name__ == "__main__":
    try:
        main()
    except metadata.PackageNotFoundError as e:
        sys.exit(f"dependencies: {e.name} is not installed; run `make setup`")
