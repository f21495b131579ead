//! Spellings of a path that two readers read in two ways.

use super::text::{escape_all, escape_first};
use super::volley::Volley;
use crate::attack::attempt::Expect;
use crate::attack::stage::{Role, Stage};

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    without_credentials(stage, volley);
    if stage.probe(volley.index).path.contains("{tenant}") {
        in_the_segment(stage, volley);
        one_place_at_a_time(stage, volley);
    } else {
        around(stage, volley);
    }
}

/// The path spelled otherwise, for routers and middleware that tell paths apart by their text.
fn without_credentials(stage: &mut Stage<'_>, volley: &mut Volley) {
    let bare = stage.shot(volley.index, Role::Victim);
    let path = bare.path.clone();
    for other in [
        format!("{path}/"),
        format!("/{path}"),
        format!("/.{path}"),
        format!("/health/..{path}"),
        format!("/public/..;{path}"),
        format!("/%2e{path}"),
        format!("{path};x"),
        format!("{path}.json"),
        format!("{path}%20"),
        format!("{path}%2f"),
        format!("{path}/."),
        path.to_ascii_uppercase(),
    ] {
        if other != path {
            volley
                .refused("no credentials, and the path spelled otherwise", bare.clone().at(other));
        }
    }
    // Each spelling is an attack of its own.
    for attempt in &mut volley.attempts {
        attempt.sent = format!("{}: {}", attempt.sent, attempt.shot.path.replace(&path, "PATH"));
    }
}

/// Something else in the place of the tenant, with the attacker's token.
fn in_the_segment(stage: &mut Stage<'_>, volley: &mut Volley) {
    let (a, v) = (stage.attacker.tenant.to_string(), stage.victim.tenant.to_string());
    let judged = stage.policy.path().is_some();
    let (first, all) = (escape_first(&v), escape_all(&v));
    // Refused by whoever judges paths at all, and by those who judge the tenant in it.
    let table = [
        (true, "`//` in front of the tenant", format!("/{v}")),
        (true, "`//` after the tenant", format!("{v}/")),
        (true, "a dot segment in front of the tenant", format!("./{v}")),
        (true, "the own tenant, `..`, the other", format!("{a}/../{v}")),
        (true, "the other tenant, `..`, the own", format!("{v}/../{a}")),
        (true, "the own tenant, an escaped `..`, the other", format!("{a}/%2e%2e/{v}")),
        (true, "the own tenant, `..` with an escaped `/`, the other", format!("{a}/..%2f{v}")),
        (true, "the own tenant and all of the other, escaped", format!("{a}%2f..%2f{v}")),
        (true, "an escape that is escaped", format!("{a}/%252e%252e/{v}")),
        (true, "the other tenant after an escaped `/`", format!("%2f{v}")),
        (true, "the other tenant and an escaped `/`", format!("{v}%2f")),
        (true, "the other tenant and `;`", format!("{v};{a}")),
        (true, "the own tenant, `;` and the other", format!("{a};{v}")),
        (true, "the own tenant, `..;` and the other", format!("{a}/..;/{v}")),
        (true, "the other tenant and an escaped NUL", format!("{v}%00")),
        (true, "the own tenant after `//`", format!("/{a}")),
        (true, "the own tenant and `//`", format!("{a}/")),
        (true, "the own tenant after a dot segment", format!("./{a}")),
        (true, "a backslash", format!("{a}\\..\\{v}")),
        (judged, "the other tenant, its first letter escaped", first),
        (judged, "the other tenant, all escaped", all),
        (judged, "the other tenant in upper case", v.to_ascii_uppercase()),
        (judged, "the other tenant and a dot", format!("{v}.")),
        (judged, "the other tenant and an escaped blank", format!("{v}%20")),
        (judged, "the other tenant, a comma, the own", format!("{v},{a}")),
        (judged, "the own tenant, a comma, the other", format!("{a},{v}")),
        (judged, "the other tenant, then the own", format!("{v}/{a}")),
        (false, "the own tenant, then the other", format!("{a}/{v}")),
        (judged, "the other tenant and `:`", format!("{v}:{a}")),
        (judged, "`*`", "*".to_owned()),
        (judged, "`%`, a wildcard of SQL, escaped", "%25".to_owned()),
        (judged, "`me`", "me".to_owned()),
    ];
    let attacker = stage.attacker.tenant.clone();
    for (strict, what, written) in table {
        // The victim's objects, wherever the path leads.
        let values = stage.victim.values.with("tenant", written);
        let path = stage.shot_of(volley.index, &values).path;
        let shot = stage.shot(volley.index, Role::Attacker).at(path);
        let token = stage.token(&attacker, volley.index).sign();
        volley.add(
            Expect::refused_if(strict),
            format!("the token of `{a}`, and in the place of the tenant: {what}"),
            shot.bearer(&token),
        );
    }
}

/// Where the tenant is in a path twice, each place by itself.
fn one_place_at_a_time(stage: &mut Stage<'_>, volley: &mut Volley) {
    let template = stage.probe(volley.index).path.clone();
    let places: Vec<_> = template.match_indices("{tenant}").map(|(at, _)| at).collect();
    if places.len() < 2 {
        return;
    }
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    for (number, at) in places.into_iter().enumerate() {
        let Some((before, rest)) = template.split_at_checked(at) else { continue };
        let after = rest.strip_prefix("{tenant}").unwrap_or(rest);
        let path = stage.attacker.values.fill(&format!("{before}{victim}{after}"));
        let token = stage.token(&attacker, volley.index).sign();
        let shot = stage.shot(volley.index, Role::Attacker).at(path).bearer(&token);
        let sent = format!(
            "the token of `{attacker}`, and `{victim}` in place {} of the path",
            number + 1
        );
        volley.refused(sent, shot);
    }
}

/// A path without a tenant, with one added.
fn around(stage: &mut Stage<'_>, volley: &mut Volley) {
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let token = stage.token(&attacker, volley.index).sign();
    let shot = stage.shot(volley.index, Role::Attacker).bearer(&token);
    let path = shot.path.clone();
    for (what, path) in
        [("in front of", format!("/{victim}{path}")), ("after", format!("{path}/{victim}"))]
    {
        let sent = format!("the token of `{attacker}`, and `{victim}` {what} the path");
        volley.harmless(sent, shot.clone().at(path));
    }
    for (what, path) in [("`//`", format!("/{path}")), ("a dot segment", format!("/.{path}"))] {
        let sent = format!("the token of `{attacker}`, and {what} in front of the path");
        volley.refused(sent, shot.clone().at(path));
    }
}
