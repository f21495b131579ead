//! What is revoked is refused from the next decision on, and nothing else is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tenantry_core::{
    ClientId, Clock, Issuer, Policy, Reason, RevocationErrorKind, Revocations, Source, Standing,
    Subject, TenantAwareRequest, TenantId, TokenFacts, Unobserved, Verdict, VerifiedToken, Whose,
    agree,
};

use crate::{ISSUER, assert_refused, decided, erp, erp_everywhere, sent, token_of, watched};

const SECOND: Duration = Duration::from_secs(1);
const NOW: u64 = 1_799_999_700;

/// Wall clock and monotonic time, in seconds.
#[derive(Clone)]
struct Times(Arc<Mutex<(u64, u64)>>);

impl Times {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((NOW, 3600))))
    }

    fn pass(&self, seconds: u64) {
        let mut times = self.0.lock().unwrap();
        *times = (times.0 + seconds, times.1 + seconds);
    }

    fn set_unix(&self, unix: u64) {
        self.0.lock().unwrap().0 = unix;
    }
}

impl Clock for Times {
    fn unix(&self) -> Duration {
        Duration::from_secs(self.0.lock().unwrap().0)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.lock().unwrap().1)
    }
}

/// A list, its clock and a policy that knows it. The clock skew is 30 s.
struct Stage {
    times: Times,
    revocations: Revocations,
    policy: Policy,
}

impl Stage {
    fn new() -> Self {
        Self::with_capacity(100)
    }

    fn with_capacity(capacity: usize) -> Self {
        let times = Times::new();
        let revocations = Revocations::with_capacity(Arc::new(times.clone()), capacity);
        let policy = erp().revocations(revocations.clone()).build().unwrap();
        Self { times, revocations, policy }
    }

    /// Decides about a token that was verified before.
    fn judge(&self, token: &VerifiedToken) -> Result<TenantAwareRequest, Reason> {
        let request = sent("/");
        let facts = request.read(&self.policy).unwrap();
        agree(&self.policy, &facts, token.clone(), &mut Unobserved)
            .and_then(|agreed| agreed.admit(Standing::Active, &mut Unobserved))
            .map_err(|rejection| rejection.reason())
    }

    fn verified(&self, facts: TokenFacts) -> VerifiedToken {
        VerifiedToken::assert_verified(&self.policy, facts)
    }

    fn refuses(&self, facts: TokenFacts) -> bool {
        match self.judge(&self.verified(facts)) {
            Ok(_) => false,
            Err(Reason::TokenRevoked) => true,
            Err(other) => panic!("{other}"),
        }
    }
}

fn issuer() -> Issuer {
    Issuer::new(ISSUER)
}

fn tenant(id: &str) -> TenantId {
    id.parse().unwrap()
}

fn of(tenant: &str, subject: &str, client: &str) -> TokenFacts {
    TokenFacts {
        subject: Some(Subject::new(subject)),
        client_id: Some(ClientId::new(client)),
        ..token_of(tenant)
    }
}

fn issued(at: u64) -> TokenFacts {
    TokenFacts { issued_at: Some(SECOND * u32::try_from(at).unwrap()), ..token_of("tenant1") }
}

#[test]
fn a_token_that_was_admitted_before_is_refused_from_the_next_decision_on() {
    let stage = Stage::new();
    let (one, other) = (
        stage.verified(token_of("tenant1")),
        stage.verified(TokenFacts { jwt_id: Some("j2".into()), ..token_of("tenant1") }),
    );
    let request = stage.judge(&one).unwrap();
    assert!(stage.judge(&other).is_ok());

    stage.revocations.revoke_request(&request).unwrap();

    for _ in 0..2 {
        assert_eq!(stage.judge(&one).err(), Some(Reason::TokenRevoked));
        assert!(stage.judge(&other).is_ok());
    }
}

#[test]
fn a_jti_is_its_issuers() {
    let stage = Stage::new();
    let exp = token_of("tenant1").expires_at;
    stage.revocations.revoke_token(&Issuer::new("https://other.example"), "j1", exp).unwrap();
    stage.revocations.revoke_token(&issuer(), "j", exp).unwrap();
    stage.revocations.revoke_token(&issuer(), "j11", exp).unwrap();
    assert!(!stage.refuses(token_of("tenant1")));
    stage.revocations.revoke_token(&issuer(), "j1", exp).unwrap();
    assert!(stage.refuses(token_of("tenant1")));
}

