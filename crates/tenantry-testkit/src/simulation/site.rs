//! One simulated issuer: what it publishes, and what the key store can know of that.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;

use tenantry_core::{Algorithm, Epoch, Issuer};
use tenantry_jwks::KeySource;

use super::bounds::KeyBounds;
use super::chance::Chance;
use super::weather::Weather;
use crate::SigningKey;

/// One simulated issuer.
pub(super) struct Site {
    pub(super) index: usize,
    pub(super) issuer: Issuer,
    /// Found through metadata, not by the URL of its keys.
    pub(super) discovered: bool,
    pub(super) openid_only: bool,
    pub(super) pinned: bool,
    /// The weather is always fair: what is foul elsewhere must not show here.
    pub(super) always_fair: bool,
    /// There may be no room for a fetch, because of fetches for others.
    pub(super) crowded: bool,
    /// What it says in `Cache-Control`.
    pub(super) max_age: Option<Duration>,
    /// Whether its documents have entity tags.
    pub(super) tags: bool,
    pub(super) bounds: KeyBounds,
    state: Mutex<SiteState>,
}

/// What changes at an issuer, and what is known about it.
pub(super) struct SiteState {
    /// For what becomes of requests. Apart from the traffic's, which callers can move.
    pub(super) chance: Chance,
    pub(super) weather: Weather,
    pub(super) fair_since: Option<Duration>,
    pub(super) ring: Vec<Entry>,
    /// Where the key set is.
    pub(super) place: Place,
    /// Fetches from where the key set is no longer, since metadata were asked for.
    pub(super) misled: usize,
    pub(super) lives: BTreeMap<u32, Life>,
    /// The set in use, as far as the network has brought one.
    pub(super) served: Option<Served>,
    /// Whether the last fetch failed.
    pub(super) failed: bool,
    pub(super) failures: VecDeque<Duration>,
    /// When each document was asked for.
    pub(super) starts: BTreeMap<Place, VecDeque<Duration>>,
    pub(super) flight: Option<Flight>,
    /// When somebody asked for the keys in a way that starts a refresh that is due.
    pub(super) asks: Vec<Duration>,
    /// When anybody asked for anything.
    pub(super) asked: Option<Duration>,
    /// What a cache of verified tokens would hold: by which epoch each key was found.
    pub(super) cached: BTreeMap<u32, Epoch>,
    /// The keys of the last set that was looked at, and its epoch.
    pub(super) epoch: Option<(Vec<u32>, Epoch)>,
    /// Keys whose material was checked, since it last was to be.
    pub(super) checked: Vec<u32>,
}

/// A document of an issuer, in the order in which they are asked for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Place {
    Inserted,
    Appended,
    Jwks,
    /// Where the key set is while it is not in its usual place.
    Moved,
}

impl Place {
    pub(super) const ALL: [Self; 4] = [Self::Inserted, Self::Appended, Self::Jwks, Self::Moved];

    pub(super) const fn is_metadata(self) -> bool {
        matches!(self, Self::Inserted | Self::Appended)
    }
}

/// The requests of one fetch.
pub(super) struct Flight {
    pub(super) started: Duration,
    pub(super) place: Place,
    /// `None`: the request is in the air.
    pub(super) ended: Option<Duration>,
}

/// A key that is published, or two of one name.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) generation: u32,
    /// Two different keys have the name, so neither can be used.
    pub(super) doubled: bool,
}

/// Since when a key can be had, or cannot any more.
#[derive(Clone, Copy)]
pub(super) enum Life {
    Published(Duration),
    Withdrawn(Duration),
}

/// A key set as it arrived.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) at: Duration,
    pub(super) keys: Vec<u32>,
}

