"""What the test asks for, and how it is answered: one JSON value on each side."""

import json
import sys

task = json.load(sys.stdin)


def report(**done):
    print(json.dumps(done))


def refusal(error, request):
    """The error code of a request that has to be refused, as the library read it."""
    try:
        answer = request()
    except error as refused:
        return refused.error
    raise AssertionError(f"not refused: {list(answer)}")
