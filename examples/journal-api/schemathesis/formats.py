"""How to make up what the document describes by a name of its own."""

import schemathesis
from hypothesis import strategies

# What a regular expression alone leaves to chance: that a key comes back.
again = strategies.sampled_from(['"a"', '"b"'])
new = strategies.from_regex(r'"([ !#-\[\]-~]|\\["\\]){1,255}"', fullmatch=True)
schemathesis.openapi.format("idempotency-key", again | new)