impl Site {
    pub(super) fn new(index: usize, bounds: &KeyBounds, chance: &mut Chance) -> Self {
        let discovered = chance.one_in(3);
        let ring = vec![Entry { generation: 0, doubled: false }];
        let always_fair = chance.below(5) < 2;
        let ages = [0, 45, 300, 1200, 86_400].map(Duration::from_secs);
        let max_age = chance.one_in(3).then(|| chance.pick(&ages));
        let bounds = match max_age {
            Some(max_age) => bounds.clone().with_max_age(max_age),
            None => bounds.clone(),
        };
        Self {
            index,
            issuer: Issuer::new(format!("https://auth.example/{index}")),
            discovered,
            openid_only: chance.one_in(2),
            pinned: !chance.one_in(4),
            always_fair,
            crowded: false,
            max_age,
            tags: chance.one_in(2),
            bounds,
            state: Mutex::new(SiteState {
                chance: chance.split(),
                weather: Weather::Fair,
                fair_since: Some(Duration::ZERO),
                ring,
                place: Place::Jwks,
                misled: 0,
                lives: BTreeMap::from([(0, Life::Published(Duration::ZERO))]),
                served: None,
                failed: false,
                failures: VecDeque::new(),
                starts: BTreeMap::new(),
                flight: None,
                asks: Vec::new(),
                asked: None,
                cached: BTreeMap::new(),
                epoch: None,
                checked: Vec::new(),
            }),
        }
    }

    pub(super) fn source(&self) -> KeySource {
        if self.discovered { KeySource::discovery() } else { KeySource::uri(self.url(Place::Jwks)) }
    }

    pub(super) fn url(&self, place: Place) -> String {
        let index = self.index;
        match place {
            Place::Inserted => {
                format!("https://auth.example/.well-known/oauth-authorization-server/{index}")
            }
            Place::Appended => {
                format!("https://auth.example/{index}/.well-known/openid-configuration")
            }
            Place::Jwks => format!("https://auth.example/{index}/keys"),
            Place::Moved => format!("https://auth.example/{index}/moved/keys"),
        }
    }

    /// An address that only the machines inside should reach.
    pub(super) fn inside(&self) -> String {
        format!("https://169.254.169.254/{}/keys", self.index)
    }

    pub(super) fn metadata(&self, jwks_uri: &str) -> String {
        format!(r#"{{"issuer": "{}", "jwks_uri": "{jwks_uri}"}}"#, self.issuer.as_str())
    }

    /// The key set with these entries, among keys that nobody can use.
    pub(super) fn jwks(&self, ring: &[Entry]) -> String {
        let mut jwks = String::from(NO_KEYS);
        jwks.truncate(jwks.len() - 2);
        for entry in ring {
            let further = usize::from(entry.doubled);
            for material in 0..=further {
                let x = &pooled(self.index, entry.generation, material).x;
                let kid = kid(entry.generation);
                write!(
                    jwks,
                    r#", {{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "{kid}", "x": "{x}"}}"#
                )
                .expect("a string can be written to");
            }
        }
        jwks.push_str("]}");
        jwks
    }

    /// The entity tag of the key set with these entries.
    pub(super) fn tag(ring: &[Entry]) -> String {
        let mut tag = String::from("\"");
        for entry in ring {
            let doubled = if entry.doubled { "d" } else { "s" };
            write!(tag, "{}{doubled}", entry.generation).expect("a string can be written to");
        }
        tag.push('"');
        tag
    }

    /// Whether a request that names the key and began at `asked` is to be accepted, whatever else
    /// went on.
    pub(super) fn must_accept(&self, state: &SiteState, generation: u32, asked: Duration) -> bool {
        let (Some(Life::Published(published)), Some(fair), false) =
            (state.lives.get(&generation), state.fair_since, self.crowded)
        else {
            return false;
        };
        let since = fair.max(*published);
        let failed = state.failures.back().map(|at| at.saturating_add(self.bounds.pause_last));
        let within = if failed.is_none_or(|over| over <= since) {
            self.bounds.accepted_within_in_calm()
        } else {
            self.bounds.accepted_within()
        };
        asked >= since.saturating_add(within)
    }

    /// Why a request that names the key and began at `asked` is to be refused, if it is.
    pub(super) fn must_refuse(
        &self,
        state: &SiteState,
        generation: u32,
        asked: Duration,
    ) -> Option<&'static str> {
        let Some(Life::Withdrawn(withdrawn)) = state.lives.get(&generation) else {
            return None;
        };
        if asked >= withdrawn.saturating_add(self.bounds.withdrawn_within()) {
            return Some("after the bound that always holds");
        }
        let since = state.fair_since.filter(|_| !self.crowded)?.max(*withdrawn);
        let due = since.saturating_add(self.bounds.withdrawal_due_within());
        let first = state.asks.get(state.asks.partition_point(|ask| *ask < due))?;
        (asked > first.saturating_add(self.bounds.answered_within()))
            .then_some("after the bound for an issuer in use")
    }

