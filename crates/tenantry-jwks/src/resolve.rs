//! From the names of hosts to addresses that may be connected to.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tenantry_core::BoxFuture;

use crate::egress::is_public_address;
use crate::fetch_error::{FetchError, FetchErrorKind};

/// Finds the addresses of a host.
pub trait Resolver: Send + Sync + 'static {
    /// Returns the addresses of `name`, all of them.
    fn resolve(&self, name: &str) -> BoxFuture<io::Result<Vec<IpAddr>>>;
}

/// The resolver of the system: its hosts file, DNS, and whatever else it is set up to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> BoxFuture<io::Result<Vec<IpAddr>>> {
        let host = (name.to_owned(), 0);
        Box::pin(async move {
            let addresses = tokio::task::spawn_blocking(move || host.to_socket_addrs()).await;
            Ok(addresses??.map(|address| address.ip()).collect())
        })
    }
}

/// The resolver for URLs that may lead anywhere.
pub(crate) struct Open(pub(crate) Arc<dyn Resolver>);

/// The resolver for URLs that must not lead inside.
///
/// What it returns is what is connected to, so a name that changes its addresses from one question
/// to the next gains nothing. A name is refused as a whole if one of its addresses is not public: it
/// is then a name for something inside, or a trick.
pub(crate) struct Guarded {
    resolver: Arc<dyn Resolver>,
    is_allowed: fn(IpAddr) -> bool,
}

impl Guarded {
    pub(crate) fn new(resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, is_allowed: is_public_address }
    }

    #[cfg(test)]
    pub(crate) fn allowing(resolver: Arc<dyn Resolver>, is_allowed: fn(IpAddr) -> bool) -> Self {
        Self { resolver, is_allowed }
    }
}

impl Resolve for Open {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.0.resolve(name.as_str());
        Box::pin(async move { Ok(sockets(found.await?)) })
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, is_allowed) = (self.resolver.resolve(name.as_str()), self.is_allowed);
        Box::pin(async move {
            let addresses = found.await?;
            if !addresses.iter().copied().all(is_allowed) {
                return Err(FetchError::from(FetchErrorKind::PrivateAddress).into());
            }
            Ok(sockets(addresses))
        })
    }
}

/// Port 0 stands for the port of the URL.
fn sockets(addresses: Vec<IpAddr>) -> Addrs {
    Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Names;

    async fn guarded(names: &Arc<Names>) -> Result<Vec<IpAddr>, FetchErrorKind> {
        let guard = Guarded::new(names.clone());
        let addresses = guard.resolve("auth.example".parse().unwrap()).await;
        addresses.map(|addresses| addresses.map(|address| address.ip()).collect()).map_err(
            |error| {
                error.downcast_ref::<FetchError>().map_or(FetchErrorKind::Connect, FetchError::kind)
            },
        )
    }

    fn addresses<const N: usize>(addresses: [&str; N]) -> Vec<IpAddr> {
        addresses.map(|address| address.parse().unwrap()).to_vec()
    }

    #[tokio::test]
    async fn a_name_with_public_addresses_keeps_them_all_and_their_order() {
        let public = addresses(["9.9.9.9", "2620:fe::fe", "149.112.112.112"]);
        let names = Arc::new(Names::of([public.clone()]));
        assert_eq!(guarded(&names).await, Ok(public));
        assert_eq!(names.asked(), 1);
    }

    #[tokio::test]
    async fn a_name_with_one_inside_address_is_refused_as_a_whole() {
        for found in [
            addresses(["10.0.0.1"]),
            addresses(["9.9.9.9", "127.0.0.1"]),
            addresses(["169.254.169.254", "9.9.9.9"]),
            addresses(["9.9.9.9", "::ffff:10.0.0.1"]),
            addresses(["9.9.9.9", "64:ff9b::a00:1"]),
            addresses(["9.9.9.9", "fe80::1"]),
        ] {
            let names = Arc::new(Names::of([found]));
            assert_eq!(guarded(&names).await, Err(FetchErrorKind::PrivateAddress));
        }
    }

    #[tokio::test]
    async fn a_name_that_changes_is_judged_at_each_question() {
        let names = Arc::new(Names::of([
            addresses(["9.9.9.9"]),
            addresses(["127.0.0.1"]),
            addresses(["9.9.9.10"]),
        ]));
        assert_eq!(guarded(&names).await, Ok(addresses(["9.9.9.9"])));
        assert_eq!(guarded(&names).await, Err(FetchErrorKind::PrivateAddress));
        assert_eq!(guarded(&names).await, Ok(addresses(["9.9.9.10"])));
        assert_eq!(names.asked(), 3, "once each: what was checked is what is used");
    }

    #[tokio::test]
    async fn the_system_knows_its_own_name() {
        let found = SystemResolver.resolve("localhost").await.unwrap();
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    }
}
