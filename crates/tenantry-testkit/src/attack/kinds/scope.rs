//! Scopes that are absent, another tenant's, or look alike.

use serde_json::json;

use super::volley::Volley;
use crate::TokenBuilder;
use crate::attack::attempt::Expect;
use crate::attack::stage::{Role, Stage};

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let probe = stage.probe(index);
    if probe.scope_free {
        return;
    }
    let needed = &probe.scopes;
    let (own, other) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let bare = stage.shot(index, Role::Attacker);
    let token = |scope: &str| stage.token_with(&own, scope);
    let mut sent = |expect: Expect, what: String, token: TokenBuilder| {
        volley.add(expect, what, bare.clone().bearer(&token.sign()));
    };

    sent(Expect::Refused, "a right token without scopes".into(), token(""));
    if needed.is_empty() {
        return;
    }
    let iss = stage.world.issuer.issuer_of(own.as_str());
    let claim = stage.policy.issuer_for(&iss).map_or("scope", |issuer| issuer.policy.scope_claim());
    sent(Expect::Refused, "a right token with an empty scope".into(), token("").claim(claim, ""));

    // One scope in turn is left out, or something else is in its place.
    let written: Vec<String> = needed.iter().map(|scope| stage.scope(&own, &[scope])).collect();
    let qualified = stage.policy.scope_pattern().has_tenant();
    for (place, scope) in needed.iter().enumerate() {
        let instead = |other: &str| {
            let members = written.iter().enumerate();
            let members = members.map(|(at, own)| if at == place { other } else { own.as_str() });
            members.collect::<Vec<_>>().join(" ").trim().to_owned()
        };
        if needed.len() > 1 {
            sent(
                Expect::Refused,
                format!("a right token without the scope `{scope}`"),
                token(&instead("")),
            );
        }
        let short = scope.get(..scope.len().saturating_sub(1)).unwrap_or_default();
        let first = scope.split(['.', ':', '/']).next().unwrap_or_default();
        let mut looks = vec![
            format!("{scope}x"),
            format!("{scope}.x"),
            format!("{scope}:x"),
            format!("x{scope}"),
            format!("x.{scope}"),
            format!("{scope},x"),
            scope.to_ascii_uppercase(),
            "*".into(),
            format!("{first}.*"),
            "admin".into(),
        ];
        looks
            .extend([short, first].iter().filter(|look| !look.is_empty()).map(ToString::to_string));
        for look in looks.iter().filter(|look| !needed.contains(look)) {
            let text = instead(&stage.scope(&own, &[look]));
            sent(
                Expect::Refused,
                format!("a right token with the scope `{look}` instead of `{scope}`"),
                token(&text),
            );
        }
        if qualified {
            let foreign = instead(&stage.scope(&other, &[scope]));
            sent(
                Expect::Refused,
                format!("a right token of `{own}` with the scope `{scope}` of `{other}`"),
                token(&foreign),
            );
        }
    }
    if written.len() > 1 {
        for (name, between) in [("commas", ","), ("line breaks", "\n"), ("`+`", "+")] {
            let what = format!("a right token with its scopes joined by {name}");
            sent(Expect::Refused, what, token("").claim(claim, written.join(between)));
        }
    }
    for name in ["scope", "scp", "scopes", "roles", "permissions", "groups", "authorities"] {
        if name != claim {
            let what = format!("a right token with its scopes in the claim `{name}`");
            sent(Expect::Refused, what, token("").claim(name, json!(written)));
            let what = format!("a right token with its scopes in the claim `{name}`, as text");
            sent(Expect::Refused, what, token("").claim(name, written.join(" ")));
        }
    }
}
