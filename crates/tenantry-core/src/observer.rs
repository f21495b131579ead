//! Watching the decision: every check it makes, in order.

use std::fmt;

use crate::reason::Reason;

/// Is told every check of a decision. It cannot change the verdict.
pub trait Observer {
    /// Takes note of one check.
    fn check(&mut self, check: Check<'_>);
}

/// One check of a decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Check<'a> {
    /// What was looked at.
    pub source: Source,
    /// The tenant, or for [`Source::Scope`] the scope, that was found there.
    pub named: Option<&'a str>,
    /// Where from: a claim's or header's name, or the pattern. For [`Source::Revocations`], what the
    /// token is revoked by.
    pub origin: &'a str,
    /// What came of it.
    pub verdict: Verdict,
}

/// What a check looked at.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Source {
    /// The `aud` of the token, by pattern.
    Audience,
    /// A tenant claim of the token.
    Claim,
    /// The directory of tenants.
    Directory,
    /// The tenant header of the request.
    Header,
    /// The host of the request, by pattern.
    Host,
    /// The `iss` of the token, by pattern.
    Issuer,
    /// The tenants that the issuer may speak for.
    IssuerTenants,
    /// The path of the request, by pattern.
    Path,
    /// The list of revocations.
    Revocations,
    /// A scope of the token, or one that is needed.
    Scope,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Audience => "audience",
            Self::Claim => "claim",
            Self::Directory => "directory",
            Self::Header => "header",
            Self::Host => "host",
            Self::Issuer => "issuer",
            Self::IssuerTenants => "issuer's tenants",
            Self::Path => "path",
            Self::Revocations => "revocations",
            Self::Scope => "scope",
        })
    }
}

/// What came of one check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is as it has to be.
    Holds,
    /// It says nothing, and need not.
    Ignored,
    /// It would refuse the request. The first in the order of the decision is the cause.
    Fails(Reason),
}

/// The observer that does nothing, and compiles to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    #[inline(always)]
    fn check(&mut self, _: Check<'_>) {}
}

/// The observer that keeps everything; `Display` writes the table.
///
/// # Security
///
/// The table shows what the token says about tenants and scopes. Show it to whoever has the token.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    rows: Vec<Row>,
}

/// One row of a [`Recording`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// What was looked at.
    pub source: Source,
    /// The tenant or scope found there.
    pub named: Option<String>,
    /// Where from.
    pub origin: String,
    /// What came of it.
    pub verdict: Verdict,
}

impl Recording {
    /// The checks, in the order they were made.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl Observer for Recording {
    fn check(&mut self, check: Check<'_>) {
        self.rows.push(Row {
            source: check.source,
            named: check.named.map(Into::into),
            origin: check.origin.into(),
            verdict: check.verdict,
        });
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |texts: &mut dyn Iterator<Item = &str>, title: &str| {
            texts.map(|text| text.chars().count()).chain([title.len()]).max().unwrap_or_default()
        };
        // What a token says is data: it writes no rows of its own.
        let named = |row: &Row| {
            row.named
                .as_deref()
                .map_or_else(|| "-".into(), |named| named.escape_debug().to_string())
        };
        let names: Vec<_> = self.rows.iter().map(named).collect();
        let (names_wide, origins_wide) = (
            width(&mut names.iter().map(String::as_str), "tenant"),
            width(&mut self.rows.iter().map(|row| row.origin.as_str()), "where from"),
        );
        writeln!(
            f,
            "{:16}  {:names_wide$}  {:origins_wide$}  verdict",
            "source", "tenant", "where from"
        )?;
        for (row, name) in self.rows.iter().zip(&names) {
            write!(f, "{:16}  {name:names_wide$}  {:origins_wide$}  ", row.source, row.origin)?;
            match row.verdict {
                Verdict::Holds => writeln!(f, "holds")?,
                Verdict::Ignored => writeln!(f, "ignored")?,
                Verdict::Fails(reason) => writeln!(f, "fails: {}", reason.code())?,
            }
        }
        Ok(())
    }
}
