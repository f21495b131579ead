//! Headers that name another tenant or another address.

use super::names;
use super::volley::Volley;
use crate::attack::attempt::Expect;
use crate::attack::stage::{Role, Stage};

/// Headers in which a proxy says where a request was for.
const ADDRESS: [&str; 11] = [
    "x-forwarded-path",
    "x-forwarded-prefix",
    "x-forwarded-request-uri",
    "x-forwarded-uri",
    "x-original-path",
    "x-original-uri",
    "x-original-url",
    "x-request-uri",
    "x-rewrite-url",
    "x-script-name",
    "x-envoy-original-path",
];

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    judged(stage, volley);
    let index = volley.index;
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let token = stage.token(&attacker, index).sign();
    let own = stage.crossed_shot(index).bearer(&token);
    let bare = stage.shot(index, Role::Victim);
    let policy = stage.policy.header().cloned();
    let others = names::HEADER
        .iter()
        .filter(|name| policy.as_ref().is_none_or(|policy| policy.as_str() != **name));
    for name in others {
        let sent = format!("the token of `{attacker}`, and `{name}: {victim}`");
        volley.harmless(sent, own.clone().and(name, victim.as_str()));
    }
    for name in ADDRESS {
        let sent = format!("the token of `{attacker}`, and the path of `{victim}` in `{name}`");
        volley.harmless(sent, own.clone().and(name, bare.path.clone()));
    }
    for name in ["tenant", "tenant_id", "org"] {
        let sent = format!("the token of `{attacker}`, and `{victim}` in the cookie `{name}`");
        volley.harmless(sent, own.clone().and("cookie", format!("{name}={victim}")));
    }
    let user = format!(r#"{{"tenant":"{victim}","tenant_id":"{victim}","companyId":"{victim}"}}"#);
    for name in ["x-userinfo", "x-user", "x-jwt-payload", "x-apigateway-api-userinfo"] {
        let sent = format!("the token of `{attacker}`, and a user of `{victim}` in `{name}`");
        volley.harmless(sent, own.clone().and(name, user.clone()));
    }
    for method in ["GET", "PUT", "DELETE"] {
        for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
            let sent = format!(
                "the token of `{attacker}` at the address of `{victim}`, and `{name}: {method}`"
            );
            let expect = Expect::refused_if(stage.names_tenant(index));
            let mut shot = bare.clone().and(name, method).bearer(&token);
            if let Some(judged) = &policy {
                shot = shot.with(judged.as_str(), victim.as_str());
            }
            volley.add(expect, sent, shot);
        }
    }
    for name in ["x-tenant-id", "x-tenant", "x-org-id"] {
        let sent = format!("no credentials, and `{name}: {victim}`");
        volley.refused(sent, bare.clone().with(name, victim.as_str()));
    }
}

/// The header that the policy names.
fn judged(stage: &mut Stage<'_>, volley: &mut Volley) {
    let Some(name) = stage.policy.header().cloned() else { return };
    let (attacker, victim) = (stage.attacker.tenant.to_string(), stage.victim.tenant.to_string());
    let tenant = stage.attacker.tenant.clone();
    let token = stage.token(&tenant, volley.index).sign();
    let own = stage.shot(volley.index, Role::Attacker).bearer(&token);
    let none = own.clone().without(name.as_str());
    let with = |value: &str| none.clone().and(name.as_str(), value);
    for (what, shot) in [
        (format!("`{victim}`"), with(&victim)),
        (format!("`{victim}` in upper case"), with(&victim.to_ascii_uppercase())),
        ("nothing".into(), with("")),
        (format!("`{attacker}, {victim}`"), with(&format!("{attacker}, {victim}"))),
        (format!("`{victim},{attacker}`"), with(&format!("{victim},{attacker}"))),
        (
            format!("`{attacker}`, then `{victim}`"),
            with(&attacker).and(name.as_str(), victim.clone()),
        ),
        (
            format!("`{victim}`, then `{attacker}`"),
            with(&victim).and(name.as_str(), attacker.clone()),
        ),
        ("`*`".into(), with("*")),
        ("a path".into(), with(&format!("../{victim}"))),
    ] {
        volley.refused(format!("the token of `{attacker}`, and in `{name}`: {what}"), shot);
    }
    // A proxy on the way would take the header off.
    let dropped = with(&attacker).and("connection", name.as_str());
    volley
        .refused(format!("the token of `{attacker}`, and `{name}` named in `Connection`"), dropped);
    if stage.policy.header_required() {
        volley.refused(format!("the token of `{attacker}`, and no `{name}`"), none);
    }
}
