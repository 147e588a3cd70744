#!/usr/bin/env python3
"""The Dockerfile is one that tools/try-image can follow, and makes the image that is promised."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import image_tree
from image_tree import DockerfileError


class Dockerfile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stages = image_tree.parse((ROOT / "Dockerfile").read_text())
        cls.last = cls.stages[-1]

    def test_it_is_read_to_its_end(self):
        self.assertEqual([stage.name for stage in self.stages], ["build", "demo", "herald"])
        self.assertEqual({stage.base for stage in self.stages}, {"debian:trixie-slim"})

    def test_what_it_copies_is_there(self):
        for stage in self.stages:
            for instruction, arguments, line in stage.steps:
                if instruction == "COPY" and arguments[0] is None:
                    for source in arguments[1]:
                        self.assertTrue((ROOT / source).exists(), f"line {line}: {source}")

    def test_the_image_is_not_root_and_has_no_compiler(self):
        self.assertEqual(self.last.last("USER"), "herald")
        self.assertEqual(self.last.last("ENTRYPOINT"), ["herald"])
        for instruction, arguments, _ in self.last.steps:
            if instruction == "RUN":
                for word in ("g++", "-dev", "cmake", "tools/setup"):
                    self.assertNotIn(word, arguments)

    def test_nothing_runs_after_the_user_is_set(self):
        names = [name for name, _, _ in self.last.steps]
        self.assertNotIn("RUN", names[names.index("USER") :])


class Reading(unittest.TestCase):
    def steps(self, *lines):
        return image_tree.parse("\n".join(("FROM debian AS one", *lines)))[0].steps

    def test_continued_lines_are_one_command_and_comments_are_none(self):
        (step,) = self.steps("RUN a \\", "# why", " && b", "# end")
        self.assertEqual(step, ("RUN", "a   && b", 2))

    def test_copy_from_a_stage(self):
        (step,) = self.steps("COPY --from=build /a /b c/")
        self.assertEqual(step[1], ("build", ["/a", "/b"], "c/"))

    def test_what_it_does_not_know_is_refused_by_name_and_line(self):
        for line, word in (
            ("ADD x y", "ADD: not known"),
            ("RUN --mount=type=cache true", "without options"),
            ("RUN <<END", "without options"),
            ("CMD herald run", "JSON list"),
            ("COPY --chown=1 a b", "--chown"),
            ("COPY *.txt b/", "without patterns"),
            ("RUN a \\", "continues"),
        ):
            with self.subTest(line=line):
                with self.assertRaisesRegex(DockerfileError, f"line 2: .*{word}|line 2.*{word}"):
                    self.steps(line)

    def test_something_before_from_is_refused(self):
        with self.assertRaisesRegex(DockerfileError, "line 1: RUN: comes before FROM"):
            image_tree.parse("RUN true")


if __name__ == "__main__":
    unittest.main()
