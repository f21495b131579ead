//! Requests that have to succeed: they plant the data, and prove that a refusal means something.

use std::collections::BTreeSet;

use super::{Role, Stage, given, unfilled};
use crate::attack::answer::Answer;
use crate::attack::finding::{Finding, Outcome};
use crate::attack::kind::AttackKind;
use crate::attack::shot::Content;

impl Stage<'_> {
    /// Sends a probe as it should be, with `claims` in its token. What it writes is the tenant's own.
    pub(in crate::attack) async fn right(
        &mut self,
        index: usize,
        role: Role,
        claims: &[(&str, &str)],
    ) -> Answer {
        let token = self.token(&self.side(role).tenant, index);
        let token = claims.iter().fold(token, |token, (name, value)| token.claim(*name, *value));
        self.right_with(index, role, &token.sign()).await
    }

    /// The same with a token that is signed already.
    pub(in crate::attack) async fn right_with(
        &mut self,
        index: usize,
        role: Role,
        token: &str,
    ) -> Answer {
        let shot = self.shot(index, role).bearer(token);
        if !matches!(shot.content, Content::Nothing) {
            let canary = shot.canary.clone();
            self.side_mut(role).canaries.insert(canary);
        }
        let answer = self.send(&shot).await.unwrap_or_else(Answer::panicked);
        for (name, place) in &self.probe(index).gives {
            if let Some(value) = given(&answer, place) {
                self.side_mut(role).values.set(name, value);
            }
        }
        answer
    }

    /// Runs every probe for a tenant but those that delete, and looks at what the tenant then sees.
    ///
    /// A probe that does not succeed is reported, and not used any more.
    pub(in crate::attack) async fn plant(&mut self, role: Role) {
        for index in 0..self.suite.probes.len() {
            if !self.probe(index).consumes() {
                self.control(index, role).await;
            }
        }
        self.see(role).await;
    }

    /// Looks at what a tenant sees of its own data.
    pub(in crate::attack) async fn see(&mut self, role: Role) {
        for index in 0..self.suite.probes.len() {
            if !self.probe(index).reads() || self.record.is_useless(index) {
                continue;
            }
            let answer = self.right(index, role, &[]).await;
            self.refuse_foreign(index, role, &answer, None);
            self.side_mut(role).shown.insert(index, answer);
        }
    }

    /// Sends a probe with a token that is right, for what comes after. One that deletes is not sent.
    pub(in crate::attack) async fn warm(&mut self, index: usize, role: Role, token: &str) {
        let probe = self.probe(index);
        if probe.consumes() {
            return;
        }
        self.right_with(index, role, token).await;
        if !probe.reads() {
            self.see(role).await;
        }
    }

    /// Sends one probe that has to succeed.
    pub(in crate::attack) async fn control(&mut self, index: usize, role: Role) {
        if self.record.is_useless(index) {
            return;
        }
        let probe = self.probe(index);
        let why = if let Some(hole) = unfilled(probe, &self.side(role).values) {
            format!("no earlier probe gave `{hole}`")
        } else {
            let answer = self.right(index, role, &[]).await;
            if answer.is_success() {
                return;
            }
            format!("{answer}: with a right token, too")
        };
        self.unproven(index, "a right request", "2xx", why);
        self.record.give_up(index);
    }

    /// Reports a probe that proves nothing.
    pub(in crate::attack) fn unproven(
        &mut self,
        index: usize,
        sent: &str,
        expected: &str,
        got: impl Into<String>,
    ) {
        let label = self.suite.probes.get(index).map_or("(none)".into(), |probe| probe.label());
        let finding = Finding {
            kind: AttackKind::Control,
            outcome: Outcome::Unproven,
            probe: label.clone(),
            request: label,
            sent: sent.into(),
            expected: expected.into(),
            got: format!("this probe proves nothing, because of {}", got.into()),
            hint: AttackKind::Control.hint().into(),
        };
        self.add(index, finding);
    }

    /// Whether any probe that reads shows something that this tenant wrote with this one.
    pub(in crate::attack) async fn is_shown(&mut self, index: usize, role: Role) -> bool {
        let before = self.side(role).canaries.clone();
        self.right(index, role, &[]).await;
        let fresh: BTreeSet<_> = self.side(role).canaries.difference(&before).cloned().collect();
        for reader in 0..self.suite.probes.len() {
            if self.probe(reader).reads()
                && !self.record.is_useless(reader)
                && self.right(reader, role, &[]).await.place_of_any(&fresh).is_some()
            {
                return true;
            }
        }
        false
    }

    /// Returns what a probe that reads was answered once all probes were sent, if it failed then.
    pub(in crate::attack) fn fails_later(&self, index: usize) -> Option<&Answer> {
        let both = [&self.victim, &self.attacker];
        both.into_iter()
            .filter_map(|side| side.shown.get(&index))
            .find(|answer| !answer.is_success())
    }

    /// Whether a probe that reads tells the two tenants apart.
    pub(in crate::attack) fn tells_apart(&self, index: usize) -> bool {
        let (one, other) = (self.attacker.shown.get(&index), self.victim.shown.get(&index));
        match (one, other) {
            (Some(one), Some(other)) => {
                !one.marks.is_empty() && !other.marks.is_empty() || one.body != other.body
            }
            _ => true,
        }
    }

    /// Reads as the attacker, after attacks of a kind: what was taken may come out later.
    /// Returns whether it did.
    pub(in crate::attack) async fn look_at_attacker(&mut self, kind: AttackKind) -> bool {
        let mut found = false;
        for index in 0..self.suite.probes.len() {
            if self.probe(index).reads() && !self.record.is_useless(index) {
                let answer = self.right(index, Role::Attacker, &[]).await;
                found |= self.refuse_foreign(index, Role::Attacker, &answer, Some(kind));
            }
        }
        found
    }

    /// Reports a right request of one tenant that shows another's data, once for each probe.
    fn refuse_foreign(
        &mut self,
        index: usize,
        role: Role,
        answer: &Answer,
        after: Option<AttackKind>,
    ) -> bool {
        let other = match role {
            Role::Attacker => &self.victim,
            Role::Victim => &self.attacker,
        };
        let Some(place) = answer.place_of_any(&other.canaries) else { return false };
        let got = format!("{answer}, with data of `{}` {place}", other.tenant);
        if !self.record.set_leaky(index) {
            return false;
        }
        let (kind, tenant) = (after.unwrap_or(AttackKind::CrossTenant), &self.side(role).tenant);
        let sent = match after {
            Some(_) => format!("a right request of `{tenant}`, after attacks of this kind"),
            None => format!("a right request of `{tenant}`"),
        };
        let label = self.probe(index).label();
        let finding = Finding {
            kind,
            outcome: Outcome::Leaked,
            probe: label.clone(),
            request: label,
            sent,
            expected: "its own data".into(),
            got,
            hint: kind.hint().into(),
        };
        self.add(index, finding);
        true
    }
}
