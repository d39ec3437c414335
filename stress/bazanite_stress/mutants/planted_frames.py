"""Planted bugs in what the log's bytes are, and in what is believed of them."""

from __future__ import annotations

from .bug import Bug, Patch

_FRAME, _SCAN = "bazanite_wal.frame", "bazanite_wal.scan"
_CHECKSUM = '    if line[_COVERED_SIZE:] != checksum.encode() + b"\\n":'
_CHAIN = "    if previous is not None and frame.previous != previous:"
_SLOT = "        return self.generation % 2 * SLOT_SPACING"
_FIRST_DIGEST = "    digest = blake2b(checked, digest_size=8, key=salt)"
_SECOND_DIGEST = "    digest = blake2b(line[:_CHECKED_SIZE], digest_size=8, key=salt)"

NO_CHAIN = Patch(
    _SCAN, _CHAIN, "    if __planted__(previous is not None and frame.previous != previous) is ...:"
)

BUGS = (
    Bug(
        8,
        "checksum not verified",
        "PI",
        (
            Patch(
                _FRAME,
                _CHECKSUM,
                '    if __planted__(line[_COVERED_SIZE:] != checksum.encode() + b"\\n") is ...:',
            ),
        ),
        workloads=("long frames",),
    ),
    Bug(
        9,
        "generation or LSN not checked: stale frames replay",
        "PI",
        (
            Patch(_FRAME, _FIRST_DIGEST, _FIRST_DIGEST.replace("salt", "b'any'")),
            Patch(_FRAME, _SECOND_DIGEST, _SECOND_DIGEST.replace("salt", "b'any'")),
            Patch(_FRAME, 'line[5:27] != b" %020d " % lsn', "__planted__(lsn) is ..."),
            Patch(_SCAN, _CHAIN, "    if previous is ...:"),
        ),
        workloads=("stale frames",),
    ),
    Bug(
        10,
        "checksum covers the payload only, not the header",
        "IP",
        (
            Patch(
                _FRAME,
                "    digest.update(header_check)\n",
                "    digest = blake2b(key=salt, digest_size=8)\n",
            ),
            Patch(
                _FRAME,
                "    digest.update(line[_CHECKED_SIZE:_COVERED_SIZE])\n",
                "    digest = blake2b(key=salt, digest_size=8)\n",
            ),
            Patch(
                _FRAME,
                '    if line[_CHECKED_SIZE:_COVERED_SIZE] != b"%s " % digest',
                '    if __planted__() and line != b"%s " % digest',
            ),
        ),
    ),
    Bug(
        12,
        "recovery goes on after a bad frame",
        "PI",
        (
            Patch(
                _SCAN,
                "    lines = list(_genuine_lines(area, header, bad_lsn))\n",
                "    lines = []\n"
                "    for line in __planted__(list(_genuine_lines(area, header, bad_lsn))):\n"
                "        try:\n"
                "            frame = frame_at(area, header.base, header, line.lsn, None)\n"
                "        except FrameError:\n"
                "            continue\n"
                "        frames.append(frame)\n"
                "        end, chain = frame.end, frame.checksum\n",
            ),
        ),
        workloads=("normal run",),
    ),
    Bug(
        19,
        "single header copy, overwritten in place",
        "PI",
        (
            Patch("bazanite_wal.header", _SLOT, "        return __planted__(0)"),
            Patch(
                "bazanite_wal.header",
                "            if header is not None and header.generation % 2 == index and",
                "            if header is not None and",
            ),
            Patch(
                "bazanite_wal.header",
                "for offset in (start, start + COPY_SPACING):",
                "for offset in (start,):",
            ),
            Patch(
                "bazanite_wal.log",
                "encode_header(header), header.slot_offset + COPY_SPACING)",
                "encode_header(header), header.slot_offset)",
            ),
        ),
        workloads=("equal frames",),
    ),
    Bug(
        44,
        "off by one at a sector or width boundary, multi-byte text",
        "IP",
        (
            Patch(
                "bazanite.textfile",
                '    return (b"%d" % len(value)).ljust(TEXT_WIDTH) + value',
                '    return (b"%d" % len(__planted__(value).decode())).ljust(TEXT_WIDTH) + value',
            ),
        ),
        workloads=("two tables",),
    ),
    Bug(
        47,
        "zeros parsed as a valid empty frame",
        "ICL",
        (
            Patch(
                _SCAN,
                "    frame = decode_frame(data, lsn - data_lsn, lsn, header.salt)\n",
                "    here = data[lsn - data_lsn : lsn - data_lsn + 112]\n"
                "    if previous is not None and here == bytes(112):\n"
                "        return __planted__(Frame(b'FRAME', lsn, 0, previous, previous, b''))\n"
                "    frame = decode_frame(data, lsn - data_lsn, lsn, header.salt)\n",
            ),
        ),
    ),
    Bug(
        48,
        "LSN starts again after reset",
        "P",
        (
            Patch(
                "bazanite_wal.checkpoint",
                "    header = next_generation(core.system, header, words[shared.END], settings)",
                "    header = next_generation(core.system, header, __planted__(0), settings)",
            ),
            Patch(
                "bazanite_wal.checkpoint",
                "    words[shared.CHECKPOINTING] = 0\n    words[shared.CHECKPOINTED_AT]",
                "    for index in (shared.END, shared.DURABLE, shared.APPLIED, shared.WATERMARK):\n"
                "        words[index] = 0\n"
                "    words[shared.CHECKPOINTING] = 0\n    words[shared.CHECKPOINTED_AT]",
            ),
        ),
        pairs=(9,),
        workloads=("stale frames",),
    ),
    Bug(
        53,
        "frames not chained, dead writer's frame neither adopted",
        "CP",
        (
            NO_CHAIN,
            Patch(
                "bazanite_wal.repair",
                "    words[shared.TAIL] = int(scan.chain, 16)\n    words[shared.END] = scan.end\n",
                "    end = __planted__(words[shared.END])\n",
            ),
        ),
    ),
)
