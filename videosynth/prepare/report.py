"""What the data set doctor found, and how it says it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from videosynth.types import UserError

Level = Literal["error", "warning", "info"]
LEVELS: tuple[Level, ...] = ("error", "warning", "info")
EXAMPLES = 3  # files named per kind of finding


@dataclass(frozen=True)
class Finding:
    """One thing about one file: ``kind`` groups findings, ``what`` is wrong, ``remedy`` mends it.

    ``file`` is relative to the data set, empty for the whole of it; an empty ``remedy`` is said in ``what``.
    """

    level: Level
    kind: str
    file: str
    what: str
    remedy: str


@dataclass
class Report:
    """All findings on a data set, and a ``summary`` of what was understood (one line per entry)."""

    root: Path
    findings: list[Finding] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)

    def add(self, level: Level, kind: str, file: Path | str, what: str, remedy: str) -> None:
        if isinstance(file, Path) and file.is_relative_to(self.root):
            file = file.relative_to(self.root)
        self.findings.append(Finding(level, kind, str(file), what, remedy))

    def count(self, level: Level) -> int:
        return sum(f.level == level for f in self.findings)

    @property
    def ok(self) -> bool:
        """No errors."""
        return not self.count("error")

    def raise_if_errors(self) -> None:
        """Raise a :class:`UserError` with the first error, naming how many more there are."""
        errors = [f for f in self.findings if f.level == "error"]
        if errors:
            first = errors[0]
            more = len(errors) - 1
            rest = f" ({more} more: see `videosynth check {self.root}`)" if more else ""
            if not first.remedy:
                raise UserError(first.what + rest)
            named = first.file.startswith(("sequence ", "video "))  # otherwise it is a path
            where = f"{self.root}, {first.file}" if named else str(self.root / first.file)
            raise UserError(f"{where}: {first.what}; {first.remedy}{rest}")

    def warnings(self) -> list[str]:
        """One line per kind of warning."""
        groups: OrderedDict[str, list[Finding]] = OrderedDict()
        for finding in self.findings:
            if finding.level == "warning":
                groups.setdefault(finding.kind, []).append(finding)
        lines = []
        for kind, found in groups.items():
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            remedy = f"; {found[0].remedy}" if found[0].remedy else ""
            lines.append(f"{kind}: {found[0].file + ': ' if found[0].file else ''}{found[0].what}{more}{remedy}")
        return lines

    def text(self) -> str:
        """For the terminal: grouped by kind, the worst first, with counts and a few file names."""
        lines = [str(self.root), *(f"  {line}" for line in self.summary), ""]
        for level in LEVELS:
            groups: OrderedDict[str, list[Finding]] = OrderedDict()
            for finding in self.findings:
                if finding.level == level:
                    groups.setdefault(finding.kind, []).append(finding)
            for kind, findings in groups.items():
                count = f" ({len(findings)} times)" if len(findings) > 1 else ""
                lines.append(f"{level.upper()}: {kind}{count}")
                lines += [f"  {f.file}: {f.what}" if f.file else f"  {f.what}" for f in findings[:EXAMPLES]]
                if len(findings) > EXAMPLES:
                    lines.append(f"  ... and {len(findings) - EXAMPLES} more")
                lines += [f"  What to do: {findings[0].remedy}", ""] if findings[0].remedy else [""]
        errors, warnings = self.count("error"), self.count("warning")
        if errors:
            lines.append(
                f"{_plural(errors, 'error')}, {_plural(warnings, 'warning')}: mend the errors before training."
            )
        elif warnings:
            lines.append(f"No errors, {_plural(warnings, 'warning')}: the data set can be used.")
        else:
            lines.append("All is well: the data set can be used.")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": 1,
            "root": str(self.root),
            "summary": self.summary,
            "findings": [vars(f) for f in self.findings],
        }


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")
