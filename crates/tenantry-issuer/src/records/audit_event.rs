//! What happened, for whoever has to account for it.

use std::time::Duration;

use tenantry_core::TenantId;

use crate::records::ClientId;

/// Something that happened. It holds no secret, no token and no claim's value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEvent {
    /// When, since the Unix epoch; kept to the millisecond.
    pub at: Duration,
    /// Who did it: a client at an endpoint, or an operator at the command line.
    pub actor: String,
    /// What was done, such as `token.issue` or `client.disable`.
    pub action: String,
    /// The tenant that it is about, if it is a registered one.
    pub tenant: Option<TenantId>,
    /// The client that it is about.
    pub client: Option<ClientId>,
    /// The grant that was used.
    pub grant: Option<String>,
    /// The scopes that were granted, or asked for in vain.
    pub scopes: Vec<String>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Why it was refused: a code. Of what was done to a signing key: `kid` and which.
    pub reason: Option<String>,
}

/// What stands before a client's id in an actor.
const CLIENT: &str = "client ";

impl AuditEvent {
    /// The actor of what a client did that proved to be `client`.
    pub(crate) fn by(client: &ClientId) -> String {
        [CLIENT, client.as_str()].concat()
    }

    /// Whether nobody proved to be anybody: strangers do this as often as they like, also in the name of
    /// a client.
    pub(crate) fn is_of_a_stranger(&self) -> bool {
        self.outcome != AuditOutcome::Done && !self.actor.starts_with(CLIENT)
    }
}

/// How something ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was not done, because something of ours failed.
    Failed,
    /// It was refused.
    Refused,
}

impl AuditOutcome {
    /// The word for it: `done`, `failed` or `refused`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// Which events to look for. The default is all of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditFilter {
    /// Only those about this tenant.
    pub tenant: Option<TenantId>,
    /// Only those about clients with this id.
    pub client: Option<ClientId>,
    /// Only those that were refused or failed.
    pub not_done: bool,
}

/// An event with its place in the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEntry {
    /// Its place: 1 for the first event, without gaps, in the order in which events were written.
    pub number: u64,
    /// What happened.
    pub event: AuditEvent,
}
