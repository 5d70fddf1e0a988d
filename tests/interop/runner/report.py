"""What the checks said, printed as it comes, and summed."""

import re
import threading

# `test jsforce: upsert by external id ... ok`
VERDICT = re.compile(r"^test (?P<group>[^:]+): (?P<check>.*) \.\.\. (?P<verdict>ok|FAILED)$")


class Report:
    """Collects from several groups at once."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self._lock = threading.Lock()

    def tell(self, group, line):
        """Takes one line of a group's output. Says whether it was the verdict of a check."""
        verdict = VERDICT.match(line)
        with self._lock:
            print(line if verdict else f"{group}| {line}", flush=True)
            if verdict and verdict["verdict"] == "ok":
                self.passed += 1
            elif verdict:
                self.failed.append(f"{group}: {verdict['check']}")
        return verdict is not None

    def fail(self, group, check, why):
        """A failure that no check program could tell itself."""
        for line in why.splitlines():
            self.tell(group, line)
        self.tell(group, f"test {group}: {check} ... FAILED")

    def all_well(self):
        return self.passed > 0 and not self.failed

    def sum_up(self, seconds):
        if self.failed:
            print("\nfailures:")
            for name in self.failed:
                print(f"    {name}")
        word = "ok" if self.all_well() else "FAILED"
        counts = f"{self.passed} passed; {len(self.failed)} failed; 0 ignored"
        print(f"\ntest result: {word}. {counts}; finished in {seconds:.1f}s", flush=True)
