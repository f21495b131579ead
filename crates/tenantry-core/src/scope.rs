//! What a token permits, and what a route needs: scopes, whole tokens compared byte for byte.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::pattern::ScopePattern;
use crate::tenant::TenantId;

/// One member of a [`Scope`], such as `journal.read`.
///
/// `scope-token` of [RFC 6749 §3.3]: printable ASCII except space, `"` and `\`. It therefore never
/// needs escaping inside a challenge.
///
/// [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ScopeToken(Box<str>);

impl ScopeToken {
    /// Returns the token as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScopeToken {
    type Err = InvalidScope;

    /// # Errors
    ///
    /// If `token` is empty or has a byte outside the grammar.
    fn from_str(token: &str) -> Result<Self, Self::Err> {
        if !is_scope_token(token) {
            return Err(InvalidScope(()));
        }
        Ok(Self(token.into()))
    }
}

/// The scope of an access token, as the issuer wrote it: a list of [`ScopeToken`]s.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Scope(Box<[ScopeToken]>);

impl Scope {
    /// Reads the `scope` claim: tokens with one space between each ([RFC 6749 §3.3]).
    ///
    /// # Errors
    ///
    /// If a token is outside its grammar, or blanks are doubled, leading or trailing. The empty
    /// string is the empty scope.
    ///
    /// [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
    pub fn parse(scope: &str) -> Result<Self, InvalidScope> {
        if scope.is_empty() {
            return Ok(Self::default());
        }
        Self::from_tokens(scope.split(' '))
    }

    /// Takes tokens that are a list already, as in some issuers' `scp`.
    ///
    /// # Errors
    ///
    /// If a token is outside its grammar.
    pub fn from_tokens<'a>(
        tokens: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidScope> {
        tokens.into_iter().map(str::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The tokens, in the order of the claim.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ScopeToken::as_str)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({} tokens)", self.0.len())
    }
}

/// A string is not a scope ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidScope(());

impl fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a scope: printable ASCII without quotes and backslashes, one blank between",
        )
    }
}

impl Error for InvalidScope {}

/// How the scopes of a tenant are written in its tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ScopeRule {
    pub(crate) pattern: ScopePattern,
    /// Accepted unqualified, too, while migrating.
    pub(crate) plain: Box<[ScopeToken]>,
}

/// What one scope token of a token says to one tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reading<'a> {
    /// Listed as plain, yet the pattern reads it as a scope of this very tenant.
    Ambiguous,
    /// A scope of another tenant.
    Foreign,
    /// A scope of nobody: neither qualified nor listed.
    Other,
    /// A scope of this tenant, without what qualifies it.
    Own(&'a str),
}

impl ScopeRule {
    pub(crate) fn read<'a>(&self, tenant: &str, token: &'a str) -> Reading<'a> {
        let qualified = self.pattern.matches(token);
        let own = qualified.filter(|found| found.tenant.is_none_or(|named| named == tenant));
        if self.plain.iter().any(|plain| plain.as_str() == token) {
            // INVARIANT (agreement): tenant `finance` must not read `finance.write` in two ways.
            return if own.is_some() { Reading::Ambiguous } else { Reading::Own(token) };
        }
        match (own, qualified) {
            (Some(found), _) => Reading::Own(found.scope),
            (None, Some(_)) => Reading::Foreign,
            (None, None) => Reading::Other,
        }
    }

    pub(crate) fn render(&self, tenant: &TenantId, scope: &str) -> String {
        self.pattern.render(tenant, scope)
    }
}

/// The scopes a route needs, written without the tenant's prefix.
///
/// ```
/// use tenantry_core::ScopeNeed;
///
/// const BOOK: ScopeNeed = ScopeNeed::all(&["finance.write", "journal.create"]);
/// ```
#[derive(Clone, Debug)]
pub struct ScopeNeed(Alternatives);

#[derive(Clone, Debug)]
enum Alternatives {
    All(&'static [&'static str]),
    Any(&'static [&'static str]),
    AnyOfAll(&'static [&'static [&'static str]]),
    Owned(Arc<[Box<[ScopeToken]>]>),
}

// PANIC: these run on literals, in constants: what would panic does not compile.
#[expect(clippy::indexing_slicing, reason = "evaluated on literals, in constants")]
impl ScopeNeed {
    /// Every one of `scopes`.
    ///
    /// # Panics
    ///
    /// If the list is empty or one is outside the grammar of a [`ScopeToken`]: at compile time when
    /// it is used in a constant.
    #[must_use]
    pub const fn all(scopes: &'static [&'static str]) -> Self {
        assert_scopes(scopes);
        Self(Alternatives::All(scopes))
    }

    /// At least one of `scopes`.
    ///
    /// # Panics
    ///
    /// As [`all`](Self::all).
    #[must_use]
    pub const fn any(scopes: &'static [&'static str]) -> Self {
        assert_scopes(scopes);
        Self(Alternatives::Any(scopes))
    }

    /// Every one of at least one list.
    ///
    /// # Panics
    ///
    /// As [`all`](Self::all), also if there is no list.
    #[must_use]
    pub const fn any_of_all(lists: &'static [&'static [&'static str]]) -> Self {
        assert!(!lists.is_empty(), "require at least one scope");
        let mut at = 0;
        while at < lists.len() {
            assert_scopes(lists[at]);
            at += 1;
        }
        Self(Alternatives::AnyOfAll(lists))
    }
}