#[test]
fn a_subject_or_a_client_is_one_of_its_issuer_and_tenant() {
    let stage = Stage::new();
    let (list, hour) = (&stage.revocations, SECOND * 3600);
    let (subject, client_id) = (Subject::new("anna"), ClientId::new("sync"));
    list.revoke_subject(&issuer(), &tenant("tenant1"), &subject, hour).unwrap();
    assert!(stage.refuses(of("tenant1", "anna", "app")));
    for other in [
        of("tenant2", "anna", "app"),
        of("tenant1", "ann", "app"),
        of("tenant1", "app", "anna"),
        TokenFacts { subject: None, ..of("tenant1", "anna", "app") },
    ] {
        assert!(!stage.refuses(other));
    }
    list.revoke_client(&issuer(), &tenant("tenant1"), &client_id, hour).unwrap();
    assert!(stage.refuses(of("tenant1", "bert", "sync")));
    for other in [
        of("tenant2", "bert", "sync"),
        of("tenant1", "sync", "bert"),
        TokenFacts { client_id: None, ..of("tenant1", "bert", "sync") },
    ] {
        assert!(!stage.refuses(other));
    }

    let elsewhere = Stage::new();
    let issuer = Issuer::new("https://other.example");
    let (list, tenant) = (&elsewhere.revocations, tenant("tenant1"));
    list.revoke_subject(&issuer, &tenant, &subject, hour).unwrap();
    list.revoke_client(&issuer, &tenant, &client_id, hour).unwrap();
    assert!(!elsewhere.refuses(of("tenant1", "anna", "sync")));
}

#[test]
fn a_tenant_is_all_its_tokens_and_nobody_elses() {
    let stage = Stage::new();
    stage.revocations.revoke_tenant(&tenant("tenant1"), SECOND * 3600).unwrap();
    assert!(stage.refuses(token_of("tenant1")));
    let bare = TokenFacts { subject: None, client_id: None, jwt_id: None, ..token_of("tenant1") };
    assert!(stage.refuses(bare));
    for other in ["tenant", "tenant10", "Tenant1", "tenant2"] {
        assert!(!stage.refuses(token_of(other)), "{other}");
    }
}

#[test]
fn tokens_issued_later_work_and_those_that_do_not_say_when_do_not() {
    let stage = Stage::new();
    stage.revocations.revoke_tenant(&tenant("tenant1"), SECOND * 3600).unwrap();
    // The issuer's clock may be ahead by 30 s.
    for (issued_at, refused) in
        [(0, true), (NOW - 1, true), (NOW, true), (NOW + 30, true), (NOW + 31, false)]
    {
        assert_eq!(stage.refuses(issued(issued_at)), refused, "{issued_at}");
    }
    let silent = TokenFacts { issued_at: None, ..token_of("tenant1") };
    assert!(stage.refuses(silent.clone()));
    stage.times.pass(3600 + 299);
    assert!(stage.refuses(silent.clone()));
    stage.times.pass(1);
    assert!(!stage.refuses(silent));
}

#[test]
fn a_token_that_is_named_is_refused_whenever_it_was_issued() {
    let stage = Stage::new();
    let exp = SECOND * u32::try_from(NOW + 600).unwrap();
    stage.revocations.revoke_token(&issuer(), "j1", exp).unwrap();
    assert!(stage.refuses(issued(NOW + 31)));
}

#[test]
fn what_was_revoked_earlier_keeps_its_moment() {
    let stage = Stage::new();
    let (list, tenant) = (&stage.revocations, tenant("tenant1"));
    let at = |seconds: u64| Duration::from_secs(seconds);
    let revoke = |moment| list.revoke_issued_until(at(moment), Whose::Tenant(&tenant), SECOND);
    revoke(NOW - 100).unwrap();
    assert!(stage.refuses(issued(NOW - 70)));
    assert!(!stage.refuses(issued(NOW - 69)));
    // Told in another order, the later moment counts.
    revoke(NOW - 90).unwrap();
    revoke(NOW - 200).unwrap();
    assert!(stage.refuses(issued(NOW - 60)));
    assert!(!stage.refuses(issued(NOW - 59)));
    assert_eq!(list.len(), 1);
}

