//! What all issuers of a store have in common.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tenantry_core::{Algorithm, Clock};

use crate::refresh::Dice;
use crate::room::Room;
use crate::settings::KeySettings;
use crate::snapshot::Snapshots;
use crate::transport::Transport;

/// What all issuers of a store have in common.
pub(crate) struct Means {
    pub(crate) settings: KeySettings,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    random: Box<dyn Fn() -> u64 + Send + Sync>,
    pub(crate) room: Room,
    pub(crate) snapshots: Option<Snapshots>,
    hasher: RandomState,
}

impl Means {
    pub(crate) fn new(
        settings: KeySettings,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        random: Box<dyn Fn() -> u64 + Send + Sync>,
    ) -> Self {
        let room = Room::new(settings.fetches_in_flight);
        let snapshots = settings.snapshots.as_deref().and_then(Snapshots::open);
        let hasher = RandomState::new();
        Self { settings, transport, clock, random, room, snapshots, hasher }
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    pub(crate) fn dice(&self) -> Dice {
        Dice((self.random)())
    }

    /// What a request looks for, as a number that nobody can foresee.
    pub(crate) fn hash(&self, kid: Option<&str>, algorithm: Algorithm) -> u64 {
        self.hasher.hash_one((kid, algorithm))
    }
}
