"""Zstandard, which Python itself reads from 3.14 on; before that, by its backport."""

import sys
from typing import cast

from commerce_core.parsing.library_formats import Decompressor

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor
else:
    from backports.zstd import ZstdDecompressor


def new_decompressor() -> Decompressor:
    """What unpacks one frame."""
    return cast("Decompressor", ZstdDecompressor())