    /// Never held over an await.
    pub(super) fn state(&self) -> MutexGuard<'_, SiteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key set without a key that can be used: another type, and a symmetric one.
pub(super) const NO_KEYS: &str = concat!(
    r#"{"keys": [{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "next"}, "#,
    r#"{"kty": "oct", "k": "c2VjcmV0", "kid": "oops"}]}"#
);

pub(super) fn kid(generation: u32) -> String {
    format!("k{generation}")
}

impl SiteState {
    /// The set in use, unless it is too old.
    pub(super) fn in_use(&self, now: Duration, bounds: &KeyBounds) -> Option<&Served> {
        self.served.as_ref().filter(|served| now < served.at.saturating_add(bounds.served_for()))
    }

    /// Whether the set in use has the key.
    pub(super) fn knows(&self, generation: u32, now: Duration, bounds: &KeyBounds) -> bool {
        self.in_use(now, bounds).is_some_and(|served| served.keys.contains(&generation))
    }

    /// The keys that can be had.
    pub(super) fn usable(&self) -> Vec<u32> {
        self.ring.iter().filter(|entry| !entry.doubled).map(|entry| entry.generation).collect()
    }

    /// Notes since when each key can be had, after the ring changed.
    pub(super) fn changed(&mut self, now: Duration) {
        let usable = self.usable();
        for (generation, life) in &mut self.lives {
            match (usable.contains(generation), *life) {
                (true, Life::Withdrawn(_)) => *life = Life::Published(now),
                (false, Life::Published(_)) => *life = Life::Withdrawn(now),
                _ => {}
            }
        }
        for generation in usable {
            self.lives.entry(generation).or_insert(Life::Published(now));
        }
    }

    pub(super) fn ask(&mut self, now: Duration) {
        self.asked = Some(now);
        if self.asks.last() != Some(&now) {
            self.asks.push(now);
        }
    }
}

/// A key pair's public half, and its signature under [`MESSAGE`].
pub(super) struct Pooled {
    pub(super) x: String,
    pub(super) signature: Vec<u8>,
}

pub(super) const MESSAGE: &[u8] = b"whose key is it";

/// The key of this name at this issuer. Issuers have the same names and other keys.
pub(super) fn pooled(issuer: usize, generation: u32, further: usize) -> &'static Pooled {
    // A prime, and the factors are too: two issuers share a key only if they are far apart.
    const SIZE: usize = 251;
    static POOL: OnceLock<Vec<Pooled>> = OnceLock::new();
    let pool = POOL.get_or_init(|| (0..SIZE).map(|_| Pooled::generate()).collect());
    let generation = usize::try_from(generation).expect("few generations");
    let index = issuer.wrapping_add(generation.wrapping_mul(13)).wrapping_add(further * 101) % SIZE;
    pool.get(index).expect("below the size")
}

impl Pooled {
    fn generate() -> Self {
        let key = SigningKey::generate(Algorithm::EdDsa, "");
        let x = key.public_jwk().get("x").and_then(Value::as_str).map(str::to_owned);
        Self { x: x.expect("an Ed25519 key has x"), signature: key.sign(MESSAGE) }
    }
}