#[test]
fn an_entry_ends_when_no_policy_would_accept_the_token_any_more() {
    let stage = Stage::new();
    let (list, times) = (&stage.revocations, &stage.times);
    list.revoke_token(&issuer(), "j1", Duration::from_secs(NOW + 60)).unwrap();
    times.pass(60 + 299);
    assert!(stage.refuses(token_of("tenant1")));
    assert_eq!(list.len(), 1);
    times.pass(1);
    assert!(!stage.refuses(token_of("tenant1")));
    assert!(list.is_empty());
    // One that has expired is kept for the skew: another policy's clock skew may be wider.
    list.revoke_token(&issuer(), "j1", Duration::from_secs(NOW)).unwrap();
    assert!(stage.refuses(token_of("tenant1")));
}

#[test]
fn a_wall_clock_that_is_set_drops_nothing() {
    let stage = Stage::new();
    let list = &stage.revocations;
    list.revoke_token(&issuer(), "j1", Duration::from_secs(NOW + 600)).unwrap();
    list.revoke_tenant(&tenant("tenant2"), SECOND * 600).unwrap();
    for unix in [NOW + 1_000_000, 0, NOW] {
        stage.times.set_unix(unix);
        assert_eq!(list.len(), 2);
        assert!(stage.refuses(token_of("tenant1")));
        assert!(stage.refuses(token_of("tenant2")));
    }
}

#[test]
fn a_full_list_says_so_and_keeps_what_it_has() {
    let stage = Stage::with_capacity(2);
    let list = &stage.revocations;
    list.revoke_tenant(&tenant("tenant1"), SECOND).unwrap();
    list.revoke_tenant(&tenant("tenant2"), SECOND * 2).unwrap();

    let error = list.revoke_tenant(&tenant("tenant3"), SECOND).unwrap_err();

    assert_eq!(error.kind(), RevocationErrorKind::Full);
    assert_eq!(
        error.to_string(),
        "nothing was revoked: all 2 places of the list are taken; revoke a client or a tenant instead of single tokens, suspend the tenant in the directory, or start with a larger capacity"
    );
    assert!(stage.refuses(token_of("tenant1")) && stage.refuses(token_of("tenant2")));
    assert!(!stage.refuses(token_of("tenant3")));
    // Again is no further place, and one that ended is free.
    list.revoke_tenant(&tenant("tenant2"), SECOND * 2).unwrap();
    stage.times.pass(301);
    list.revoke_tenant(&tenant("tenant3"), SECOND).unwrap();
    assert!(stage.refuses(token_of("tenant2")) && stage.refuses(token_of("tenant3")));
}

#[test]
fn a_request_whose_token_has_no_jti_is_not_said_to_be_revoked() {
    let stage = Stage::new();
    let facts = TokenFacts { jwt_id: None, ..token_of("tenant1") };
    let request = stage.judge(&stage.verified(facts)).unwrap();
    let error = stage.revocations.revoke_request(&request).unwrap_err();
    assert_eq!(error.kind(), RevocationErrorKind::NoJwtId);
    assert!(error.to_string().contains("no `jti`"));
    assert!(stage.revocations.is_empty());
}

#[test]
fn a_revoked_token_is_that_wherever_it_is_sent_and_the_table_says_by_what() {
    let times = Times::new();
    let list = Revocations::new(Arc::new(times));
    let policy = erp_everywhere().refuse_foreign_scopes().revocations(list.clone()).build();
    let policy = policy.unwrap();
    let at = |request: &str| sent(request).with("host", "tenant3.api.erp.example");
    let rows = |facts: TokenFacts| {
        let (verdict, table) = watched(&policy, &at("/tenant2/x"), facts, Standing::Active);
        let row =
            |row: &tenantry_core::Row| (row.source == Source::Revocations).then(|| row.clone());
        let rows: Vec<_> = table.rows().iter().filter_map(row).collect();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(row.named.as_deref(), Some("tenant1"));
        (verdict, row.origin.clone(), row.verdict)
    };
    let facts = || of("tenant1", "anna", "sync");
    let (verdict, origin, held) = rows(facts());
    assert_refused(verdict, 403, "insufficient_scope", Reason::TenantMismatchPath);
    assert_eq!((origin.as_str(), held), ("list", Verdict::Holds));

    let (tenant, hour) = (tenant("tenant1"), SECOND * 3600);
    // The last that is revoked is the first that is looked for.
    list.revoke_tenant(&tenant, hour).unwrap();
    for origin in ["tenant", "client_id", "sub", "jti"] {
        let (verdict, by, row) = rows(facts());
        assert_refused(verdict, 401, "invalid_token", Reason::TokenRevoked);
        assert_eq!((by.as_str(), row), (origin, Verdict::Fails(Reason::TokenRevoked)));
        match origin {
            "tenant" => list.revoke_client(&issuer(), &tenant, &ClientId::new("sync"), hour),
            "client_id" => list.revoke_subject(&issuer(), &tenant, &Subject::new("anna"), hour),
            _ => list.revoke_token(&issuer(), "j1", Duration::from_secs(NOW)),
        }
        .unwrap();
    }
    let foreign =
        TokenFacts { scope: tenantry_core::Scope::parse("tenant2.read").unwrap(), ..facts() };
    assert_refused(rows(foreign).0, 401, "invalid_token", Reason::TokenRevoked);
}

