"""Rules that the tests themselves keep."""

import ast
import tomllib

import pytest

from groupcomm.files import REPO

MODULES = sorted((REPO / "tests").rglob("*.py"))


def imported(path):
    """Names of all modules that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_test_modules_import_only_helpers_from_tests():
    """What several test modules need is in tests/helpers."""
    for path in MODULES:
        ours = [
            name
            for name in imported(path)
            if name.split(".")[0] == "tests" or name.split(".")[-1].startswith("test_")
        ]
        assert all(name.startswith("tests.helpers.") for name in ours), (path, ours)


# Each package imports only itself and those before it.
ORDERS = {
    "": "groupcomm calibration_data tf_model convert",
    "calibration_data": "sound_file audio sources corpus building mixing clips commands",
    "tf_model": "signal macs layers networks cost training evaluation paper commands",
    "convert": "contract boards tflite quantization bundle codegen run verify measure report "
    "commands",
}
# The public API and the command line import all packages.
TOP = {"groupcomm/network.py", "groupcomm/pipeline.py", "groupcomm/cli.py"}


def package_imports(package):
    """Pairs (importing part, imported part, file) among the parts of a package."""
    parts = ORDERS[package].split()
    dotted = f"{package}." if package else ""
    folder = REPO / package
    for file in sorted(folder.rglob("*.py")) if package else sorted(sources()):
        relative = file.relative_to(folder)
        part = relative.parts[0].removesuffix(".py")
        if part not in parts or str(relative) in TOP:
            continue
        for name in imported(file):
            other = name.removeprefix(dotted).split(".")[0]
            if name.startswith(dotted) and other in parts:
                yield part, other, file


def sources():
    """All modules of the product."""
    for name in ORDERS[""].split():
        yield from (REPO / name).rglob("*.py")


@pytest.mark.parametrize("package", ORDERS)
def test_imports_go_one_way(package):
    order = ORDERS[package].split()
    found = list(package_imports(package))
    assert len({(a, b) for a, b, _ in found}) > len(order) - 2  # it sees the imports
    backwards = [(a, b, str(f)) for a, b, f in found if order.index(b) > order.index(a)]
    assert backwards == []


@pytest.mark.parametrize("package", [p for p in ORDERS if p])
def test_the_order_names_every_part_of_a_package(package):
    present = {
        p.stem
        for p in (REPO / package).iterdir()
        if (p.suffix == ".py" and p.stem != "__init__") or (p / "__init__.py").is_file()
    }
    assert present == set(ORDERS[package].split())


def test_the_distribution_contains_every_package():
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"]) - {"groupcomm._data"}
    packages = {path.parent.relative_to(REPO) for path in sources() if path.name == "__init__.py"}
    assert listed == {".".join(package.parts) for package in packages}


def test_no_function_is_longer_than_80_lines():
    functions = [
        (node.end_lineno - node.lineno + 1, node.name, str(file))
        for file in [*sources(), *(REPO / "tools").glob("*.py"), REPO / "docs/figures.py"]
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef)
    ]
    assert len(functions) > 800
    assert [found for found in sorted(functions, reverse=True) if found[0] > 80] == []