impl ScopeNeed {
    /// Every one of at least one list, from strings that are known at run time only.
    ///
    /// # Errors
    ///
    /// If there is no list, a list is empty, or a scope is outside the grammar of a [`ScopeToken`].
    pub fn from_lists<L, T>(lists: impl IntoIterator<Item = L>) -> Result<Self, InvalidScope>
    where
        L: IntoIterator<Item = T>,
        T: AsRef<str>,
    {
        let parse = |list: L| list.into_iter().map(|scope| scope.as_ref().parse()).collect();
        let lists = lists.into_iter().map(parse).collect::<Result<Arc<[Box<[_]>]>, _>>()?;
        // INVARIANT (fail closed): a need for nothing would admit everyone.
        if lists.is_empty() || lists.iter().any(|list| list.is_empty()) {
            return Err(InvalidScope(()));
        }
        Ok(Self(Alternatives::Owned(lists)))
    }

    /// Returns the lists of which one has to be held in full, for documents.
    ///
    /// ```
    /// use tenantry_core::ScopeNeed;
    ///
    /// let book = ScopeNeed::all(&["finance.write", "journal.create"]);
    /// assert_eq!(book.alternatives(), [["finance.write", "journal.create"]]);
    /// let read = ScopeNeed::any(&["journal.read", "audit.read"]);
    /// assert_eq!(read.alternatives(), [["journal.read"], ["audit.read"]]);
    /// ```
    #[must_use]
    pub fn alternatives(&self) -> Vec<Vec<&str>> {
        match &self.0 {
            Alternatives::All(scopes) => vec![scopes.to_vec()],
            Alternatives::Any(scopes) => scopes.iter().map(|scope| vec![*scope]).collect(),
            Alternatives::AnyOfAll(lists) => lists.iter().map(|list| list.to_vec()).collect(),
            Alternatives::Owned(lists) => {
                lists.iter().map(|list| list.iter().map(ScopeToken::as_str).collect()).collect()
            }
        }
    }

    /// Whether `held` says yes to every scope of one alternative.
    pub(crate) fn is_met(&self, held: impl Fn(&str) -> bool) -> bool {
        match &self.0 {
            Alternatives::All(scopes) => scopes.iter().all(|scope| held(scope)),
            Alternatives::Any(scopes) => scopes.iter().any(|scope| held(scope)),
            Alternatives::AnyOfAll(lists) => {
                lists.iter().any(|list| list.iter().all(|scope| held(scope)))
            }
            Alternatives::Owned(lists) => {
                lists.iter().any(|list| list.iter().all(|scope| held(scope.as_str())))
            }
        }
    }

    /// The scopes of the first alternative: what a challenge asks for.
    pub(crate) fn first(&self) -> impl Iterator<Item = &str> {
        let (literals, owned): (&[&str], &[ScopeToken]) = match &self.0 {
            Alternatives::All(scopes) => (scopes, &[]),
            Alternatives::Any(scopes) => (scopes.get(..1).unwrap_or_default(), &[]),
            Alternatives::AnyOfAll(lists) => (lists.first().copied().unwrap_or_default(), &[]),
            Alternatives::Owned(lists) => {
                (&[], lists.first().map(|list| &**list).unwrap_or_default())
            }
        };
        literals.iter().copied().chain(owned.iter().map(ScopeToken::as_str))
    }
}

#[expect(clippy::indexing_slicing, reason = "`const fn` has no iterators; the bounds are checked")]
const fn assert_scopes(scopes: &[&str]) {
    assert!(!scopes.is_empty(), "require at least one scope");
    let mut at = 0;
    while at < scopes.len() {
        assert!(
            is_scope_token(scopes[at]),
            "a scope is outside the grammar of RFC 6749, section 3.3"
        );
        at += 1;
    }
}

