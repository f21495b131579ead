//! Where tenants come from: the file, the program, or both by mistake.

use std::sync::Arc;
use std::time::Duration;

use tenantry::{
    BoxFuture, Directory, IssuerSettings, KeyLocation, PolicyFile, Rejection, ResourceServer,
    ResourceServerBuilder, Standing, StaticDirectory, Tenant, TenantId,
};
use tenantry_testkit::TestIssuer;

use crate::stack::{Api, Files, issuer};

const BASE: &str = r#"
[resource_server]
audience = "https://api.erp.example/{tenant}"

[[issuer]]
issuer = "https://auth.erp.example"
jwks_file = "keys.json"
"#;

/// Knows `tenant1`.
fn source(server: ResourceServerBuilder) -> ResourceServerBuilder {
    server.tenant_source(|id: TenantId| async move {
        Ok((id == "tenant1").then(|| Tenant::new("tenant1", Standing::Active)))
    })
}

fn listed() -> Arc<StaticDirectory> {
    let tenants = [("tenant1".parse().unwrap(), Standing::Active)];
    Arc::new(StaticDirectory::new(tenants).unwrap())
}

fn builder(issuer: &TestIssuer) -> ResourceServerBuilder {
    let keys = KeyLocation::Jwks(issuer.jwks().to_string().into());
    ResourceServer::builder()
        .issuer(IssuerSettings::new(issuer.url()).keys(keys))
        .audience("https://api.erp.example/{tenant}")
}

async fn problem(builder: ResourceServerBuilder) -> String {
    builder.build().await.unwrap_err().to_string()
}

async fn in_file(
    directory: &str,
    change: impl Fn(ResourceServerBuilder) -> ResourceServerBuilder + Send + Sync + 'static,
) -> Result<ResourceServer, String> {
    let files = Files::new(&format!("{BASE}{directory}"), &issuer().0);
    let server = files.policy().configure(change).build().await;
    let folder = files.path("");
    server.map_err(|error| error.to_string().replace(&*folder.to_string_lossy(), ""))
}

#[tokio::test]
async fn a_directory_without_tenants_is_the_programs() {
    for directory in ["[directory]", "[directory]\nlifetime = \"30s\""] {
        assert!(in_file(directory, source).await.is_ok());
        assert!(in_file(directory, |server| server.directory(listed())).await.is_ok());
        assert_eq!(
            in_file(directory, |server| server).await.unwrap_err(),
            "policy.toml:8: directory: it lists no tenant, and the program brings no source of tenants, so nobody would be served: add a [[directory.tenant]], or leave [directory] out to trust the issuers",
        );
    }
    assert!(in_file("", source).await.is_ok());
}

#[tokio::test]
async fn tenants_come_from_one_place() {
    const BOTH: &str = "directory.tenant: tenants come from one place: the program brings a source, so list none here and set no other directory";
    assert_eq!(
        in_file("[directory]\n[[directory.tenant]]\nid = \"tenant1\"", source).await.unwrap_err(),
        format!("policy.toml:9: {BOTH}"),
    );
    let (issuer, _) = issuer();
    assert_eq!(problem(source(builder(&issuer).directory(listed()))).await, BOTH);
}

#[tokio::test]
async fn the_lifetime_has_bounds() {
    const BOUNDS: &str = "directory.lifetime: a suspended tenant is served for up to this long: set it from 1 second to 1 hour";
    let (issuer, _) = issuer();
    let built = |milliseconds| {
        let lifetime = Duration::from_millis(milliseconds);
        source(builder(&issuer)).directory_lifetime(lifetime)
    };
    for outside in [0, 999, 3_600_001] {
        assert_eq!(problem(built(outside)).await, BOUNDS);
        for list in ["", "[[directory.tenant]]\nid = \"tenant1\""] {
            let text = format!("{BASE}[directory]\nlifetime = \"{outside}ms\"\n{list}");
            let error = PolicyFile::parse(&text, "policy.toml").unwrap_err();
            assert_eq!(error.to_string(), format!("policy.toml:9: {BOUNDS}"));
        }
    }
    for inside in [1000, 3_600_000] {
        assert!(built(inside).build().await.is_ok());
        let directory = format!("[directory]\nlifetime = \"{inside}ms\"");
        assert!(in_file(&directory, source).await.is_ok());
    }
}

