"""Many robots, made in few calls."""

from connection import salesforce

# Most records that one call on collections takes.
COLLECTION_MAX = 200


def make_fleet(batch, count):
    """Ids of new robots `{batch}-000`, `{batch}-001` …, in order."""
    made = []
    for begin in range(0, count, COLLECTION_MAX):
        numbers = range(begin, min(begin + COLLECTION_MAX, count))
        rows = [
            {
                "attributes": {"type": "Robot__c"}, "Name": f"{batch} {number:03}", "Batch__c": batch,
                "Serial__c": f"{batch}-{number:03}", "Axes__c": number,
            }
            for number in numbers
        ]
        body = {"allOrNone": True, "records": rows}
        made += salesforce().restful("composite/sobjects", method="POST", json=body)
    return [row["id"] for row in made]
