//! Other methods of the same path, and paths without a route.

use http::Method;

use super::volley::Volley;
use crate::attack::attempt::Expect;
use crate::attack::stage::{Role, Stage};

pub(super) fn aim(stage: &mut Stage<'_>, volley: &mut Volley) {
    let index = volley.index;
    let (attacker, victim) = (stage.attacker.tenant.clone(), stage.victim.tenant.clone());
    let names_tenant = stage.names_tenant(index);
    let header = stage.policy.header().cloned();
    let template = stage.probe(index).path.clone();
    let known: Vec<Method> = stage
        .suite
        .probes
        .iter()
        .filter(|probe| probe.path == template)
        .map(|probe| probe.method.clone())
        .collect();
    // The first probe of a path speaks for it.
    let is_first = known.first() == Some(&stage.probe(index).method);
    let token = stage.token(&attacker, index).sign();
    let everywhere = |stage: &mut Stage<'_>| {
        let shot = stage.shot(index, Role::Victim);
        match &header {
            Some(name) => shot.with(name.as_str(), victim.as_str()),
            None => shot,
        }
    };
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::OPTIONS,
        Method::TRACE,
        // Last: it may take away what the others look for.
        Method::DELETE,
    ];
    for method in methods.iter().filter(|method| is_first && !known.contains(method)) {
        // A preflight has no credentials, and its answer no data.
        let data = *method != Method::OPTIONS && *method != Method::TRACE;
        let shot = everywhere(stage);
        let shot = stage.body_for(index, method, shot);
        let what = format!("no credentials, by {method}");
        volley.add(Expect::refused_if(data), what, shot.clone());
        let what = format!("the token of `{attacker}` at the address of `{victim}`, by {method}");
        volley.add(Expect::refused_if(data && names_tenant), what, shot.bearer(&token));
    }
    let shot = stage.shot(index, Role::Victim);
    for (what, path) in [
        ("below", format!("{}/attack-suite", shot.path.trim_end_matches('/'))),
        ("beside", beside(&shot.path)),
    ] {
        let shot = shot.clone().at(path);
        let what = format!("a path without a route, {what} this one of `{victim}`");
        volley.harmless(format!("{what}, without credentials"), shot.clone());
        volley.harmless(format!("{what}, with the token of `{attacker}`"), shot.bearer(&token));
    }
}

fn beside(path: &str) -> String {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    format!("{parent}/attack-suite")
}