#[expect(clippy::indexing_slicing, reason = "`const fn` has no iterators; the bounds are checked")]
const fn is_scope_token(token: &str) -> bool {
    let bytes = token.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_scope_byte(bytes[at]) {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty()
}

/// `%x21 / %x23-5B / %x5D-7E`
pub(crate) const fn is_scope_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(pattern: &str, plain: &[&str]) -> ScopeRule {
        ScopeRule {
            pattern: pattern.parse().unwrap(),
            plain: plain.iter().map(|token| token.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn a_scope_is_tokens_with_one_space_between() {
        let tokens = |scope| Scope::parse(scope).map(|scope| scope.0.len());
        assert_eq!(tokens(""), Ok(0));
        assert_eq!(tokens("a"), Ok(1));
        assert_eq!(tokens("a b.c d:e/f"), Ok(3));
        for scope in [" ", " a", "a ", "a  b", "a\tb", "a\"b", "a\\b", "é", "a\u{7f}"] {
            assert!(Scope::parse(scope).is_err(), "{scope:?} was accepted");
        }
    }

    #[test]
    fn a_qualified_scope_is_its_tenants_and_nobody_elses() {
        let rule = rule("{tenant}.{scope}", &[]);
        assert_eq!(rule.read("tenant1", "tenant1.finance.write"), Reading::Own("finance.write"));
        assert_eq!(rule.read("tenant1", "tenant10.finance.write"), Reading::Foreign);
        assert_eq!(rule.read("tenant10", "tenant1.finance.write"), Reading::Foreign);
        assert_eq!(rule.read("tenant1", "finance.write"), Reading::Foreign);
        assert_eq!(rule.read("tenant1", "openid"), Reading::Other);
        assert_eq!(rule.read("tenant1", "tenant1."), Reading::Other);
    }

    #[test]
    fn a_plain_scope_counts_only_when_listed_and_never_when_it_reads_two_ways() {
        let rule = rule("{tenant}.{scope}", &["finance.write"]);
        assert_eq!(rule.read("tenant1", "finance.write"), Reading::Own("finance.write"));
        assert_eq!(rule.read("tenant1", "finance.read"), Reading::Foreign);
        assert_eq!(rule.read("finance", "finance.write"), Reading::Ambiguous);
        assert_eq!(rule.read("finance", "finance.read"), Reading::Own("read"));
    }

    #[test]
    fn without_a_tenant_in_the_pattern_every_scope_is_the_tenants() {
        assert_eq!(rule("{scope}", &[]).read("tenant1", "tenant2.x"), Reading::Own("tenant2.x"));
    }

    #[test]
    fn a_need_for_nothing_cannot_be_made() {
        assert!(ScopeNeed::from_lists([["a"]]).is_ok());
        assert!(ScopeNeed::from_lists(Vec::<Vec<&str>>::new()).is_err());
        assert!(ScopeNeed::from_lists([Vec::<&str>::new()]).is_err());
        assert!(ScopeNeed::from_lists([["a b"]]).is_err());
        assert!(std::panic::catch_unwind(|| ScopeNeed::all(&[])).is_err());
        assert!(std::panic::catch_unwind(|| ScopeNeed::any_of_all(&[])).is_err());
        assert!(std::panic::catch_unwind(|| ScopeNeed::any_of_all(&[&[]])).is_err());
        assert!(std::panic::catch_unwind(|| ScopeNeed::any_of_all(&[&["a"], &[]])).is_err());
        assert!(
            std::panic::catch_unwind(|| ScopeNeed::any_of_all(&[&["a"], &["b", "c d"]])).is_err()
        );
        assert!(std::panic::catch_unwind(|| ScopeNeed::any(&["a b"])).is_err());
    }

    #[test]
    fn the_challenge_asks_for_the_first_alternative() {
        assert_eq!(ScopeNeed::all(&["a", "b"]).first().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(ScopeNeed::any(&["a", "b"]).first().collect::<Vec<_>>(), ["a"]);
        assert_eq!(
            ScopeNeed::any_of_all(&[&["a", "b"], &["c"]]).first().collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(
            ScopeNeed::from_lists([["a", "b"], ["c", "d"]]).unwrap().first().collect::<Vec<_>>(),
            ["a", "b"]
        );
    }

    const NEEDS: [(ScopeNeed, &[&[&str]]); 3] = [
        (ScopeNeed::all(&["a", "b"]), &[&["a", "b"]]),
        (ScopeNeed::any(&["a", "b"]), &[&["a"], &["b"]]),
        (ScopeNeed::any_of_all(&[&["a", "b"], &["c"]]), &[&["a", "b"], &["c"]]),
    ];

    proptest! {
        #[test]
        fn a_need_is_met_by_one_whole_alternative(held in proptest::collection::btree_set("[abc]", 0..4)) {
            for (need, lists) in &NEEDS {
                let model = lists.iter().any(|list| list.iter().all(|scope| held.contains(*scope)));
                prop_assert_eq!(need.is_met(|scope| held.contains(scope)), model);
                let owned = ScopeNeed::from_lists(lists.iter().copied()).unwrap();
                prop_assert_eq!(need.alternatives(), *lists);
                prop_assert_eq!(owned.alternatives(), *lists);
                prop_assert_eq!(owned.is_met(|scope| held.contains(scope)), model);
            }
        }
    }
}