#[test]
fn without_a_list_nothing_is_checked_and_nothing_is_told() {
    let policy = erp().build().unwrap();
    let (verdict, table) = watched(&policy, &sent("/"), token_of("tenant1"), Standing::Active);
    assert!(verdict.is_ok());
    assert!(table.rows().iter().all(|row| row.source != Source::Revocations));
}

#[test]
fn policies_that_share_a_list_refuse_alike() {
    let stage = Stage::new();
    let reloaded = erp().realm("again").revocations(stage.revocations.clone()).build().unwrap();
    let of_its_own = erp().revocations(Revocations::new(Arc::new(Times::new()))).build().unwrap();
    stage.revocations.revoke_tenant(&tenant("tenant1"), SECOND).unwrap();
    let reason =
        |policy| decided(policy, &sent("/"), token_of("tenant1")).err().map(|r| r.reason());
    assert_eq!(reason(&reloaded), Some(Reason::TokenRevoked));
    assert_eq!(reason(&of_its_own), None);
}

#[test]
fn nothing_that_was_revoked_is_in_debug() {
    let stage = Stage::new();
    let (tenant, subject) = (tenant("secret-tenant"), Subject::new("secret-subject"));
    let issuer = Issuer::new("https://secret.example");
    let whose = Whose::Subject { issuer: &issuer, tenant: &tenant, subject: &subject };
    stage.revocations.revoke_issued_until(SECOND, whose, SECOND).unwrap();
    let shown = format!(
        "{:?} {:#?} {whose:?} {:?}",
        stage.revocations,
        stage.revocations,
        Whose::Tenant(&tenant)
    );
    assert!(shown.contains("Revocations") && !shown.contains("secret"), "{shown}");
}

type Interruption = Box<dyn FnOnce() + Send>;

/// A clock that does something else when it is asked, once: it is asked in the middle of a look.
struct Interrupting {
    times: Times,
    at: Arc<Mutex<Option<Interruption>>>,
}

impl Clock for Interrupting {
    fn unix(&self) -> Duration {
        self.times.unix()
    }

    fn monotonic(&self) -> Duration {
        let interruption = self.at.lock().unwrap().take();
        if let Some(interruption) = interruption {
            interruption();
        }
        self.times.monotonic()
    }
}

#[test]
fn what_is_revoked_while_a_token_is_looked_up_is_found_by_the_next_request() {
    let (times, at) = (Times::new(), Arc::default());
    let clock = Interrupting { times: times.clone(), at: Arc::clone(&at) };
    let revocations = Revocations::new(Arc::new(clock));
    let policy = erp().revocations(revocations.clone()).build().unwrap();
    let stage = Stage { times, revocations, policy };
    let token = stage.verified(token_of("tenant1"));
    // The tenant is looked for last, and this entry is past: the clock has to say so.
    let list = stage.revocations.clone();
    list.revoke_tenant(&tenant("tenant1"), SECOND).unwrap();
    stage.times.pass(301);
    let exp = token_of("tenant1").expires_at;
    *at.lock().unwrap() = Some(Box::new(move || list.revoke_token(&issuer(), "j1", exp).unwrap()));

    assert!(stage.judge(&token).is_ok());

    assert!(at.lock().unwrap().is_none(), "nothing was revoked meanwhile");
    assert_eq!(stage.judge(&token).err(), Some(Reason::TokenRevoked));
}

