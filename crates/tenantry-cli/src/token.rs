//! `tenantry token`: asks a running issuer, and prints the token and what is in it.

use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use tenantry_issuer::IssuerName;

use crate::args::{Place, TokenArgs};
use crate::assertion::sign;
use crate::client_args::Auth;
use crate::clock::written;
use crate::failure::{Failure, with_causes};
use crate::file::{limited, read_short};
use crate::output::{Output, fields, plain};
use crate::setup::Setup;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const SECRET_VARIABLE: &str = "TENANTRY_CLIENT_SECRET";

/// How long the issuer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// By what the client proves itself.
enum Proof {
    Basic(String),
    Post(String),
    Assertion(String),
}

pub(crate) async fn run(args: &TokenArgs, place: &Place, output: Output) -> Result<(), Failure> {
    let issuer = match &args.issuer {
        Some(issuer) => issuer.clone(),
        None => Setup::read(place)?.issuer().await?,
    };
    let proof = proof(args, &issuer)?;
    // The tenant is in the path: so it is with one issuer for all, and with one for each.
    let url = format!("{}/{}/oauth/token", args.at.as_ref().unwrap_or(&issuer).base(), args.tenant);
    let (status, answer) = ask(&url, args, &proof).await?;
    if status != StatusCode::OK {
        return Err(refusal(status, &answer, &url, args.audience.is_none()));
    }
    let Some(token) = answer.get("access_token").and_then(Value::as_str) else {
        return Err(Failure::under_way(format!("{url} answered 200 without an access_token")));
    };
    print(token, &answer, output)
}

fn proof(args: &TokenArgs, issuer: &IssuerName) -> Result<Proof, Failure> {
    match (args.auth, &args.key) {
        (Auth::PrivateKeyJwt, Some(file)) => {
            let issuer = issuer.of(&args.tenant);
            sign(file, args.kid.as_deref(), &args.client_id, issuer.as_str()).map(Proof::Assertion)
        }
        (Auth::PrivateKeyJwt, None) => {
            Err(Failure::told("private_key_jwt needs the client's private key: --key FILE"))
        }
        (_, Some(_)) => Err(Failure::told("--key is for --auth private_key_jwt")),
        (Auth::Basic, None) => secret(args).map(Proof::Basic),
        (Auth::Post, None) => secret(args).map(Proof::Post),
    }
}

/// The secret of the client. Never from the command line: other users of a machine can read that.
fn secret(args: &TokenArgs) -> Result<String, Failure> {
    let text = match &args.secret_file {
        Some(file) if file == Path::new("-") => limited(io::stdin().lock()).map_err(|error| {
            Failure::told(format!("the secret cannot be read from standard input: {error}"))
        })?,
        Some(file) => read_short(file)?,
        None => std::env::var(SECRET_VARIABLE).map_err(|_| {
            Failure::told(format!(
                "put the client's secret into {SECRET_VARIABLE}, or into a file that --secret-file names"
            ))
        })?,
    };
    match text.trim() {
        "" => Err(Failure::told("the client's secret is empty")),
        secret => Ok(secret.into()),
    }
}

async fn ask(url: &str, args: &TokenArgs, proof: &Proof) -> Result<(StatusCode, Value), Failure> {
    let mut form = vec![("grant_type", "client_credentials".to_owned())];
    if !args.scopes.is_empty() {
        form.push(("scope", args.scopes.join(" ")));
    }
    if let Some(audience) = &args.audience {
        form.push(("audience", audience.clone()));
    }
    match proof {
        Proof::Basic(_) => {}
        Proof::Post(secret) => {
            form.push(("client_id", args.client_id.to_string()));
            form.push(("client_secret", secret.clone()));
        }
        Proof::Assertion(assertion) => {
            form.push(("client_assertion_type", ASSERTION_TYPE.into()));
            form.push(("client_assertion", assertion.clone()));
        }
    }
    let failed = |error: reqwest::Error| {
        Failure::under_way(format!("{url} does not answer: {}", with_causes(&error.without_url())))
    };
    // A secret does not follow a redirect, and does not go through a proxy that nobody named here.
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .map_err(failed)?;
    let mut request = client.post(url).form(&form);
    if let Proof::Basic(secret) = proof {
        // A client id has only characters that form encoding leaves as they are, and so has a secret
        // that was generated here (RFC 6749, section 2.3.1).
        request = request.basic_auth(&args.client_id, Some(encoded(secret)));
    }
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Failure::under_way(format!("{url} answered more than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Form-encodes what goes into HTTP Basic ([RFC 6749 §2.3.1]).
///
/// [RFC 6749 §2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'*') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn refusal(status: StatusCode, answer: &Value, url: &str, any_audience: bool) -> Failure {
    let member = |name| answer.get(name).and_then(Value::as_str);
    let (Some(error), description) = (member("error"), member("error_description")) else {
        let problem = format!("{url} answered {status}, and not as a token endpoint does");
        return Failure::under_way(problem);
    };
    let mut text = format!("{url} refused, {} {error}", status.as_u16());
    if let Some(description) = description {
        text.push_str(&format!(": {description}"));
    }
    if error == "invalid_target" && any_audience {
        text.push_str("; --audience URL names one");
    }
    Failure::under_way(text)
}

fn print(token: &str, answer: &Value, output: Output) -> Result<(), Failure> {
    let part = |index| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok()
    };
    let (header, claims) = (part(0), part(1));
    let json = json!({ "response": answer, "header": header, "claims": claims });
    let mut text = format!("{}\n\n", plain(token));
    let mut shown = Vec::new();
    if let Some(Value::Object(header)) = &header {
        shown.extend(header.iter().map(|(name, value)| (name.as_str(), as_text(name, value))));
    }
    if let Some(Value::Object(claims)) = &claims {
        shown.extend(claims.iter().map(|(name, value)| (name.as_str(), as_text(name, value))));
    }
    text.push_str(&fields(&shown));
    if answer.get("refresh_token").is_some() {
        text.push_str("\nThere is a refresh token with it: --json prints it.\n");
    }
    output.print(&json, &text)
}

fn as_text(name: &str, value: &Value) -> String {
    match (name, value, value.as_u64()) {
        ("exp" | "iat" | "nbf", _, Some(seconds)) => {
            format!("{seconds}  {}", written(Duration::from_secs(seconds)))
        }
        (_, Value::String(text), _) => text.clone(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_basic_would_take_for_something_else_is_encoded() {
        assert_eq!(encoded("aZ09-._*"), "aZ09-._*");
        assert_eq!(encoded("a:b%c d~"), "a%3Ab%25c%20d%7E");
    }

    #[test]
    fn a_refusal_is_told_in_the_issuers_words() {
        let answer = json!({ "error": "invalid_scope", "error_description": "no\nsuch scope" });
        let failure = refusal(StatusCode::BAD_REQUEST, &answer, "http://127.0.0.1:9000", true);
        assert_eq!(
            failure.to_string(),
            "http://127.0.0.1:9000 refused, 400 invalid_scope: no\\nsuch scope"
        );
        assert_eq!(failure.exit_code(), 1);
    }
}
