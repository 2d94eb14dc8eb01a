import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from calibration_data import corpus
from calibration_data.sources import OWN_SPLITS
from groupcomm.errors import UserError


def test_open_corpus_opens_every_split(tiny):
    for split in OWN_SPLITS:
        c = corpus.open_corpus(split, name="tiny")
        assert c.speech.dtype == np.dtype("<i2") and c.noise.dtype == np.dtype("<i2")
        assert len(c.speakers) >= 2 and c.categories
        assert [g.name for g in c.speakers] == sorted(g.name for g in c.speakers)
        for group in c.speakers:
            assert {clip.speaker for clip in group.clips} == {group.name}
        assert c.speaker_odds[-1] == c.category_odds[-1] == 1
        assert all(np.all(np.diff(group.odds) > 0) for group in c.speakers)
        ends = sorted(
            (clip.offset, clip.offset + clip.samples)
            for group in c.speakers
            for clip in group.clips
        )
        assert ends[0][0] == 0 and ends[-1][1] == c.speech.size
        assert all(a[1] == b[0] for a, b in zip(ends, ends[1:], strict=False))


def test_unknown_split_is_rejected(tiny):
    with pytest.raises(UserError, match="'dev'.*train, validation, test or test-2026-11"):
        corpus.open_corpus("dev", name="tiny")
    with pytest.raises(
        UserError, match="'tiny': has no split test-2026-11; use train, validation or test,"
    ):
        # A corpus from own folders has three splits.
        corpus.open_corpus("test-2026-11", name="tiny")


def test_balanced_odds_follow_the_weights(tiny, monkeypatch):
    monkeypatch.setattr(corpus, "weights", lambda: {"rain": 3.0, "wind": 0.5, "music": 7.0})
    c = corpus.open_corpus("train", name="tiny")
    assert [group.name for group in c.categories] == ["crowd", "rain", "wind"]
    # "crowd" is not listed, so its weight is 1.
    np.testing.assert_allclose(c.balanced_odds, np.cumsum([1.0, 3.0, 0.5]) / 4.5)
    assert c.balanced_odds[-1] == 1
    assert replace(c, categories=()).balanced_odds.size == 0


def test_missing_corpus_names_the_command_that_builds_it(empty):
    for name, command in corpus.COMMANDS.items():
        with pytest.raises(UserError, match=f"{name!r}.*run `{command}`"):
            corpus.open_corpus("train", name=name)
    with pytest.raises(UserError, match="corpus 'open'"):
        corpus.open_corpus("train")
    with pytest.raises(UserError, match="--name mine"):
        corpus.open_corpus("train", name="mine")


@pytest.mark.parametrize("damage", ["cut", "garbage", "gone", "schema"])
def test_damaged_corpus_is_reported(cache, empty, damage):
    shutil.copytree(cache / "corpus" / "tiny", empty / "corpus" / "tiny")
    folder = empty / "corpus" / "tiny"
    if damage == "cut":
        (folder / "train" / "speech.i16").write_bytes(b"\0\0")
    elif damage == "garbage":
        (folder / "train" / "clips.tsv").write_text("kind\toffset\nspeech\tx\n")
    elif damage == "gone":
        (folder / "train" / "noise.i16").unlink()
    else:
        report = json.loads((folder / "corpus.json").read_text())
        (folder / "corpus.json").write_text(json.dumps(report | {"schema": 0}))
    with pytest.raises(UserError, match="tiny.*groupcomm data"):
        corpus.open_corpus("train", name="tiny")
