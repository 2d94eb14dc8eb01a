"""The committed lists."""

from collections import defaultdict

from calibration_data import sources


def test_lists_and_packages_fit():
    packages, listed = sources.packages(), sources.listed()
    assert set(packages) == set(listed)
    assert all(listed.values())
    for name, package in packages.items():
        assert len(package.sha256) == 64 and package.bytes > 0 and package.file.startswith(name + "_")
        assert all(entry.package == name for entry in listed[name].values())


def test_a_file_is_in_one_split_only():
    entries = [(md5, entry) for files in sources.listed().values() for md5, entry in files.items()]
    assert len({md5 for md5, _ in entries}) == len(entries)
    assert {entry.split for _, entry in entries} == set(sources.SPLITS)
    assert all(bool(entry.speaker) != bool(entry.category) for _, entry in entries)


def test_a_speaker_is_in_one_split_only():
    splits = defaultdict(set)
    for files in sources.listed().values():
        for entry in files.values():
            if entry.speaker:
                splits[entry.speaker].add(entry.split)
    assert all(len(where) == 1 for where in splits.values())
    assert set(splits) == set(sources.speakers())
