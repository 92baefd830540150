"""A device's job log and access log, and the CSV file that "Download Logs" makes of them.

Columns, values and the last line are those of published manuals and of one collector's program. No sample
of a scan's rows was found: their log type, their target's columns and the form of the dates are guesses.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

HEADER = (
    "Start Date/Time",
    "End Date/Time",
    "Log Type",
    "Result",
    "Operation Method",
    "Status ",  # with its blank
    "Cancelled: Details",
    "User ID",
    "Host IP Address",
    "Source",
    "Target",  # guess: this and the two that follow
    "Destination Name",
    "Destination Address",
    "Print File Name",
    "Created Pages",
    "Exit Pages",
    "Exit Papers",
    "Paper Size",
    "Paper Type",
    "Login Method",
    "Logout Mode",
    "Log ID",
)
DONE = "Download completed."
PARTLY_DONE = "Download completed. A part of the logs before Log ID {first} does not exist any more."
SENDING = "Scanner: Sending"  # guess: named so by memory only
_FIRST = 0x22C5

Row = dict[str, str]


@dataclass
class Record:
    """A job or an event: its lines, the first of which bears its time."""

    number: int
    kind: str
    lines: list[Row]

    @property
    def log_id(self) -> str:
        """Its number, as the file writes it."""
        return f"0x{self.number:016x}"


@dataclass
class DeviceLog:
    """Both logs.

    Attributes:
        jobs: the job log is collected.
        events: the access log is collected.
        overwritten: it lost its oldest records.
        cut: a download breaks off before its end.
    """

    zone: tzinfo
    records: list[Record] = field(default_factory=list)
    jobs: bool = True
    events: bool = True
    overwritten: bool = False
    cut: bool = False
    next: int = _FIRST

    def scanned(self, when: datetime, recipient: str, *, done: bool, name: str = "", user: str = "", pages: int = 1,
                why: str = "", kind: str = SENDING) -> None:  # fmt: skip
        """Note a scan that was sent to a mail address or folder, or couldn't be.

        guess: in which column the reason of a failure stands, and that folders stand where mail addresses do.
        """
        result, status = ("Succeeded", "Completed") if done else ("Failed", "Failed")
        common = {
            "Log Type": kind,
            "Result": result,
            "Operation Method": "Control Panel",
            "Status ": status,
            "User ID": user,
        }
        source = {"Result": "Succeeded", "Status ": "Completed", "Source": "Scan File", "Created Pages": str(pages)}
        target = {
            "Result": result,
            "Status ": status,
            "Cancelled: Details": why,
            "Target": "Send",
            "Destination Name": name,
            "Destination Address": recipient,
        }
        self._add(when, "job", timedelta(seconds=4), common, source, target)

    def scanned_to_program(self, when: datetime) -> None:
        """Note a scan that a program on somebody's machine took."""
        common = {
            "Log Type": "Scanner: TWAIN Driver Scanning",
            "Result": "Succeeded",
            "Operation Method": "Driver",
            "Status ": "Completed",
        }
        source = {"Result": "Succeeded", "Status ": "Completed", "Source": "Scan File", "Created Pages": "1"}
        self._add(when, "job", timedelta(seconds=4), common, source)

    def printed(self, when: datetime, file: str) -> None:
        """Note a print."""
        common = {
            "Log Type": "Printer: Printing",
            "Result": "Succeeded",
            "Operation Method": "Driver",
            "Status ": "Completed",
        }
        source = {"Result": "Succeeded", "Status ": "Completed", "Source": "Driver", "Print File Name": file}
        target = {"Result": "Succeeded", "Status ": "Completed", "Target": "Print", "Exit Pages": "1",
                  "Exit Papers": "1", "Paper Size": "A4", "Paper Type": "Plain Paper"}  # fmt: skip
        self._add(when, "job", timedelta(seconds=9), common, source, target)

    def event(self, when: datetime, kind: str, *, user: str, host: str, status: str = "Succeeded") -> None:
        """Note an event of the access log."""
        line = {
            "Log Type": kind,
            "Result": "Succeeded" if status == "Succeeded" else "Failed",
            "Operation Method": "Web",
            "Status ": status,
            "User ID": user,
            "Host IP Address": host,
        }
        if kind == "Login":
            line["Login Method"] = "via Network"
        elif kind == "Logout":
            line["Logout Mode"] = "by User's Operation"
        self._add(when, "event", timedelta(0), line)

    def file(self) -> bytes:
        """Return the file that is downloaded: UTF-8 with a byte order mark."""
        out = io.StringIO()
        writer = csv.DictWriter(out, HEADER, restval="", lineterminator="\r\n")
        writer.writeheader()
        for record in self.records:
            writer.writerows({**line, "Log ID": record.log_id} for line in record.lines)
        text = out.getvalue()
        if self.cut:
            return text[: -len(text.splitlines()[-1]) // 2].encode("utf-8-sig")
        first = self.records[0].log_id if self.records else f"0x{self.next:016x}"
        last = PARTLY_DONE.format(first=first) if self.overwritten else DONE
        return f"{text}{last}\r\n".encode("utf-8-sig")

    def _add(self, when: datetime, kind: str, took: timedelta, *lines: Row) -> None:
        if not (self.jobs if kind == "job" else self.events):
            return
        start, end = (self._written(moment) for moment in (when, when + took))
        stamped = [{**lines[0], "Start Date/Time": start, "End Date/Time": end}, *lines[1:]]
        self.records.append(Record(self.next, kind, stamped))
        self.next += 1

    def _written(self, moment: datetime) -> str:
        # guess: neither the form of a date nor its zone was found; the device's local time, without a zone
        return f"{moment.astimezone(self.zone):%Y/%m/%d %H:%M:%S}"
