"""A test run removes the folders that killed runs have left."""

from __future__ import annotations

from tests.support import machine


def test_folders_without_a_lock_are_removed(tmp_path):
    left, lock = machine._make_folder(tmp_path)
    (left.root / "data").write_text("x")
    living, other_lock = machine._make_folder(tmp_path)
    assert left.root.exists()
    lock.close()  # as the end of its process does
    third, third_lock = machine._make_folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([living.root, third.root])
    other_lock.close()
    third_lock.close()