/// What a tenant that was suspended gets after so many seconds.
async fn outcomes(
    directory: &str,
    change: impl Fn(ResourceServerBuilder) -> ResourceServerBuilder + Send + Sync + 'static,
) -> Vec<String> {
    let (issuer, clock) = issuer();
    let files = Files::new(&format!("{BASE}{directory}"), &issuer);
    let suspended = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = Arc::clone(&suspended);
    let time = Arc::new(clock.clone());
    let file = files.policy().configure(move |server| {
        let told = Arc::clone(&told);
        let server = server.clock(time.clone()).tenant_source(move |id: TenantId| {
            let standing = match told.load(std::sync::atomic::Ordering::Relaxed) {
                true => Standing::Suspended,
                false => Standing::Active,
            };
            async move { Ok(Some(Tenant::new(id.as_str(), standing))) }
        });
        change(server)
    });
    let server = file.build().await.unwrap();
    let api = Api::behind(&server).with(files);
    let token = issuer.token().tenant("tenant1").sign();
    let mut outcomes = Vec::new();
    for advance in [0, 4, 1, 24, 1] {
        clock.advance(Duration::from_secs(advance));
        // Each answer is as old as it can be: nothing runs in the background.
        outcomes.push(api.get("/tenant1/whoami", &token).await.outcome());
        suspended.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    outcomes
}

#[tokio::test]
async fn the_lifetime_is_30_seconds_or_what_the_file_or_the_program_says() {
    const YES: &str = "200 tenant1 journal-sync";
    const NO: &str = "403 tenant_suspended";
    assert_eq!(outcomes("", |server| server).await, [YES, YES, YES, YES, NO]);
    let file = "[directory]\nlifetime = \"5s\"";
    assert_eq!(outcomes(file, |server| server).await, [YES, YES, NO, NO, NO]);
    let later = |server: ResourceServerBuilder| server.directory_lifetime(Duration::from_secs(29));
    assert_eq!(outcomes(file, later).await, [YES, YES, YES, NO, NO]);
}

#[tokio::test]
async fn an_issuer_pattern_can_have_its_tenants_from_a_source() {
    let pattern = || {
        ResourceServer::builder()
            .issuer("https://login.example/{tenant}")
            .audience("https://api.erp.example/{tenant}")
            .transport(Arc::new(crate::stack::Script::default()))
    };
    assert!(pattern().build().await.is_err());
    assert!(source(pattern()).build().await.is_ok());

    // In a file, its tenants are trusted unless there is a [directory].
    let text = |directory: &str| {
        let audience = "[resource_server]\naudience = \"https://api.erp.example/{tenant}\"\n";
        format!("{audience}[[issuer]]\nissuer = \"https://login.example/{{tenant}}\"\n{directory}")
    };
    assert!(PolicyFile::parse(&text(""), "policy.toml").is_err());
    let file = PolicyFile::parse(&text("[directory]"), "policy.toml").unwrap();
    assert!(file.configure(source).build().await.is_ok());
    let file = PolicyFile::parse(&text("[directory]"), "policy.toml").unwrap();
    assert!(file.build().await.is_err());
}

#[tokio::test]
async fn forgetting_a_tenant_of_a_list_changes_nothing() {
    let (issuer, clock) = issuer();
    let server = builder(&issuer).directory(listed()).clock(Arc::new(clock)).build();
    let server = server.await.unwrap();
    let token = issuer.token().tenant("tenant1").sign();
    server.forget_tenant(&"tenant1".parse().unwrap());
    let answer = Api::behind(&server).get("/tenant1/whoami", &token).await;
    assert_eq!(answer.outcome(), "200 tenant1 journal-sync");
}

/// A directory of the program's own, which keeps what it was told to forget.
#[derive(Debug, Default)]
struct Forgetful(std::sync::Mutex<Vec<String>>);

impl Directory for Forgetful {
    fn cached(&self, _: &TenantId) -> Option<Standing> {
        Some(Standing::Active)
    }

    fn fresh(self: Arc<Self>, _: TenantId) -> BoxFuture<Result<Standing, Rejection>> {
        Box::pin(std::future::ready(Ok(Standing::Active)))
    }

    fn trusts_issuers(&self) -> bool {
        false
    }

    fn forget(&self, tenant: &TenantId) {
        self.0.lock().unwrap().push(tenant.to_string());
    }
}

#[tokio::test]
async fn a_directory_of_the_programs_own_is_told_to_forget() {
    let (issuer, _) = issuer();
    let directory = Arc::new(Forgetful::default());
    let server = builder(&issuer).directory(directory.clone()).build().await.unwrap();
    server.forget_tenant(&"tenant1".parse().unwrap());
    assert_eq!(*directory.0.lock().unwrap(), ["tenant1"]);
}
