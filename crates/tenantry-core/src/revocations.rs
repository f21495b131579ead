//! Tokens that are refused before they expire.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::epoch::Epoch;
use crate::issuer::{ClientId, Issuer, Subject};
use crate::policy_builder::MAX_CLOCK_SKEW;
use crate::request::TenantAwareRequest;
use crate::revocation_error::{RevocationError, RevocationErrorKind};
use crate::revoked::{Entry, Full, Name, Revoked};
use crate::tenant::TenantId;
use crate::verified::Verified;
use crate::whose::Whose;

const DEFAULT_CAPACITY: usize = 100_000;

/// A list of tokens that are refused before they expire: single ones, or all of a subject, a client
/// or a tenant that were issued so far.
///
/// What is revoked is refused from the next request on, with 401 `token_revoked`, by every
/// [`Policy`](crate::Policy) that the list was given to. Cloning it is cheap; clones are one list.
///
/// The list is of this process and of its lifetime: nothing is sent elsewhere and nothing is kept on
/// disk. Tell every process, and tell one that starts what is still in force
/// ([`revoke_issued_until`](Self::revoke_issued_until)).
///
/// An entry leaves when no token that it is about can be accepted any more: when they have expired,
/// and 5 minutes more, which is the widest [clock skew](crate::PolicyBuilder::clock_skew) that a
/// policy may have. Ends are counted in the clock's monotonic time: a wall clock that is set forward
/// drops no entry. One that is set back brings expired tokens to life again, and those that were revoked
/// with them. Memory is bounded by the [capacity](Self::with_capacity).
///
/// ```
/// use std::time::Duration;
/// # use std::sync::Arc;
/// # struct Clock;
/// # impl tenantry_core::Clock for Clock {
/// #     fn unix(&self) -> Duration { Duration::from_secs(1_800_000_000) }
/// #     fn monotonic(&self) -> Duration { Duration::ZERO }
/// # }
/// # let clock = Arc::new(Clock);
/// use tenantry_core::{Issuer, Policy, Revocations, Subject, TenantId};
///
/// let revocations = Revocations::new(clock);
/// let policy = Policy::builder()
///     .issuer("https://auth.erp.example")
///     .audience("https://api.erp.example/{tenant}")
///     .revocations(revocations.clone())
///     .build()?;
///
/// // The issuer's tokens live ten minutes.
/// let tenant: TenantId = "tenant1".parse()?;
/// let left = Subject::new("who-left-the-company");
/// let issuer = Issuer::new("https://auth.erp.example");
/// revocations.revoke_subject(&issuer, &tenant, &left, Duration::from_secs(600))?;
/// assert_eq!(revocations.len(), 1);
/// # assert!(policy.revocations().is_some());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
///
/// Revoking is not authorized here. Before a tenant's administrator may name a token, a subject or a
/// client, check that it is the administrator's own tenant's.
#[derive(Clone)]
pub struct Revocations(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    /// Of the last entry that was added or extended.
    epoch: AtomicU64,
    revoked: Revoked,
}

