//! Hosts of other tenants.

use super::volley::Volley;
use crate::attack::stage::Stage;

const FORWARDED: [&str; 6] = [
    "x-forwarded-host",
    "x-forwarded-server",
    "x-host",
    "x-http-host-override",
    "x-original-host",
    "origin",
];

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    let attacker = stage.attacker.tenant.clone();
    let victim = stage.victim.tenant.clone();
    let token = stage.token(&attacker, volley.index).sign();
    let own = stage.crossed_shot(volley.index).bearer(&token);
    let judged = stage.policy.host().cloned();
    let host_of = |tenant: &tenantry::TenantId| match &judged {
        Some(host) => host.render(tenant),
        None => format!("{tenant}.api.erp.example"),
    };
    let (ours, theirs) = (host_of(&attacker), host_of(&victim));
    let of = format!("the token of `{attacker}`");
    if judged.is_some() {
        for (what, host) in [
            ("the host of", theirs.clone()),
            ("the host in upper case of", theirs.to_ascii_uppercase()),
            ("the host with a dot after it of", format!("{theirs}.")),
            ("the host with a port of", format!("{theirs}:443")),
            ("its own host as the user and the host of", format!("{ours}@{theirs}")),
        ] {
            volley.refused(format!("{of}, and {what} `{victim}`"), own.clone().with("host", host));
        }
        for (what, first, second) in [("its own", &ours, &theirs), ("the other", &theirs, &ours)] {
            volley.refused(
                format!("{of}, and two hosts, {what} first"),
                own.clone().with("host", first).and("host", second),
            );
        }
        let target = format!("http://{theirs}{}", own.path);
        volley.refused(
            format!("{of}, its own host, and the host of `{victim}` in the request target"),
            own.clone().at(target),
        );
    } else {
        for host in [theirs.clone(), victim.to_string(), format!("{victim}.localhost")] {
            volley.harmless(format!("{of}, and the host `{host}`"), own.clone().with("host", host));
        }
    }
    for name in FORWARDED {
        volley.harmless(
            format!("{of}, and the host of `{victim}` in `{name}`"),
            own.clone().and(name, theirs.clone()),
        );
    }
    volley.harmless(
        format!("{of}, and the host of `{victim}` in `forwarded`"),
        own.and("forwarded", format!("host={theirs};proto=https")),
    );
}
