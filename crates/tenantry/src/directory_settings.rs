//! Which directory a server asks, and the numbers it is asked by.

use std::sync::Arc;
use std::time::Duration;

use tenantry_core::{Clock, Directory, PolicyError, TrustIssuers};

use crate::builder::ResourceServerBuilder;
use crate::cached_directory::CachedDirectory;
use crate::directory::{Bounded, TIME_LIMIT};
use crate::directory_numbers::{LONGEST_LIFETIME, Numbers, SHORTEST_LIFETIME};
use crate::tenant_source::{AnySource, TenantSource};

#[derive(Clone, Default)]
pub(crate) struct DirectorySettings {
    pub(crate) directory: Option<Arc<dyn Directory>>,
    source: Option<Arc<dyn AnySource>>,
    /// A policy file says that there is one.
    pub(crate) expected: bool,
    pub(crate) lifetime: Option<Duration>,
    time_limit: Option<Duration>,
    capacity: Option<u64>,
    unknown_capacity: Option<u64>,
    asks_in_flight: Option<usize>,
}

impl DirectorySettings {
    /// Refuses a lifetime that bounds nothing, or that would ask at each request.
    pub(crate) fn check_lifetime(&self) -> Result<(), PolicyError> {
        let bounds = SHORTEST_LIFETIME..=LONGEST_LIFETIME;
        if self.lifetime.is_none_or(|lifetime| bounds.contains(&lifetime)) {
            return Ok(());
        }
        Err(PolicyError::new(
            "directory.lifetime",
            "a suspended tenant is served for up to this long: set it from 1 second to 1 hour",
        ))
    }

    /// Refuses settings that contradict each other.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        self.check_lifetime()?;
        match (&self.directory, &self.source) {
            (Some(_), Some(_)) => Err(PolicyError::new(
                "directory.tenant",
                "tenants come from one place: the program brings a source, so list none here and set no other directory",
            )),
            (None, None) if self.expected => Err(PolicyError::new(
                "directory",
                "it lists no tenant, and the program brings no source of tenants, so nobody would be served: add a [[directory.tenant]], or leave [directory] out to trust the issuers",
            )),
            _ => Ok(()),
        }
    }

    /// The numbers that the source is asked by, if there is one.
    pub(crate) fn source_numbers(&self) -> Option<Numbers> {
        self.source.as_ref()?;
        let default = Numbers::default();
        Some(Numbers {
            lifetime: self.lifetime.unwrap_or(default.lifetime),
            time_limit: self.time_limit.unwrap_or(TIME_LIMIT),
            capacity: self.capacity.unwrap_or(default.capacity),
            unknown_capacity: self.unknown_capacity.unwrap_or(default.unknown_capacity),
            asks_in_flight: self.asks_in_flight.unwrap_or(default.asks_in_flight),
        })
    }

    pub(crate) fn build(&self, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Directory>, PolicyError> {
        self.check()?;
        if let (Some(source), Some(numbers)) = (&self.source, self.source_numbers()) {
            let (source, clock) = (Arc::clone(source), Arc::clone(clock));
            return Ok(Arc::new(CachedDirectory::new(source, numbers, clock)));
        }
        Ok(match &self.directory {
            Some(inner) => {
                let limit = self.time_limit.unwrap_or(TIME_LIMIT);
                Arc::new(Bounded { inner: Arc::clone(inner), limit })
            }
            None => Arc::new(TrustIssuers),
        })
    }
}

/// Which tenants there are.
impl ResourceServerBuilder {
    /// Asks this directory whether a tenant may be served.
    ///
    /// Default: [`TrustIssuers`], because an issuer that signs for a tenant usually knows it. An
    /// issuer with `{tenant}` in its name needs another. For one that has to be asked over a network,
    /// [`tenant_source`](Self::tenant_source) remembers, and bounds what can go wrong.
    pub fn directory(mut self, directory: Arc<dyn Directory>) -> Self {
        self.directory.directory = Some(directory);
        self
    }

    /// Asks this source whether a tenant may be served, and remembers what it said for the
    /// [lifetime](Self::directory_lifetime). Not together with [`directory`](Self::directory), or
    /// tenants in a policy file.
    ///
    /// - A tenant that is suspended or removed is served for the lifetime at the longest;
    ///   [`forget_tenant`](crate::ResourceServer::forget_tenant) makes it at once.
    /// - The usual request does not wait: from 80 % of the lifetime an answer in use is asked for
    ///   again in the background, once, however many requests there are.
    /// - While the source fails or hangs, known tenants are served to the end of the lifetime; after
    ///   it, and for others, requests get 503. A tenant whose ask failed is not asked for during a
    ///   pause of up to a second, doubling to 8.
    /// - Ids that the source does not know are remembered apart, so made-up ones push out no tenant.
    ///
    /// Needs a tokio runtime with time enabled.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use tenantry::{ResourceServer, Standing, Tenant, TenantId};
    /// # #[derive(Clone)] struct Pool;
    /// # struct Row { id: String, suspended: bool }
    /// # impl Pool { async fn customer(&self, _: &TenantId) -> Result<Option<Row>, std::io::Error> {
    /// #     Ok(Some(Row { id: "tenant1".into(), suspended: false })) } }
    /// # let pool = Pool;
    /// let builder = ResourceServer::builder()
    ///     .tenant_source(move |id: TenantId| {
    ///         let pool = pool.clone();
    ///         async move {
    ///             // select id, suspended from customer where id = $1
    ///             let row = pool.customer(&id).await?;
    ///             Ok(row.map(|row| {
    ///                 let standing = if row.suspended { Standing::Suspended } else { Standing::Active };
    ///                 Tenant::new(row.id, standing)
    ///             }))
    ///         }
    ///     })
    ///     .directory_lifetime(Duration::from_secs(10));
    /// ```
    pub fn tenant_source(mut self, source: impl TenantSource) -> Self {
        self.directory.source = Some(Arc::new(source));
        self
    }

    /// Sets how long an answer of the [source](Self::tenant_source) is used: from 1 second to 1 hour,
    /// by default 30 s. It is the longest that a suspended tenant is served, and that a tenant which
    /// was just created is refused.
    ///
    /// It is counted from the moment before the source was asked. It has no effect on other
    /// directories.
    pub fn directory_lifetime(mut self, lifetime: Duration) -> Self {
        self.directory.lifetime = Some(lifetime);
        self
    }

    /// Bounds the time that the directory may take to answer; after it the request gets 503. Default
    /// 2 s. Needs a tokio runtime with time enabled, for a directory that has no answer at hand.
    pub fn directory_time_limit(mut self, limit: Duration) -> Self {
        self.directory.time_limit = Some(limit);
        self
    }

    /// Bounds how many tenants are remembered of a [source](Self::tenant_source): the one not asked
    /// for longest goes. Default 10 000. With fewer than are in use, each request may cost an ask.
    pub fn directory_capacity(mut self, tenants: u64) -> Self {
        self.directory.capacity = Some(tenants);
        self
    }

    /// Bounds how many ids are remembered that a [source](Self::tenant_source) does not know, or
    /// failed for. Default 1024.
    pub fn directory_unknown_capacity(mut self, ids: u64) -> Self {
        self.directory.unknown_capacity = Some(ids);
        self
    }

    /// Bounds how often a [source](Self::tenant_source) is asked at the same time, over all tenants:
    /// this often for tenants that were known when last asked for, and this often for others. Beyond
    /// it requests get 503. Default 256; at least 1.
    pub fn directory_asks_in_flight(mut self, asks: usize) -> Self {
        self.directory.asks_in_flight = Some(asks);
        self
    }
}
