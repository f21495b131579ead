//! What came back, judged.

use tenantry::TenantId;

use super::token::client_of;
use super::{Role, Side, Stage};
use crate::attack::answer::Answer;
use crate::attack::attempt::{Attempt, Expect};
use crate::attack::finding::{Finding, Outcome};

impl Stage<'_> {
    /// Whether the victim's data comes out, or goes away, at the attacker's own address with nothing
    /// else changed.
    pub(in crate::attack) async fn leaks_across(&mut self, index: usize) -> bool {
        if self.record.is_leaky(index) || self.record.is_crossed(index) {
            return true;
        }
        let token = self.token(&self.attacker.tenant, index).sign();
        let shot = self.crossed_shot(index).bearer(&token);
        let answer = self.send(&shot).await.unwrap_or_else(Answer::panicked);
        answer.place_of_any(&self.victim.canaries).is_some()
            || answer.may_have_changed(&shot.method) && self.look_after_victim(None).await
    }

    pub(super) fn judge(&self, attempt: &Attempt, answer: &Answer) -> Option<(Outcome, String)> {
        let Side { tenant, canaries, shown, .. } = &self.victim;
        if let Some(place) = answer.place_of_any(canaries) {
            return Some((Outcome::Leaked, format!("{answer}, with data of `{tenant}` {place}")));
        }
        if answer.status.is_none_or(|status| status.is_server_error()) && !answer.is_refusal() {
            return Some((Outcome::Failed, answer.to_string()));
        }
        if attempt.expect == Expect::Refused && !answer.is_refusal() {
            return Some((Outcome::Admitted, answer.to_string()));
        }
        // What shows no canary may still show whose it is.
        let own = neutral(answer, [tenant, &self.attacker.tenant]);
        let same = |shown: Option<&Answer>| {
            shown.is_some_and(|shown| neutral(shown, [tenant, &self.attacker.tenant]) == own)
        };
        let probe = &attempt.probe;
        let theirs = same(shown.get(probe)) && !same(self.attacker.shown.get(probe));
        (answer.is_success() && !answer.body.is_empty() && theirs)
            .then(|| (Outcome::Leaked, format!("{answer}, the answer that `{tenant}` gets")))
    }

    /// Reads the victim's data as the victim, and looks for what does not belong there or is gone.
    /// Returns whether something is gone.
    pub(in crate::attack) async fn look_after_victim(&mut self, last: Option<&Attempt>) -> bool {
        let tenant = self.victim.tenant.clone();
        let mut gone = None;
        for index in 0..self.suite.probes.len() {
            let Some(before) = self.victim.shown.get(&index) else { continue };
            let before: Vec<_> = before.marks.keys().cloned().collect();
            if before.is_empty() {
                continue;
            }
            let answer = self.right(index, Role::Victim, &[]).await;
            // A probe that shows everybody's data to all says nothing about one attack.
            let foreign = answer.marks.keys().filter(|_| !self.record.is_leaky(index));
            for canary in foreign.cloned().collect::<Vec<_>>() {
                if let Some(attempt) = self.written.remove(&canary) {
                    let got = format!("what it wrote is in the data of `{tenant}`");
                    self.found(&attempt, Outcome::Changed, got);
                }
            }
            let own = before.iter().filter(|canary| self.victim.canaries.contains(*canary));
            if own.into_iter().any(|canary| !answer.marks.contains_key(canary)) {
                gone = Some(self.probe(index).label());
            }
        }
        let Some(label) = gone else { return false };
        if let Some(attempt) = last {
            let got = format!("data of `{tenant}` is gone: {label} does not show it any more");
            self.found(&attempt.clone(), Outcome::Changed, got);
        }
        self.plant(Role::Victim).await;
        true
    }

    pub(super) fn found(&mut self, attempt: &Attempt, outcome: Outcome, got: String) {
        let finding = Finding {
            kind: attempt.kind,
            outcome,
            probe: self.probe(attempt.probe).label(),
            request: attempt.shot.label(),
            sent: attempt.sent.clone(),
            expected: attempt.expect.in_words().into(),
            got,
            hint: attempt.kind.hint().into(),
        };
        self.add(attempt.probe, finding);
    }
}

/// The body of an answer without the names of the callers: which of them asked makes no difference.
fn neutral(answer: &Answer, tenants: [&TenantId; 2]) -> String {
    let mut names = tenants.map(client_of);
    // One may begin with the other.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    names.iter().fold(text, |text, name| text.replace(name, "attack-suite"))
}
