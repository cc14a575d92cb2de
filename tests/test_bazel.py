"""The BUILD files say what the tree holds.

Bazel itself is not needed: BUILD files have Python's syntax, and what a target
needs is what its files include.
"""

import ast
import dataclasses
import pathlib
import re

import pytest
from cpp_build import REPOSITORY

from keras_hypertinypw.version import __version__

# Every folder of C++ with targets of its own.
PACKAGES = ("tflm_ops", "tflm_ops/host", "tests/tflm_ops")
TFLM = "@tflite_micro//"
FILES = [
    path.relative_to(REPOSITORY)
    for package in PACKAGES
    for path in sorted((REPOSITORY / package).iterdir())
    if path.suffix in (".h", ".cc")
]
CALLED_FROM_PYTHON = {
    "//tflm_ops/host:generate_pw_host",
    "//tflm_ops/host:register_wheel",
}
RULES = ("cc_binary", "cc_library", "cc_test")


@dataclasses.dataclass(frozen=True)
class Target:
    """One rule of a BUILD file; `label` is absolute."""

    label: str
    rule: str
    arguments: dict

    @property
    def package(self):
        return self.label[2:].split(":")[0]

    def files(self, *attributes):
        return [
            pathlib.Path(self.package, name)
            for attribute in attributes or ("hdrs", "srcs")
            for name in self.arguments.get(attribute, [])
        ]

    @property
    def deps(self):
        return {
            f"//{self.package}{dep}" if dep.startswith(":") else dep
            for dep in self.arguments.get("deps", [])
        }

    @property
    def is_manual(self):
        return "manual" in self.arguments.get("tags", [])


def calls(path):
    """Yields function and arguments of every statement of a file."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement.value, ast.Call):
            call = statement.value
            yield (
                call.func.id,
                {
                    word.arg: ast.literal_eval(word.value)
                    for word in call.keywords
                },
                [ast.literal_eval(argument) for argument in call.args],
            )


def read_targets():
    targets = {}
    for package in PACKAGES:
        for rule, arguments, _ in calls(REPOSITORY / package / "BUILD"):
            if rule in RULES:
                label = f"//{package}:{arguments['name']}"
                assert label not in targets, "two targets of one name"
                targets[label] = Target(label, rule, arguments)
    return targets


TARGETS = read_targets()
OWNERS = {
    file: [target for target in TARGETS.values() if file in target.files()]
    for file in FILES
}
every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_belongs_to_exactly_one_target(file):
    assert len(OWNERS[file]) == 1


@every_target
def test_every_file_of_a_target_exists(target):
    assert target.files()
    assert set(target.files()) <= set(FILES)


@every_target
def test_a_library_has_one_header_of_its_name(target):
    headers = [file.name for file in target.files("hdrs")]
    is_library = target.rule == "cc_library"
    expected = [f"{target.arguments['name']}.h"] if is_library else []
    # What Python calls by name has none.
    assert headers == expected or target.label in CALLED_FROM_PYTHON


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.name.endswith("_test.cc")], ids=str
)
def test_every_test_is_a_cc_test(file):
    assert [target.rule for target in OWNERS[file]] == ["cc_test"]


def find_header(name, file):
    """Returns the header of ours that an `#include` means, or None."""
    folders = (file.parent, pathlib.Path("tflm_ops"))
    for folder in folders:
        found = (REPOSITORY / folder / name).resolve()
        if found.is_file():
            return found.relative_to(REPOSITORY)
    return None


def dependency(name, file):
    """Returns the label of the library that has an included header."""
    header = find_header(name, file)
    if header is not None:
        return OWNERS[header][0].label
    folder, _, base = name.rpartition("/")
    assert folder.startswith("tensorflow/"), name
    return f"{TFLM}{folder}:{base.removesuffix('.h')}"


@every_target
def test_dependencies_are_what_is_included(target):
    included = {
        dependency(name, file)
        for file in target.files()
        for name in re.findall(
            r'^#include "(.+)"$', (REPOSITORY / file).read_text(), re.MULTILINE
        )
    }
    assert target.deps == included - {target.label}


@every_target
def test_what_needs_tflm_is_not_built_by_a_wildcard(target):
    def needs_tflm(label):
        return label.startswith(TFLM) or any(
            map(needs_tflm, TARGETS[label].deps)
        )

    assert target.is_manual == needs_tflm(target.label)


@every_target
def test_headers_are_found_without_a_folder(target):
    if target.files("hdrs"):
        assert target.arguments["includes"] == ["."]


def test_firmware_sees_the_libraries():
    visibility = {
        name: arguments["default_visibility"]
        for name, arguments, _ in calls(REPOSITORY / "tflm_ops/BUILD")
        if name == "package"
    }
    assert visibility == {"package": ["//visibility:public"]}


def test_root_aliases_are_the_ops():
    aliases = list(calls(REPOSITORY / "BUILD"))
    names = [arguments["name"] for _, arguments, _ in aliases]
    assert names == [
        "generate_pw_op",
        "generate_pw_compact_op",
        "widen_bias_op",
    ]
    for rule, arguments, _ in aliases:
        assert rule == "alias"
        assert arguments["actual"] in TARGETS
        assert arguments["visibility"] == ["//visibility:public"]


def test_module_has_the_version_of_the_package():
    module, *_ = calls(REPOSITORY / "MODULE.bazel")
    expected = {"name": "keras_hypertinypw", "version": __version__}
    assert module == ("module", expected, [])


def test_every_foreign_repository_is_a_dependency_of_the_module():
    repositories = {
        arguments.get("repo_name", arguments["name"])
        for name, arguments, _ in calls(REPOSITORY / "MODULE.bazel")
        if name == "bazel_dep"
    }
    named = {"rules_cc"}  # By every `load`.
    for target in TARGETS.values():
        named |= {d[1:].split("//")[0] for d in target.deps if d[0] == "@"}
    assert repositories == named


@pytest.mark.parametrize("package", PACKAGES)
def test_rules_are_loaded_before_they_are_used(package):
    (load,) = (
        arguments
        for name, _, arguments in calls(REPOSITORY / package / "BUILD")
        if name == "load"
    )
    used = {t.rule for t in TARGETS.values() if t.package == package}
    assert load == ["@rules_cc//cc:defs.bzl", *sorted(used)]
