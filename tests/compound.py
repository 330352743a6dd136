"""Compound files, in which Zeiss and Olympus keep several streams: enough to write some for the tests."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

SECTOR, MINI, CUTOFF = 512, 64, 4096
_FREE, _END, _TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_STORAGE, _STREAM, _ROOT = 1, 2, 5


@dataclass
class _Node:
    name: str
    kind: int
    content: bytes = b""
    children: dict[str, "_Node"] = field(default_factory=dict)
    start: int = _END
    next: int = _FREE
    child: int = _FREE


def _padded(content: bytes, size: int) -> bytes:
    return content + bytes(-len(content) % size)


def _chain(table: list[int], count: int) -> int:
    """Add a chain of sectors to an allocation table; the first of them."""
    first = len(table)
    table.extend([*range(first + 1, first + count), _END])
    return first


def write_compound(path: Path, streams: dict[str, bytes]) -> None:
    """Write streams, whose names say in which storages they lie, as in ``Image/Item(0)/Contents``."""
    root = _Node("Root Entry", _ROOT)
    for name, content in streams.items():
        *storages, last = name.split("/")
        node = root
        for storage in storages:
            node = node.children.setdefault(storage, _Node(storage, _STORAGE))
        node.children[last] = _Node(last, _STREAM, content)
    nodes = [root]
    for node in nodes:
        siblings = sorted(node.children.values(), key=lambda each: (len(each.name), each.name.upper()))
        for index, sibling in enumerate(siblings):
            sibling.next = len(nodes) + index + 1 if index + 1 < len(siblings) else _FREE
        node.child = len(nodes) if siblings else _FREE
        nodes.extend(siblings)
    table: list[int] = []
    small: list[int] = []
    body, mini = bytearray(), bytearray()
    for node in nodes:
        if node.kind != _STREAM or not node.content:
            continue
        if len(node.content) < CUTOFF:
            padded = _padded(node.content, MINI)
            node.start = _chain(small, len(padded) // MINI)
            mini += padded
        else:
            padded = _padded(node.content, SECTOR)
            node.start = _chain(table, len(padded) // SECTOR)
            body += padded
    root.content = bytes(mini)
    if mini:
        padded = _padded(root.content, SECTOR)
        root.start = _chain(table, len(padded) // SECTOR)
        body += padded
    mini_table = _padded(struct.pack(f"<{len(small)}I", *small), SECTOR) if small else b""
    mini_start = _chain(table, len(mini_table) // SECTOR) if small else _END
    body += mini_table
    entries = bytearray()
    for node in nodes:
        label = node.name.encode("utf-16-le") + b"\0\0"
        entries += struct.pack("<64sHBB3I", label, len(label), node.kind, 1, _FREE, node.next, node.child) + bytes(36)
        entries += struct.pack("<IQ", node.start if node.kind != _STORAGE else 0, len(node.content))
    entries += (struct.pack("<64sHBB3I", b"", 0, 0, 0, _FREE, _FREE, _FREE) + bytes(48)) * (-len(nodes) % 4)
    directory = _chain(table, len(entries) // SECTOR)
    body += entries
    # The allocation table lists its own sectors too.
    tables = 1
    while (len(table) + tables) * 4 > tables * SECTOR:
        tables += 1
    places = range(len(table), len(table) + tables)
    table.extend([_TABLE] * tables)
    table.extend([_FREE] * (tables * SECTOR // 4 - len(table)))
    header = struct.pack("<8s16x5H6x", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 62, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, tables, directory, 0, CUTOFF, mini_start, len(mini_table) // SECTOR, _END, 0)
    header += struct.pack("<109I", *places, *[_FREE] * (109 - tables))
    path.write_bytes(header + bytes(body) + struct.pack(f"<{len(table)}I", *table))
