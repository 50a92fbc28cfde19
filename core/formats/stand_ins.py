"""What lies in the place of a file that was not really downloaded."""

from __future__ import annotations


def stand_in(start: bytes) -> str:
    """What a file with these first bytes is, and what to do; empty if it is a file of its own."""
    if not start:
        return "is empty; copy it again"
    if not start.strip(b"\0"):
        return "holds nothing but zeros; the download did not end, copy it again"
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file; fetch it with: git lfs pull"
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "is a web page, not the file; download the file itself"
    return ""
