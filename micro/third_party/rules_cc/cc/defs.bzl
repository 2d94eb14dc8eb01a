"""Substitutes for @rules_cc, which Bazel's tools load but do not include.

In Bazel 4.2 these rules are built in.
"""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