impl Revocations {
    /// Makes an empty list with 100 000 places: some 30 MB when all are taken, 75 MB at most. `clock` is the one that
    /// tokens are judged by.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_capacity(clock, DEFAULT_CAPACITY)
    }

    /// Makes an empty list with so many places. An entry takes one, and one more for each further
    /// 512 bytes of what it names.
    #[must_use]
    pub fn with_capacity(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        let epoch = AtomicU64::new(Epoch::new().get());
        Self(Arc::new(Shared { clock, epoch, revoked: Revoked::new(capacity) }))
    }

    /// Refuses one token, known by its issuer and its `jti` ([RFC 7519 §4.1.7]). `expires_at` is its
    /// `exp`, since the Unix epoch.
    ///
    /// A token whose `jti` is not known is out of reach of this: revoke its subject or its client.
    ///
    /// # Errors
    ///
    /// [`Full`](RevocationErrorKind::Full): the token is not refused. Places come free as entries
    /// end; none that has not ended is ever dropped.
    ///
    /// [RFC 7519 §4.1.7]: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.7
    pub fn revoke_token(
        &self,
        issuer: &Issuer,
        jwt_id: &str,
        expires_at: Duration,
    ) -> Result<(), RevocationError> {
        let keep_for = expires_at.saturating_sub(self.0.clock.unix());
        self.add(Name::Token { issuer: issuer.as_str(), jwt_id }, None, keep_for)
    }

    /// Refuses the token that this request came with: *log out*.
    ///
    /// # Errors
    ///
    /// - [`NoJwtId`](RevocationErrorKind::NoJwtId): the token has no `jti`, which only an issuer with
    ///   relaxed required claims permits.
    /// - [`Full`](RevocationErrorKind::Full): as [`revoke_token`](Self::revoke_token).
    pub fn revoke_request(&self, request: &TenantAwareRequest) -> Result<(), RevocationError> {
        match request.jwt_id() {
            Some(jwt_id) => self.revoke_token(request.issuer(), jwt_id, request.expires_at()),
            None => Err(self.error(RevocationErrorKind::NoJwtId)),
        }
    }

    /// Refuses the tokens of a subject that were issued so far.
    ///
    /// `keep_for` is the longest lifetime of the issuer's tokens. A shorter one lets a token come
    /// back.
    ///
    /// # Errors
    ///
    /// [`Full`](RevocationErrorKind::Full): as [`revoke_token`](Self::revoke_token).
    pub fn revoke_subject(
        &self,
        issuer: &Issuer,
        tenant: &TenantId,
        subject: &Subject,
        keep_for: Duration,
    ) -> Result<(), RevocationError> {
        self.revoke_so_far(Whose::Subject { issuer, tenant, subject }, keep_for)
    }

    /// Refuses the tokens of a client that were issued so far. `keep_for` is the longest lifetime of
    /// the issuer's tokens.
    ///
    /// # Errors
    ///
    /// [`Full`](RevocationErrorKind::Full): as [`revoke_token`](Self::revoke_token).
    pub fn revoke_client(
        &self,
        issuer: &Issuer,
        tenant: &TenantId,
        client_id: &ClientId,
        keep_for: Duration,
    ) -> Result<(), RevocationError> {
        self.revoke_so_far(Whose::Client { issuer, tenant, client_id }, keep_for)
    }

    /// Refuses the tokens of a tenant that were issued so far. `keep_for` is the longest lifetime of
    /// the tokens of its issuers.
    ///
    /// To stop a tenant for good, suspend it in the [directory](crate::Directory).
    ///
    /// # Errors
    ///
    /// [`Full`](RevocationErrorKind::Full): as [`revoke_token`](Self::revoke_token).
    pub fn revoke_tenant(
        &self,
        tenant: &TenantId,
        keep_for: Duration,
    ) -> Result<(), RevocationError> {
        self.revoke_so_far(Whose::Tenant(tenant), keep_for)
    }

    /// Refuses tokens that were issued up to `moment`, since the Unix epoch: to tell this process of
    /// something that was revoked earlier or elsewhere. `keep_for` counts from now on.
    ///
    /// The policy's clock skew is added to `moment`, because the issuer's clock may be ahead: a token
    /// issued within it afterwards is refused, too. A token without `iat` cannot be told from an
    /// earlier one and is refused as long as the entry lives. Revoking again extends: the later
    /// moment and the later end count.
    ///
    /// # Errors
    ///
    /// [`Full`](RevocationErrorKind::Full): as [`revoke_token`](Self::revoke_token).
    pub fn revoke_issued_until(
        &self,
        moment: Duration,
        whose: Whose<'_>,
        keep_for: Duration,
    ) -> Result<(), RevocationError> {
        self.add(whose.name(), Some(moment), keep_for)
    }

    /// Returns the number of entries that have not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.revoked.len(self.0.clock.monotonic())
    }

    /// Returns whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn revoke_so_far(&self, whose: Whose<'_>, keep_for: Duration) -> Result<(), RevocationError> {
        self.revoke_issued_until(self.0.clock.unix(), whose, keep_for)
    }

    fn add(
        &self,
        name: Name<&str>,
        issued_until: Option<Duration>,
        keep_for: Duration,
    ) -> Result<(), RevocationError> {
        let now = self.0.clock.monotonic();
        // A token is accepted for as long as the skew after its end.
        let ends_at = now.saturating_add(keep_for).saturating_add(MAX_CLOCK_SKEW);
        // Release: who reads this epoch, or a later one, finds the entry. A request that comes after
        // the call has returned, as far as anything in the process can tell, reads no earlier one.
        let publish = || self.0.epoch.store(Epoch::new().get(), Ordering::Release);
        self.0
            .revoked
            .insert(name, Entry { ends_at, issued_until }, now, publish)
            .map_err(|Full| self.error(RevocationErrorKind::Full))
    }

    fn error(&self, kind: RevocationErrorKind) -> RevocationError {
        RevocationError::new(kind, self.0.revoked.capacity)
    }

    /// Returns by which of its names a token of `tenant` is revoked.
    ///
    /// A token that was looked up before costs two loads, until something is revoked.
    // INVARIANT (cache the identity): what is kept with the token is under which epoch it was looked
    // up, taken before the look. An entry that came meanwhile has a later one.
    pub(crate) fn revoked_by(
        &self,
        token: &Verified,
        tenant: &str,
        skew: Duration,
    ) -> Option<&'static str> {
        // Acquire: the entries of this epoch are there to be found.
        let epoch = self.0.epoch.load(Ordering::Acquire);
        // Relaxed: it says that a look found nothing, and publishes no other data.
        if token.unrevoked.load(Ordering::Relaxed) == epoch {
            return None;
        }
        let found = self.look_up(token, tenant, skew);
        if found.is_none() {
            token.unrevoked.store(epoch, Ordering::Relaxed);
        }
        found
    }

    #[inline(never)]
    fn look_up(&self, token: &Verified, tenant: &str, skew: Duration) -> Option<&'static str> {
        let facts = &token.facts;
        let issuer = facts.issuer.as_str();
        let jwt_id = facts.jwt_id.as_deref();
        let subject = facts.subject.as_ref().map(Subject::as_str);
        let client_id = facts.client_id.as_ref().map(ClientId::as_str);
        let names = [
            ("jti", jwt_id.map(|jwt_id| Name::Token { issuer, jwt_id })),
            ("sub", subject.map(|subject| Name::Subject { issuer, tenant, subject })),
            ("client_id", client_id.map(|client_id| Name::Client { issuer, tenant, client_id })),
            ("tenant", Some(Name::Tenant { tenant })),
        ];
        let refuses = |entry: Entry| {
            entry.refuses(facts.issued_at, skew) && self.0.clock.monotonic() < entry.ends_at
        };
        let by = |name: Option<Name<&str>>| name.and_then(|name| self.0.revoked.get(name));
        names.into_iter().find_map(|(origin, name)| by(name).is_some_and(refuses).then_some(origin))
    }
}

// INVARIANT (secrets stay in)
impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("capacity", &self.0.revoked.capacity)
            .finish_non_exhaustive()
    }
}
