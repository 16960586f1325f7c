"""Addresses that resume executions: who may make them, and how their keys change."""

import os
from pathlib import Path

import pytest

from penstock.subjects.errors import PenstockError
from penstock.subjects.resume_urls import ResumeKeys, ResumeUrls


def changed(file: Path, text: str) -> None:
    """Write the keys, at a time that differs whatever the clock's grain."""
    before_ns = file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=(before_ns + 1_000_000, before_ns + 1_000_000))


def test_the_key_is_made_once_for_our_eyes_only_and_shared_by_all_programs(tmp_path: Path) -> None:
    file = tmp_path / "data" / "resume-keys"

    first, second = ResumeKeys(file), ResumeKeys(file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert second.fits("e1", first.signature("e1"))
    assert [each.name for each in file.parent.iterdir()] == ["resume-keys"]


def test_a_signature_is_good_for_its_execution_and_installation_alone(tmp_path: Path) -> None:
    ours, others = ResumeKeys(tmp_path / "ours"), ResumeKeys(tmp_path / "others")

    assert ours.fits("e1", ours.signature("e1"))
    assert not ours.fits("e2", ours.signature("e1"))
    assert not ours.fits("e1", others.signature("e1"))
    assert not ours.fits("e1", "")


def test_a_new_key_on_top_signs_and_what_older_ones_signed_stays_good(tmp_path: Path) -> None:
    file = tmp_path / "resume-keys"
    gateway, old = ResumeKeys(file), ResumeKeys(file)
    changed(file, f"{'n' * 40}\n{file.read_text()}")
    new = ResumeKeys(file)

    assert new.signature("e1") != old.signature("e1")
    assert gateway.fits("e1", new.signature("e1"))
    assert gateway.fits("e1", old.signature("e1"))

    changed(file, f"{'n' * 40}\n")
    assert not ResumeKeys(file).fits("e1", old.signature("e1"))


def test_keys_that_cannot_serve_are_refused_at_start_and_passed_over_later(tmp_path: Path) -> None:
    file = tmp_path / "resume-keys"
    running = ResumeKeys(file)
    changed(file, "short\n")

    with pytest.raises(PenstockError, match="short"):
        ResumeKeys(file)
    assert running.fits("e1", running.signature("e1"))
    assert not running.fits("e1", "wrong")


def test_an_address_names_the_execution_and_carries_its_signature(tmp_path: Path) -> None:
    keys = ResumeKeys(tmp_path / "resume-keys")

    url = ResumeUrls("https://example.org/", keys)("e1")

    assert url == f"https://example.org/webhook-waiting/e1?signature={keys.signature('e1')}"
