"""Substitutes for @rules_java, which Bazel's tools load but do not include.

In Bazel 4.2 these rules are built in.
"""

java_binary = native.java_binary
java_import = native.java_import
java_library = native.java_library
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain
