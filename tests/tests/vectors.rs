//! Conformance vectors: our own attack tokens, and what other projects publish.
//!
//! Our own are in `data/`. The others stay where they are: in the folder that `TENANTRY_VECTORS`
//! names, or in `../shared/vectors` beside the repository. Without them their tests say that they
//! ran nothing.
//!
//! No case that is labelled *reject* may be accepted. One that is labelled *accept* may be refused
//! only for an algorithm that is not supported, and those are counted apart. The counts of every
//! category have to equal `data/vector-counts.tsv`, so that a case cannot move unnoticed.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test's helper, this is how the test fails"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tenantry_core::{
    Algorithm, BoxFuture, Clock, IssuerSettings, KeyLocation, Policy, TrustIssuers,
};
use tenantry_jwks::{
    FetchError, FetchRequest, FetchResponse, KeySet, KeySettings, KeyStore, Transport,
};
use tenantry_jwt::{JwtVerifier, verify_signature};

/// What the header of a token, or the record of a signature, may name and we do not support.
const UNSUPPORTED: [&str; 4] = ["Ed448", "HS256", "HS384", "HS512"];

/// As long as the policy permits.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

#[tokio::test]
async fn own_attacks() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let mut run = Run::new("own-attacks.jsonl");
    for record in read(&data.join(run.file)) {
        let verdict = verify(&record).await;
        if record["expected"] == "accept" {
            let tenant = record["tenant"].as_str().unwrap_or("tenant1");
            assert_eq!(verdict.as_ref().ok().map(String::as_str), Some(tenant), "{}", id(&record));
        }
        // Here an algorithm that is not in the list is the attack itself.
        run.count(&record, verdict.is_ok(), false);
    }
    run.finish();
}

#[tokio::test]
async fn thirdparty_jws() {
    let Some(mut run) = Run::third_party("thirdparty-jws.jsonl") else {
        return;
    };
    for record in run.records() {
        let accepted = match text(&record, "layer") {
            "jws" => signature_holds(&record),
            "jwt" => verify(&record).await.is_ok(),
            other => panic!("{other} is no layer"),
        };
        run.count(&record, accepted, unsupported_token(&record));
    }
    run.finish();
}

#[test]
fn thirdparty_primitives() {
    let Some(mut run) = Run::third_party("thirdparty-primitives.jsonl") else {
        return;
    };
    for record in run.records() {
        let alg = text(&record, "alg");
        let jwks = serde_json::json!({ "keys": [record["jwk"]] }).to_string();
        let keys = KeySet::parse(jwks.as_bytes()).unwrap();
        let message = hex(text(&record, "signing_input_hex"));
        let signature = hex(text(&record, "signature_hex"));
        let accepted = alg.parse::<Algorithm>().is_ok_and(|algorithm| {
            keys.keys().iter().any(|key| key.verify(algorithm, &message, &signature).is_ok())
        });
        run.count(&record, accepted, UNSUPPORTED.contains(&alg));
    }
    run.finish();
}

#[test]
fn thirdparty_jwks() {
    let Some(mut run) = Run::third_party("thirdparty-jwks.jsonl") else {
        return;
    };
    for record in run.records() {
        let keys = KeySet::parse(text(&record, "jwks_raw").as_bytes());
        let usable = keys.map_or(0, |keys| keys.keys().len());
        if let Some(expected) = record["usable_signature_keys"].as_u64() {
            assert_eq!(usable as u64, expected, "{}", id(&record));
        }
        run.count(&record, usable > 0, false);
    }
    run.finish();
}

#[test]
fn thirdparty_thumbprints() {
    say("thirdparty-thumbprints.json: no case ran, there is no thumbprint function");
}

/// One file, and what came of its cases.
struct Run {
    file: &'static str,
    path: PathBuf,
    counts: BTreeMap<String, Counts>,
    wrong: Vec<String>,
}

#[derive(Default)]
struct Counts {
    accepted: usize,
    rejected: usize,
    unsupported: usize,
    policy_accepted: usize,
    policy_rejected: usize,
}

impl Run {
    fn new(file: &'static str) -> Self {
        Self { file, path: PathBuf::new(), counts: BTreeMap::new(), wrong: Vec::new() }
    }

    /// `None`, said visibly, if the file is not on this machine.
    fn third_party(file: &'static str) -> Option<Self> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
        let folder = std::env::var_os("TENANTRY_VECTORS").map_or_else(beside, PathBuf::from);
        let path = folder.join(file);
        if !path.exists() {
            say(&format!("{file}: no case ran, the file is not in {}", folder.display()));
            return None;
        }
        Some(Self { path, ..Self::new(file) })
    }

    fn records(&self) -> Vec<Value> {
        read(&self.path)
    }

    fn count(&mut self, record: &Value, accepted: bool, unsupported: bool) {
        let counts = self.counts.entry(text(record, "category").into()).or_default();
        match (text(record, "expected"), accepted) {
            ("accept", true) => counts.accepted += 1,
            ("policy", true) => counts.policy_accepted += 1,
            ("reject", true) => self.wrong.push(format!("accepted {}", id(record))),
            (_, false) if unsupported => counts.unsupported += 1,
            ("reject", false) => counts.rejected += 1,
            ("policy", false) => counts.policy_rejected += 1,
            ("accept", false) => self.wrong.push(format!("refused {}", id(record))),
            (other, _) => panic!("{other} is no expectation"),
        }
    }

    fn finish(self) {
        let mut table = String::new();
        let mut cases = 0;
        for (category, counts) in &self.counts {
            let Counts { accepted, rejected, unsupported, policy_accepted, policy_rejected } =
                counts;
            cases += accepted + rejected + unsupported + policy_accepted + policy_rejected;
            writeln!(
                table,
                "{}\t{category}\t{accepted}\t{rejected}\t{unsupported}\t{policy_accepted}\t{policy_rejected}",
                self.file,
            )
            .unwrap();
        }
        say(&format!("{}: {cases} cases ran", self.file));
        assert!(self.wrong.is_empty(), "{}: {:#?}", self.file, self.wrong);
        let expected: String = include_str!("../data/vector-counts.tsv")
            .lines()
            .filter(|line| line.split('\t').next() == Some(self.file))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(table, expected, "data/vector-counts.tsv says otherwise; now it is:\n{table}");
    }
}

/// The signature level: any key of the set, since these cases are below key selection.
fn signature_holds(record: &Value) -> bool {
    let Ok(keys) = KeySet::parse(record["jwks"].to_string().as_bytes()) else {
        return false;
    };
    let token = text(record, "token");
    keys.keys().iter().any(|key| verify_signature(token, MAX_TOKEN_BYTES, key).is_ok())
}

/// The whole verifier, under a policy made of the record's `params`. Returns the tenant.
///
/// A record whose keys are all symmetric stops the start of the verifier, which is a refusal too.
async fn verify(record: &Value) -> Result<String, Box<dyn Error>> {
    let params = &record["params"];
    let algorithms = params["algs"].as_array().map_or_else(
        || Algorithm::ALL.to_vec(),
        |algs| algs.iter().map(|alg| alg.as_str().unwrap().parse().unwrap()).collect(),
    );
    let mut policy = Policy::builder()
        .audience(params["aud"].as_str().unwrap_or("https://api.example.com"))
        .scope("{scope}")
        .clock_skew(seconds(&params["leeway"]));
    let issuers = match params["trusted_issuers"].as_object() {
        Some(issuers) => issuers
            .iter()
            .map(|(iss, tenant)| {
                let settings = IssuerSettings::new(iss).tenants([tenant.as_str().unwrap()]);
                settings.keys(KeyLocation::Jwks(record["jwks"][iss].to_string().into()))
            })
            .collect(),
        None => {
            let keys = KeyLocation::Jwks(record["jwks"].to_string().into());
            vec![IssuerSettings::new("https://as.example.com").keys(keys)]
        }
    };
    for issuer in issuers {
        policy = policy.issuer(issuer.algorithms(algorithms.clone()));
    }
    let clock = Arc::new(StoppedClock(seconds(&params["now"])));
    let keys = KeyStore::new(KeySettings::default(), Arc::new(NoNetwork), clock.clone());
    let verifier =
        JwtVerifier::builder(policy.build().unwrap(), keys, Arc::new(TrustIssuers), clock)
            .build()?;
    let verified = verifier.verify(text(record, "token")).await?;
    Ok(verified.facts().tenant_claims[0].value.to_string())
}

/// Whether the header names an algorithm that we do not support, read without our own code.
fn unsupported_token(record: &Value) -> bool {
    let header = text(record, "token").split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    header["alg"].as_str().is_some_and(|alg| UNSUPPORTED.contains(&alg))
}

/// Past the test runner, which keeps what a test that passes prints to itself.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "vectors: {line}");
}

#[derive(Debug)]
struct StoppedClock(Duration);

impl Clock for StoppedClock {
    fn unix(&self) -> Duration {
        self.0
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(1)
    }
}

#[derive(Debug)]
struct NoNetwork;

impl Transport for NoNetwork {
    fn get(&self, _: FetchRequest) -> BoxFuture<Result<FetchResponse, FetchError>> {
        panic!("a vector asked for the network")
    }
}

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(record: &'a Value, member: &str) -> &'a str {
    record[member].as_str().unwrap_or_else(|| panic!("{} has no {member}", id(record)))
}

fn id(record: &Value) -> &str {
    record["id"].as_str().unwrap_or("?")
}

fn seconds(number: &Value) -> Duration {
    Duration::from_secs_f64(number.as_f64().unwrap_or(0.0))
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
