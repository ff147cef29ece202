"""Files that are whole after a kill and after a power cut."""

import os
from pathlib import Path

from primacy.runs.errors import naming


def write_synced(path: Path, content: bytes) -> None:
    """Replace a file as a whole: a reader sees the old one or the new one. Raises OSError (disk
    full, read-only) with the old one untouched."""
    temporary = path.with_name(path.name + ".tmp")
    with naming(temporary), temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
