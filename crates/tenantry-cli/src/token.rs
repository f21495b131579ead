//! `tenantry token`: asks a running issuer, and prints the token and what is in it.

use std::io::Read;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::args::{Place, TokenArgs};
use crate::clock::written;
use crate::failure::{Failure, with_causes};
use crate::output::{Output, fields, plain};
use crate::setup::Setup;

const SECRET_VARIABLE: &str = "TENANTRY_CLIENT_SECRET";

/// How long the issuer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

pub(crate) async fn run(args: &TokenArgs, place: &Place, output: Output) -> Result<(), Failure> {
    let issuer = match &args.issuer {
        Some(issuer) => issuer.clone(),
        None => Setup::read(place)?.settings_alone()?.issuer().clone(),
    };
    let secret = secret(args)?;
    // The tenant is in the path: so it is with one issuer for all, and with one for each.
    let url = format!("{}/{}/oauth/token", issuer.base(), args.tenant);
    let (status, answer) = ask(&url, args, &secret).await?;
    if status != StatusCode::OK {
        return Err(refusal(status, &answer, &url));
    }
    let Some(token) = answer.get("access_token").and_then(Value::as_str) else {
        return Err(Failure::under_way(format!("{url} answered 200 without an access_token")));
    };
    print(token, &answer, output)
}

/// The secret of the client. Never from the command line: other users of a machine can read that.
fn secret(args: &TokenArgs) -> Result<String, Failure> {
    let text = match &args.secret_file {
        Some(file) => read(file).map_err(|error| {
            Failure::told(format!("the secret cannot be read from {}: {error}", file.display()))
        })?,
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

fn read(file: &Path) -> io::Result<String> {
    if file != Path::new("-") {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().lock().take(64 * 1024).read_to_string(&mut text)?;
    Ok(text)
}

async fn ask(url: &str, args: &TokenArgs, secret: &str) -> Result<(StatusCode, Value), Failure> {
    let mut form = vec![("grant_type", "client_credentials".to_owned())];
    if !args.scopes.is_empty() {
        form.push(("scope", args.scopes.join(" ")));
    }
    if let Some(audience) = &args.audience {
        form.push(("audience", audience.clone()));
    }
    let basic = args.auth == "basic";
    if !basic {
        form.push(("client_id", args.client_id.to_string()));
        form.push(("client_secret", secret.into()));
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
    if basic {
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

fn refusal(status: StatusCode, answer: &Value, url: &str) -> Failure {
    let member = |name| answer.get(name).and_then(Value::as_str);
    Failure::under_way(match (member("error"), member("error_description")) {
        (Some(error), Some(description)) => {
            format!("the issuer refused, {} {error}: {description}", status.as_u16())
        }
        (Some(error), None) => format!("the issuer refused, {} {error}", status.as_u16()),
        (None, _) => format!("{url} answered {status}, and not as a token endpoint does"),
    })
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
        let failure = refusal(StatusCode::BAD_REQUEST, &answer, "http://127.0.0.1:9000");
        assert_eq!(failure.to_string(), "the issuer refused, 400 invalid_scope: no\\nsuch scope");
        assert_eq!(failure.exit_code(), 1);
    }
}
