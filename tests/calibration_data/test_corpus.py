import json
import shutil

import numpy as np
import pytest

from calibration_data import corpus
from calibration_data.sources import SPLITS
from groupcomm.errors import UserError


def test_opens_every_split(tiny):
    for split in SPLITS:
        c = corpus.open_corpus(split, name="tiny")
        assert c.speech.dtype == np.dtype("<i2") and c.noise.dtype == np.dtype("<i2")
        assert len(c.speakers) >= 2 and c.categories
        assert [g.name for g in c.speakers] == sorted(g.name for g in c.speakers)
        for group in c.speakers:
            assert {clip.speaker for clip in group.clips} == {group.name}
        assert c.speaker_odds[-1] == c.category_odds[-1] == 1
        assert all(np.all(np.diff(group.odds) > 0) for group in c.speakers)
        ends = sorted((clip.offset, clip.offset + clip.samples) for group in c.speakers for clip in group.clips)
        assert ends[0][0] == 0 and ends[-1][1] == c.speech.size
        assert all(a[1] == b[0] for a, b in zip(ends, ends[1:], strict=False))


def test_no_such_split(tiny):
    with pytest.raises(UserError, match="'dev'.*train, validation or test"):
        corpus.open_corpus("dev", name="tiny")


def test_no_such_corpus(empty):
    with pytest.raises(UserError, match="run `groupcomm data`"):
        corpus.open_corpus("train")
    with pytest.raises(UserError, match="--name mine"):
        corpus.open_corpus("train", name="mine")


@pytest.mark.parametrize("harm", ["cut", "garbage", "gone", "schema"])
def test_damage_is_named(cache, empty, harm):
    shutil.copytree(cache / "corpus" / "tiny", empty / "corpus" / "tiny")
    folder = empty / "corpus" / "tiny"
    if harm == "cut":
        (folder / "train" / "speech.i16").write_bytes(b"\0\0")
    elif harm == "garbage":
        (folder / "train" / "clips.tsv").write_text("kind\toffset\nspeech\tx\n")
    elif harm == "gone":
        (folder / "train" / "noise.i16").unlink()
    else:
        report = json.loads((folder / "corpus.json").read_text())
        (folder / "corpus.json").write_text(json.dumps(report | {"schema": 0}))
    with pytest.raises(UserError, match="tiny.*groupcomm data"):
        corpus.open_corpus("train", name="tiny")
