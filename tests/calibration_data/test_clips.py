"""Test the committed clips."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from calibration_data import clips, corpus, sources
from calibration_data.corpus import open_corpus
from groupcomm.errors import UserError


def _db(x):
    return 10 * np.log10(np.mean(x.astype(np.float64) ** 2))


def test_calibration_clips_are_valid_and_vary_in_level():
    items = clips.calibration_clips()
    assert len(items) >= 12 and len({item.name for item in items}) == len(items)
    for item in items:
        assert item.audio.dtype == np.float32 and item.audio.shape == (64000,)
        assert np.isfinite(item.audio).all() and 0 < np.abs(item.audio).max() < 1
    levels = [_db(item.audio) for item in items]
    assert min(levels) < -60 and max(levels) > -15


def test_demo_mixtures_have_the_snr_of_the_recipe():
    demos, pairs = clips.demo_mixtures(), clips.demo_mixtures(2)
    assert len(demos) >= 6 and len(pairs) >= 2
    for demo, recipe in zip(demos + pairs, clips.DEMO, strict=True):
        speech = demo.references.sum(0)
        assert demo.name == recipe.name and len(demo.references) == len(recipe.speakers)
        assert demo.mixture.dtype == speech.dtype == np.float32
        assert 64000 <= demo.mixture.size == speech.size <= 80000
        assert np.isfinite(demo.mixture).all() and min(map(_db, demo.references)) > -40
        if recipe.noise:
            assert _db(speech) - _db(demo.mixture - speech) == pytest.approx(
                recipe.snr_db, abs=0.05
            )
        else:
            np.testing.assert_allclose(demo.mixture, speech, atol=3 / 32768)


def test_readme_lists_exactly_the_committed_files():
    readme = (clips.FOLDER / "README.md").read_text(encoding="utf-8")
    files = {str(path.relative_to(clips.FOLDER)) for path in clips.FOLDER.rglob("*.flac")}
    assert set(re.findall(r"^\| `(\S+\.flac)`", readme, re.MULTILINE)) == files
    assert len(files) == len(clips.CALIBRATION) + sum(
        1 + len(recipe.speakers) for recipe in clips.DEMO
    )
    assert sum((clips.FOLDER / file).stat().st_size for file in files) < 3e6


def test_committed_clips_have_permissive_licences():
    readme = (clips.FOLDER / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    used = set(re.findall(r"\(`([a-z0-9-]+)`, ([A-Z][\w.-]+)\)", "\n".join(rows)))
    assert {licence for _, licence in used} <= {
        "CC-BY-3.0",
        "CC-BY-4.0",
        "CC-BY-SA-3.0",
        "CC0-1.0",
        "BSD-like",
    }
    packages = sources.packages()
    for name, licence in used:
        # A package can have several licences: the licence of a file must be one of them.
        assert licence in packages[name].licence, name
    for row in rows:
        if "CC-BY-SA-3.0)" in row:
            assert row.endswith("| CC-BY-SA-3.0 |")


def test_every_demo_mixture_has_a_credit():
    credits = {recipe.name: clips.credit(recipe.name) for recipe in clips.DEMO}
    assert "Marine" in credits["fountain"].noise and "ufoai-sound" in credits["fountain"].noise
    assert credits["duet"].noise == "none" and "June Wallack" in credits["duet"].speech
    for one in credits.values():
        assert "Carlo Flora" in one.speech and one.licence.startswith("CC-BY")
        assert not re.search(r"\(\d\)|`", one.noise)
    with pytest.raises(UserError, match="has no line for demo/nothing_mixture"):
        clips.credit("nothing")


def test_recipes_use_speakers_of_the_right_split():
    speakers = {
        entry.speaker: entry.split
        for files in sources.listed().values()
        for entry in files.values()
    }
    assert {speakers[name] for recipe in clips.CALIBRATION for name in recipe.speakers} == {"train"}
    assert {speakers[name] for recipe in clips.DEMO for name in recipe.speakers} == {
        "test,test-2026-11"
    }


def test_missing_or_damaged_clip_is_reported(tmp_path, monkeypatch):
    shutil.copytree(clips.FOLDER, tmp_path / "clips")
    monkeypatch.setattr(clips, "FOLDER", tmp_path / "clips")
    (tmp_path / "clips" / "calibration" / "rain.flac").unlink()
    with pytest.raises(UserError, match="rain.flac: is missing.*groupcomm data --clips"):
        clips.calibration_clips()
    (tmp_path / "clips" / "demo" / "wind_clean.flac").write_bytes(b"fLaC")
    with pytest.raises(UserError, match="wind_clean.flac: cannot be read.*groupcomm data --clips"):
        clips.demo_mixtures()


def test_write_clips_needs_the_corpus(empty):
    with pytest.raises(UserError, match="corpus 'open'.*run `groupcomm data`"):
        clips.write_clips()


def test_write_clips_follows_recipes_and_is_reproducible(tiny, tmp_path, monkeypatch):
    """The recipes use the voices and noises of the tiny corpus."""

    def opened(split):
        c = open_corpus("test" if split == sources.OLD_TEST else split, name="tiny")
        groups = (
            replace(g, clips=tuple(replace(clip, path="usr/" + clip.path) for clip in g.clips))
            for g in c.categories
        )
        return replace(c, categories=tuple(groups))  # a recipe names the end of a longer path

    def recipe(split, name, **more):
        c = open_corpus(split, name="tiny")
        return clips._Recipe(
            name, (c.speakers[0].name,), c.categories[0].clips[0].path, 3, -30, **more
        )

    monkeypatch.setattr(corpus, "open_corpus", opened)
    monkeypatch.setattr(clips, "FOLDER", tmp_path)
    monkeypatch.setattr(
        clips, "CALIBRATION", (recipe("train", "a"), recipe("train", "b", noise_only=True))
    )
    monkeypatch.setattr(clips, "DEMO", (recipe("test", "c"),))
    written = clips.write_clips()
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in clips.write_clips()] == before
    a, b = clips.calibration_clips()
    assert _db(b.audio) == pytest.approx(-33, abs=0.1) and a.audio.size == 64000
    (c,) = clips.demo_mixtures()
    assert _db(c.references[0]) == pytest.approx(-30, abs=0.1)

    monkeypatch.setattr(clips, "DEMO", (clips._Recipe("c", ("nobody",), "", 3, -30),))
    with pytest.raises(UserError, match="clip 'c'.*nobody"):
        clips.write_clips()
