import shutil

import pytest

from convert import bundle


@pytest.fixture
def bundle_copy(tmp_path):
    """Return the folder of a copy of a committed bundle, which the test may damage."""
    shutil.copytree(bundle.BUNDLES / "enhance", tmp_path / "enhance")
    return tmp_path / "enhance"
