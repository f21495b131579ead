//! A server with a router behind it, two tenants with data in it, and the judgement of what comes
//! back.

mod control;
mod judge;
mod token;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use bytes::Bytes;
use http::Method;
use serde_json::json;
use tenantry::{Policy, TenantId};
use tower_service::Service as _;

pub(super) use world::{STRANGER, World};

use super::answer::Answer;
use super::attempt::Attempt;
use super::finding::Finding;
use super::probe::{Payload, Place, Probe};
use super::record::Record;
use super::shot::{Content, Shot};
use super::suite::AttackSuite;
use super::values::{Values, holes};

/// The most bytes of an answer that are looked at.
const ANSWER: usize = 4 << 20;

/// Who attacks whom.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    pub(super) attacker: TenantId,
    pub(super) victim: TenantId,
}

/// One of the two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Attacker,
    Victim,
}

/// A tenant, and what is known of its data.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) tenant: TenantId,
    pub(super) values: Values,
    /// Everything that was written for it.
    canaries: BTreeSet<String>,
    /// What the probes that read answered when they were last asked, by probe.
    shown: BTreeMap<usize, Answer>,
}

/// One scenario under way.
pub(super) struct Stage<'a> {
    pub(super) suite: &'a AttackSuite,
    pub(super) record: &'a mut Record,
    pub(super) world: World,
    pub(super) policy: Policy,
    router: Router,
    pub(super) attacker: Side,
    pub(super) victim: Side,
    /// What was written by attacks, and by which.
    written: BTreeMap<String, Attempt>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        suite: &'a AttackSuite,
        record: &'a mut Record,
        world: World,
        policy: Policy,
        router: Router,
        roles: Roles,
    ) -> Self {
        let side = |tenant: TenantId| {
            let mut values = Values::default();
            values.set("tenant", tenant.as_str());
            Side { tenant, values, canaries: BTreeSet::new(), shown: BTreeMap::new() }
        };
        Self {
            suite,
            record,
            world,
            policy,
            router,
            attacker: side(roles.attacker),
            victim: side(roles.victim),
            written: BTreeMap::new(),
        }
    }

    pub(super) const fn side(&self, role: Role) -> &Side {
        match role {
            Role::Attacker => &self.attacker,
            Role::Victim => &self.victim,
        }
    }

    const fn side_mut(&mut self, role: Role) -> &mut Side {
        match role {
            Role::Attacker => &mut self.attacker,
            Role::Victim => &mut self.victim,
        }
    }

    pub(super) fn probe(&self, index: usize) -> &'a Probe {
        #[expect(clippy::indexing_slicing, reason = "places are those of the suite's own list")]
        &self.suite.probes[index]
    }

    /// The request of a probe at a tenant's address and about its data, without credentials.
    pub(super) fn shot(&mut self, index: usize, role: Role) -> Shot {
        let values = self.side(role).values.clone();
        self.shot_of(index, &values)
    }

    /// The request of a probe at the attacker's address and about the victim's data.
    pub(super) fn crossed_shot(&mut self, index: usize) -> Shot {
        let values = self.victim.values.with("tenant", self.attacker.tenant.as_str());
        self.shot_of(index, &values)
    }

    /// The same with other values. The address is the tenant of the values.
    pub(super) fn shot_of(&mut self, index: usize, values: &Values) -> Shot {
        let probe = self.probe(index);
        let canary = self.record.canary();
        let content = match &probe.payload {
            None => Content::Nothing,
            Some(Payload::Json(body)) => {
                let mut body = body(&canary);
                values.fill_json(&mut body);
                Content::Json(body)
            }
            Some(Payload::Text(kind, body)) => {
                Content::Text(kind.clone(), values.fill(&body(&canary)))
            }
        };
        let (path, query) = match probe.path.split_once('?') {
            Some((path, query)) => (path, Some(values.fill(query))),
            None => (probe.path.as_str(), None),
        };
        let shot = Shot {
            method: probe.method.clone(),
            path: values.fill(path),
            query,
            headers: Vec::new(),
            content,
            canary,
        };
        let named = probe.headers.iter();
        let shot =
            named.fold(shot, |shot, (name, value)| shot.and(name.as_str(), values.fill(value)));
        self.addressed_to(shot, values.get("tenant").unwrap_or_default())
    }

    /// Sets the host, and the tenant header where it is needed or nothing else names the tenant.
    pub(super) fn addressed_to(&self, shot: Shot, tenant: &str) -> Shot {
        let policy = &self.policy;
        let host = match policy.host() {
            Some(host) => host.as_str().replace("{tenant}", tenant),
            None => "api.erp.example".into(),
        };
        let shot = shot.with("host", host);
        let alone = policy.path().is_none() && policy.host().is_none();
        match policy.header() {
            Some(name) if policy.header_required() || alone => shot.with(name.as_str(), tenant),
            _ => shot,
        }
    }

    /// Whether a request of this probe names a tenant beside the token.
    pub(super) fn names_tenant(&self, index: usize) -> bool {
        self.probe(index).path.contains("{tenant}")
            || self.policy.header().is_some()
            || self.policy.host().is_some()
    }

    /// Sends a request as it is; `None` if HTTP has no such request.
    pub(super) async fn send(&mut self, shot: &Shot) -> Option<Answer> {
        let request = shot.build()?;
        self.record.requests += 1;
        let mut router = self.router.clone();
        // A task of its own: a handler that panics must not take the suite along.
        let answer = tokio::spawn(async move {
            let answered: Result<_, std::convert::Infallible> = router.call(request).await;
            let Ok(response) = answered;
            let (parts, body) = response.into_parts();
            let body: Result<Bytes, _> = axum::body::to_bytes(body, ANSWER).await;
            match body {
                Ok(body) => Answer::new(parts.status, parts.headers, body),
                Err(_) => Answer::panicked(),
            }
        });
        let answer = answer.await.unwrap_or_else(|_| Answer::panicked());
        Some(answer.marked(&self.record.stem()))
    }

    /// Tries an attack and judges what comes of it. Returns whether it is a finding.
    pub(super) async fn attack(&mut self, mut attempt: Attempt) -> bool {
        attempt.shot = attempt.shot.renewed(self.record.canary());
        let Some(answer) = self.send(&attempt.shot).await else {
            return false;
        };
        let judgement = self.judge(&attempt, &answer);
        let mut found = judgement.is_some();
        if let Some((outcome, got)) = judgement {
            self.found(&attempt, outcome, got);
        }
        if answer.may_have_changed(&attempt.shot.method) {
            // What was written tells later by which attempt; what is gone does not.
            let later = attempt.shot.method == Method::POST;
            self.written.insert(attempt.shot.canary.clone(), attempt.clone());
            if !later {
                found |= self.look_after_victim(Some(&attempt)).await;
            }
        }
        found
    }

    pub(super) fn add(&mut self, probe: usize, finding: Finding) {
        let roles = [self.attacker.tenant.as_str(), self.victim.tenant.as_str()];
        self.record.add(probe, finding, roles);
    }

    /// A body for a method that the probe does not have.
    pub(super) fn body_for(&mut self, index: usize, method: &Method, shot: Shot) -> Shot {
        if method.is_safe() || !matches!(shot.content, Content::Nothing) {
            return shot.by(method);
        }
        let path = &self.probe(index).path;
        let sibling = |probe: &&Probe| probe.path == *path && probe.payload.is_some();
        let mut shot = shot.by(method);
        let canary = shot.canary.clone();
        shot.content = match self.suite.probes.iter().find(sibling).map(|probe| &probe.payload) {
            Some(Some(Payload::Json(body))) => Content::Json(body(&canary)),
            Some(Some(Payload::Text(kind, body))) => Content::Text(kind.clone(), body(&canary)),
            _ => Content::Json(json!({ "text": canary })),
        };
        shot
    }
}

/// Takes what a probe gives out of its answer.
fn given(answer: &Answer, place: &Place) -> Option<String> {
    match place {
        Place::Body(pointer) => match answer.json()?.pointer(pointer)? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        },
        Place::Location => {
            let location = answer.headers.get(http::header::LOCATION)?.to_str().ok()?;
            let path = location.split(['?', '#']).next()?;
            path.trim_end_matches('/').rsplit('/').next().map(Into::into)
        }
    }
}

/// The first hole that nothing fills.
fn unfilled<'p>(probe: &'p Probe, values: &Values) -> Option<&'p str> {
    let texts = std::iter::once(probe.path.as_str())
        .chain(probe.headers.iter().map(|(_, value)| value.as_str()));
    texts.flat_map(holes).find(|name| values.get(name).is_none())
}
