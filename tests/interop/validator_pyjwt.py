"""PyJWT as the validator of a resource server (RFC 9068 section 4)."""

import jwt

from task import report, task

token = task["token"]
key = jwt.PyJWKClient(task["jwks_uri"]).get_signing_key_from_jwt(token)


def validate(audience):
    # It leaves the type to its caller.
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    return jwt.decode(
        token,
        key,
        algorithms=[task["algorithm"]],
        issuer=task["issuer"],
        audience=audience,
        options={"require": ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]},
    )


accepted = validate(task["audience"])
try:
    validate(task["foreign"]["audience"])
    refused = None
except jwt.InvalidAudienceError:
    refused = "aud"
report(accepted=accepted, refused=refused)
