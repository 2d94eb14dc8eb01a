import shutil

import pytest

from convert import bundle


@pytest.fixture
def bundle_copy(tmp_path):
    """Folder of a copy of the committed bundle, free to damage."""
    shutil.copytree(bundle.BUNDLES / "enhance", tmp_path / "enhance")
    return tmp_path / "enhance"
