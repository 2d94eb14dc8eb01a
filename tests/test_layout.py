"""Rules that the tests themselves keep."""

import ast

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
