"""`junit.xml`: a gate's verdicts as build servers read them, one test case a rule and cell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from harness.text.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.gates.gate import GateResult

JUNIT = "junit.xml"

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no character for (section 2.2)."""


def junit_bytes(results: Sequence[tuple[str, GateResult]]) -> bytes:
    """Return the document: a test suite per run name, a test case per rule × cell, failures with figure, bound and n."""
    root = ET.Element("testsuites", name="harness gate")
    for run, result in results:
        checks = [(verdict.rule, check) for verdict in result.rules for check in verdict.checks]
        suite = ET.SubElement(root, "testsuite", name=_text(run))
        for rule, check in checks:
            case = ET.SubElement(suite, "testcase", classname=_text(rule), name=_text(check.cell))
            if not check.passed:
                failure = ET.SubElement(case, "failure", type="gate", message=_text(check.text))
                failure.text = _text(check.text)
            else:
                ET.SubElement(case, "system-out").text = _text(check.text)
        _count(suite, len(checks), sum(not check.passed for _, check in checks))
    suites = list(root)
    _count(
        root,
        sum(int(suite.get("tests", 0)) for suite in suites),
        sum(int(suite.get("failures", 0)) for suite in suites),
    )
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _count(element: ET.Element, tests: int, failures: int) -> None:
    element.set("tests", str(tests))
    element.set("failures", str(failures))
    element.set("errors", "0")
    element.set("skipped", "0")


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", visible(text))
