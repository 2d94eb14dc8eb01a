"""Test the committed lists of sources."""

from collections import defaultdict

import pytest

from calibration_data import sources


def _entries():
    """Return the checksum and the entry of every listed file."""
    packaged = [(md5, entry) for files in sources.listed().values() for md5, entry in files.items()]
    recorded = [
        (recording.sha256, recording.entry)
        for files in sources.recordings().values()
        for recording in files
    ]
    return packaged + recorded


def _splits(of):
    """Return the splits, without the old test split, by a property of the entries."""
    splits = defaultdict(set)
    for _, entry in _entries():
        splits[of(entry)].update(split for split in entry.splits if split != sources.OLD_TEST)
    return splits


def test_every_package_has_a_list_of_files():
    packages, listed = sources.packages(), sources.listed()
    assert set(packages) == set(listed)
    assert all(listed.values())
    for name, package in packages.items():
        assert (
            len(package.sha256) == 64 and package.bytes > 0 and package.file.startswith(name + "_")
        )
        assert all(entry.package == name for entry in listed[name].values())


def test_every_repository_has_a_list_of_recordings():
    repositories, recordings = sources.repositories(), sources.recordings()
    assert set(repositories) == set(recordings)
    assert not set(repositories) & set(sources.packages())
    for name, repository in repositories.items():
        assert (
            repository.address.startswith("https://github.com/")
            and len(repository.commit) >= 8
            and repository.licence
        )
        assert recordings[name]
    every = [recording for files in recordings.values() for recording in files]
    assert (
        len({recording.file for recording in every})
        == len({recording.sha256 for recording in every})
        == len(every)
    )
    for recording in every:
        folder, *_ = recording.file.split("/")
        assert folder == ("speech" if recording.entry.speaker else "noise")
        assert len(recording.sha256) == 64 and len(recording.samples) == (
            0 if recording.path.endswith(".ogg") else 64
        )


def test_each_file_is_listed_once_as_speech_or_noise():
    entries = _entries()
    assert len({checksum for checksum, _ in entries}) == len(entries)
    assert {split for _, entry in entries for split in entry.splits} == set(sources.SPLITS)
    assert all(bool(entry.speaker) != bool(entry.category) for _, entry in entries)


def test_each_package_is_in_one_split_only():
    packages = sources.packages()
    assert all(
        len(splits) == 1
        for name, splits in _splits(lambda entry: entry.package).items()
        if name in packages
    )


def test_each_speaker_is_in_one_split_only():
    splits = _splits(lambda entry: entry.speaker)
    del splits[""]  # noise
    assert set(splits) == set(sources.speakers())
    only_old_test = {name for name, where in splits.items() if not where}
    assert only_old_test == {"nxtut", "ortiz"}
    assert all(len(where) <= 1 for where in splits.values())


def test_files_of_the_old_test_split_are_not_in_training():
    for _, entry in _entries():
        if sources.OLD_TEST in entry.splits:
            assert set(entry.splits) <= {"test", sources.OLD_TEST}


def test_reserved_packages_and_speakers_are_not_listed():
    reserved = sources.reserved()
    assert len(reserved["packages"]) == 16
    assert not set(reserved["packages"]) & set(sources.packages())
    assert not set(reserved["speakers"]) & set(sources.speakers())


def test_every_category_has_a_weight():
    weights, categories = sources.weights(), {entry.category for _, entry in _entries()} - {""}
    assert set(weights) == categories
    assert sum(weights.values()) == pytest.approx(20) and weights["music"] == 1
