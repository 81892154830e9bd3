"""What has been measured, a line each: a search that was stopped goes on from there."""

import json
from pathlib import Path

from hwgen.errors import UserError

__all__ = ["Log"]


class Log:
    """Measurements by the text of their widths, kept in the file ``path``.

    ``run`` says what they are measurements of; a file of another run is a user's error. A last line
    that was cut is dropped.
    """

    def __init__(self, path: Path, run: dict):
        self.path, self._found = path, {}
        if path.is_file():
            lines = path.read_text().splitlines()
            known = _parsed(lines[0]) if lines else None
            if known != run:
                field = next((k for k in run if (known or {}).get(k) != run[k]), "run")
                raise UserError(f"{path}: of another {field}; use --fresh or another --out")
            for line in lines[1:]:
                if (entry := _parsed(line)) is not None:
                    self._found[entry.pop("widths")] = entry
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(run)]
        lines += [json.dumps({"widths": key} | entry) for key, entry in self._found.items()]
        path.write_text("\n".join(lines) + "\n")

    def get(self, key: str) -> dict | None:
        """What was measured, or None."""
        return self._found.get(key)

    def add(self, key: str, entry: dict) -> None:
        """Keep a measurement, on disk too."""
        self._found[key] = entry
        with self.path.open("a") as file:
            file.write(json.dumps({"widths": key} | entry) + "\n")


def _parsed(line: str) -> dict | None:
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
