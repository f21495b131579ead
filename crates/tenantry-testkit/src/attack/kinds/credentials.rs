//! No credentials, several, or in the wrong place.

use super::volley::Volley;
use crate::attack::stage::{Role, Stage};

const HEADERS: [&str; 8] = [
    "proxy-authorization",
    "x-access-token",
    "x-api-key",
    "x-auth-token",
    "x-authorization",
    "x-forwarded-access-token",
    "x-forwarded-authorization",
    "x-original-authorization",
];

/// What a gateway would say of somebody whom it let in.
const TRUSTED: [(&str, &str); 8] = [
    ("x-forwarded-for", "127.0.0.1"),
    ("x-real-ip", "127.0.0.1"),
    ("x-forwarded-user", "admin"),
    ("x-auth-request-user", "admin"),
    ("x-authenticated-userid", "admin"),
    ("x-user-id", "admin"),
    ("x-consumer-username", "admin"),
    ("x-internal", "true"),
];

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    let tenant = stage.victim.tenant.clone();
    let token = stage.token(&tenant, volley.index).sign();
    let bare = stage.shot(volley.index, Role::Victim);
    let with = |value: String| bare.clone().with("authorization", value);

    volley.refused("no credentials", bare.clone());
    volley.refused("credentials of the scheme Basic", with("Basic YWRtaW46YWRtaW4=".into()));
    volley.refused("the scheme Bearer with nothing after it", with("Bearer".into()));
    volley.refused("the scheme Bearer with a blank after it", with("Bearer ".into()));
    for word in ["null", "undefined", "x", "..", "e30.e30."] {
        volley.refused(format!("the token `{word}`"), with(format!("Bearer {word}")));
    }
    volley.refused("a right token without a scheme", with(token.clone()));
    for scheme in ["Token", "JWT", "DPoP", "Basic"] {
        let sent = format!("a right token under the scheme {scheme}");
        volley.refused(sent, with(format!("{scheme} {token}")));
    }
    volley.refused("a right token and text after it", with(format!("Bearer {token} x")));
    volley
        .refused("two right tokens in one field", with(format!("Bearer {token}, Bearer {token}")));
    volley.refused(
        "two `Authorization` fields, both right",
        bare.clone().bearer(&token).and("authorization", format!("Bearer {token}")),
    );
    volley.refused(
        "two `Authorization` fields, the second right",
        with("Basic YWRtaW46YWRtaW4=".into()).and("authorization", format!("Bearer {token}")),
    );
    volley.refused(
        "two `Authorization` fields, the first right",
        bare.clone().bearer(&token).and("authorization", "Basic YWRtaW46YWRtaW4="),
    );
    for name in ["access_token", "token", "jwt", "bearer", "authorization"] {
        let query = format!("{name}={token}");
        volley.refused(
            format!("no credentials but a right token in the query, as `{name}`"),
            bare.clone().asking(&query),
        );
    }
    for name in ["access_token", "token", "session", "jwt"] {
        volley.refused(
            format!("no credentials but a right token in the cookie `{name}`"),
            bare.clone().and("cookie", format!("{name}={token}")),
        );
    }
    for name in HEADERS {
        volley.refused(
            format!("no credentials but a right token in `{name}`"),
            bare.clone().and(name, format!("Bearer {token}")),
        );
    }
    for (name, value) in TRUSTED {
        volley.refused(
            format!("no credentials but `{name}: {value}`"),
            bare.clone().and(name, value),
        );
    }
}
