"""What came of the attack, from the report that Schemathesis wrote."""

import xml.etree.ElementTree as ElementTree

# With fewer operations the description was not the whole one, or was not understood.
OPERATIONS_MIN = 40


def of(report, status, alive):
    """Prints the sum like cargo's and gives the exit status."""
    good, bad = counted(report)
    if not alive:
        print("test the service lives on ... FAILED", flush=True)
        bad += 1
    if good + bad < OPERATIONS_MIN:
        print(f"test at least {OPERATIONS_MIN} operations are attacked ... FAILED", flush=True)
        bad += 1
    if status != 0 and bad == 0:
        print(f"test Schemathesis ends well (status {status}) ... FAILED", flush=True)
        bad += 1
    word = "ok" if bad == 0 else "FAILED"
    print(f"test result: {word}. {good} passed; {bad} failed; 0 ignored", flush=True)
    return 0 if bad == 0 else 1


def counted(report):
    """Operations that passed and that did not."""
    if not report.exists():
        return 0, 0
    good = bad = 0
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            print(f"test {case.get('name')} ... FAILED", flush=True)
            bad += 1
        elif case.find("skipped") is None:
            good += 1
    return good, bad
