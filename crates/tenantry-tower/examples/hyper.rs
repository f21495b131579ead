//! A bare hyper server behind the layers: no axum, no router.
//!
//! ```text
//! cargo run -p tenantry-tower --example hyper [ADDRESS]
//! ```
//!
//! It makes an issuer for itself and prints requests to try, with tokens that hold for ten minutes.

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tenantry::{ConfigError, IssuerSettings, KeyLocation, ResourceServer};
use tenantry_core::TenantAwareRequest;
use tenantry_testkit::TestIssuer;
use tenantry_tower::{RefusalBody, RequireScopeLayer};
use tokio::net::TcpListener;
use tower::{Layer, Service, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8081".into());
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;

    let issuer = TestIssuer::offline("https://auth.erp.example");
    let erp = resource_server(&issuer).await?;
    let token = issuer.token().tenant("tenant1").scope("tenant1.journal.read").sign();
    println!("listening on http://{address}; try");
    for path in ["/tenant1/journal-entries", "/tenant2/journal-entries"] {
        println!("  curl -i -H 'Authorization: Bearer {token}' http://{address}{path}");
    }
    serve(listener, service(&erp)).await?;
    Ok(())
}

/// Whose tokens are accepted, and where tenants are named. A real service leaves out `keys`: then
/// they are discovered.
pub(crate) async fn resource_server(issuer: &TestIssuer) -> Result<ResourceServer, ConfigError> {
    let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
    ResourceServer::builder()
        .issuer(IssuerSettings::new(issuer.url()).keys(keys))
        .audience("https://api.erp.example/{tenant}")
        .scope("{tenant}.{scope}")
        .tenant_path("/{tenant}/{*rest}")
        .realm("journal")
        .build()
        .await
}

/// The layers, from the inside out, around a plain tower service.
pub(crate) fn service(erp: &ResourceServer) -> impl Entries {
    let entries = service_fn(list);
    let scoped = RequireScopeLayer::all(["journal.read"]).layer(entries);
    // Nothing stands between hyper and this layer, so the path that it sees is the whole one.
    erp.tower_layer().uri_is_whole().layer(scoped)
}

/// The handler: whoever gets here has a proven tenant.
async fn list(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = match request.extensions().get::<TenantAwareRequest>() {
        Some(proven) => format!("the entries of {}\n", proven.tenant()),
        None => unreachable!("the extractor stands before this handler"),
    };
    Ok(Response::new(Full::from(text)))
}

/// The type of what [`service`] returns, in short.
pub(crate) trait Entries:
    Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Entries for S where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// A body for each layer that may refuse.
pub(crate) type Body = RefusalBody<RefusalBody<Full<Bytes>>>;

/// Serves connections until accepting one fails.
pub(crate) async fn serve(listener: TcpListener, service: impl Entries) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("a connection broke: {error}");
            }
        });
    }
}
