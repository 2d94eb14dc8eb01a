"""Running a network on sound: files, separators, the C++ programs of this machine."""
