//! A page of `docs/issuers`: the policy and the sample tokens in it.

use serde_json::Value;
use tenantry_testkit::{SigningKey, TestIssuer};

use crate::{ROOT, key1};

pub(crate) struct Page(String);

/// A token as a page shows it, not signed.
#[derive(Clone)]
pub(crate) struct Sample {
    header: Value,
    claims: Value,
}

impl Page {
    /// The page of the policy file with this name.
    pub(crate) fn read(name: &str) -> Self {
        Self(std::fs::read_to_string(format!("{ROOT}/docs/issuers/{name}.md")).unwrap())
    }

    /// The first TOML of the page.
    pub(crate) fn policy(&self) -> String {
        blocks(&self.0, "toml").first().expect("a page has a policy").clone()
    }

    /// The headings of the second level.
    pub(crate) fn headings(&self) -> Vec<&str> {
        self.0.lines().filter_map(|line| line.strip_prefix("## ")).collect()
    }

    /// The header and the claims below a heading of the third level.
    pub(crate) fn sample(&self, heading: &str) -> Sample {
        let section = self.0.split(&format!("\n### {heading}\n")).nth(1);
        let section = section.unwrap_or_else(|| panic!("no section {heading}"));
        let section = section.split("\n##").next().unwrap();
        let blocks = blocks(section, "json");
        let [header, claims] = blocks.as_slice() else {
            panic!("{heading}: a header and claims, not {} blocks", blocks.len());
        };
        let parse = |text: &String| serde_json::from_str(text).expect("a sample is JSON");
        Sample { header: parse(header), claims: parse(claims) }
    }
}

fn blocks(text: &str, language: &str) -> Vec<String> {
    let fenced = text.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let of_language = fenced.filter(|(of, _)| *of == language);
    of_language.map(|(_, text)| format!("{text}\n")).collect()
}

impl Sample {
    pub(crate) fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims[claim] = value.into();
        self
    }

    pub(crate) fn without(mut self, claim: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(claim);
        self
    }

    pub(crate) fn with_header(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.header[member] = value.into();
        self
    }

    pub(crate) fn claim(&self, name: &str) -> &Value {
        &self.claims[name]
    }

    pub(crate) fn kid(&self) -> &str {
        self.header["kid"].as_str().expect("all of these issuers name their keys")
    }

    /// The token, with exactly the header and the claims of the sample.
    pub(crate) fn signed_by(&self, key: &SigningKey) -> String {
        let issuer = TestIssuer::builder().key(key1().clone()).algorithms([]).offline();
        let token = issuer.token().signed_by(key);
        let (header, claims) = (self.header.to_string(), self.claims.to_string());
        token.raw_header(header).raw_claims(claims).sign()
    }
}