/// What is done, in words. Numbers choose among a few names.
#[derive(Clone, Debug)]
enum Step {
    Revoke { kind: usize, tenant: usize, who: usize, moment: u64, keep_for: u64 },
    Pass(u64),
    Judge { tenant: usize, who: usize, issued_at: Option<u64> },
}

const TENANTS: [&str; 2] = ["t1", "t2"];
const NAMES: [&str; 2] = ["a", "b"];
const KINDS: [&str; 4] = ["client", "subject", "tenant", "token"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4_usize, 0..2_usize, 0..2_usize, 0..200_u64, 0..400_u64).prop_map(
            |(kind, tenant, who, moment, keep_for)| Step::Revoke {
                kind,
                tenant,
                who,
                moment,
                keep_for
            }
        ),
        (0..400_u64).prop_map(Step::Pass),
        (0..2_usize, 0..2_usize, option::of(0..300_u64))
            .prop_map(|(tenant, who, issued_at)| Step::Judge { tenant, who, issued_at }),
    ]
}

proptest! {
    /// The model: a map from a sentence to a moment and an end. Every token there can be is verified
    /// once and kept, so what is remembered with a token is under test, too.
    #[test]
    fn tokens_are_refused_as_the_sentences_say(steps in vec(step(), 0..40)) {
        let stage = Stage::new();
        let mut model: BTreeMap<String, (Option<u64>, u64)> = BTreeMap::new();
        let mut kept: BTreeMap<(usize, usize, Option<u64>), VerifiedToken> = BTreeMap::new();
        let mut now = 0;
        let sentence = |kind: usize, tenant: usize, who: usize| match KINDS[kind] {
            "tenant" => format!("every token of {}", TENANTS[tenant]),
            "token" => format!("the token {}", NAMES[who]),
            kind => format!("the {kind} {} of {}", NAMES[who], TENANTS[tenant]),
        };
        for step in steps {
            match step {
                Step::Pass(seconds) => {
                    stage.times.pass(seconds);
                    now += seconds;
                }
                Step::Revoke { kind, tenant: of, who, moment, keep_for } => {
                    let (list, issuer, tenant) = (&stage.revocations, issuer(), tenant(TENANTS[of]));
                    let (subject, client_id) = (Subject::new(NAMES[who]), ClientId::new(NAMES[who]));
                    let whose = match KINDS[kind] {
                        "client" => Some(Whose::Client { issuer: &issuer, tenant: &tenant, client_id: &client_id }),
                        "subject" => Some(Whose::Subject { issuer: &issuer, tenant: &tenant, subject: &subject }),
                        "tenant" => Some(Whose::Tenant(&tenant)),
                        _ => None,
                    };
                    let (for_, at) = (Duration::from_secs(keep_for), Duration::from_secs(moment));
                    match whose {
                        Some(whose) => list.revoke_issued_until(at, whose, for_),
                        None => list.revoke_token(&issuer, NAMES[who], stage.times.unix() + for_),
                    }.unwrap();
                    let new = (whose.map(|_| moment), now + keep_for + 300);
                    let entry = model.entry(sentence(kind, of, who)).or_insert(new);
                    *entry = match entry.1 > now {
                        true => (entry.0.max(new.0), entry.1.max(new.1)),
                        false => new,
                    };
                }
                Step::Judge { tenant: of_tenant, who, issued_at } => {
                    let token = kept.entry((of_tenant, who, issued_at)).or_insert_with(|| {
                        stage.verified(TokenFacts {
                            jwt_id: Some(NAMES[who].into()),
                            issued_at: issued_at.map(Duration::from_secs),
                            ..of(TENANTS[of_tenant], NAMES[who], NAMES[who])
                        })
                    });
                    let refused = (0..4).any(|kind| {
                        model.get(&sentence(kind, of_tenant, who)).is_some_and(|(moment, end)| {
                            now < *end && match (moment, issued_at) {
                                (Some(moment), Some(issued_at)) => issued_at <= moment + 30,
                                _ => true,
                            }
                        })
                    });
                    prop_assert_eq!(stage.judge(token).is_err(), refused);
                }
            }
            let live = model.values().filter(|(_, end)| *end > now).count();
            prop_assert_eq!(stage.revocations.len(), live);
        }
    }
}
