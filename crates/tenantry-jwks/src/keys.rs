//! The public keys of one issuer.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use tenantry_core::{Algorithm, Issuer};

use crate::document::Document;
use crate::jwk;
use crate::key::Key;
use crate::pem;
use crate::skipped::{SkipReason, SkippedKey};

/// A JWK Set ([RFC 7517 §5]): the keys of it that signatures can be judged by.
///
/// Every key is read on its own, and one that is not understood, not for signatures or not sound is
/// [skipped](Self::skipped) instead of voiding the set. So a set can be without keys.
///
/// [RFC 7517 §5]: https://www.rfc-editor.org/rfc/rfc7517#section-5
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<Key>>,
    skipped: Vec<SkippedKey>,
    /// A PEM file has no place for a `kid`, so a token's `kid` says nothing about its keys.
    nameless: bool,
}

impl KeySet {
    /// The longest document, in bytes: 256 KiB. Real sets are below 20 KiB.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// The most keys, counted before any is skipped.
    pub const MAX_KEYS: usize = 100;

    /// Reads a JWK Set.
    ///
    /// Skipped, key by key: keys of unknown type, curve or algorithm; private and symmetric keys;
    /// keys that are not for checking signatures (`use`, `key_ops`); RSA moduli under 2048 or over
    /// 8192 bits and exponents that are even, below 3 or above 2^32; coordinates that are not of
    /// full length or not on the curve; base64url with padding or unused bits; repeated members;
    /// and different keys under one `kid` that an algorithm could not tell apart
    /// ([RFC 7517 §4.5]).
    ///
    /// # Errors
    ///
    /// If `json` is longer than [`MAX_BYTES`](Self::MAX_BYTES), is not a JSON object with one array
    /// `keys`, names a member twice, or has more than [`MAX_KEYS`](Self::MAX_KEYS) keys.
    ///
    /// [RFC 7517 §4.5]: https://www.rfc-editor.org/rfc/rfc7517#section-4.5
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        Self::read_json(json, jwk::read)
    }

    /// Reads a JWK Set of `issuer`. Keys that say they are for another are skipped, too.
    pub(crate) fn parse_for(issuer: &Issuer, json: &[u8]) -> Result<Self, KeySetError> {
        Self::read_json(json, |key| jwk::read_for(issuer, key))
    }

    fn read_json(
        json: &[u8],
        read: impl Fn(&[u8]) -> Result<Key, SkipReason>,
    ) -> Result<Self, KeySetError> {
        if json.len() > Self::MAX_BYTES {
            return Err(KeySetError::TOO_LARGE);
        }
        let document: Document<'_> =
            serde_json::from_slice(json).map_err(|_| KeySetError::MALFORMED)?;
        if document.0.len() > Self::MAX_KEYS {
            return Err(KeySetError::TOO_MANY);
        }
        let read = document.0.into_iter().map(|key| read(key.get().as_bytes()));
        Ok(Self::of(read, false))
    }

    /// Reads the `PUBLIC KEY` and `RSA PUBLIC KEY` blocks of a PEM file ([RFC 7468 §13]).
    ///
    /// PEM has no place for a `kid`, so [`select`](Self::select) ignores the token's: put one key of
    /// each type into a file, and use a JWK Set to rotate keys. What [`parse`](Self::parse) says of
    /// unsound keys holds here too. Blocks with other labels are skipped.
    ///
    /// # Errors
    ///
    /// If `pem` is longer than [`MAX_BYTES`](Self::MAX_BYTES), has no block, or has more than
    /// [`MAX_KEYS`](Self::MAX_KEYS).
    ///
    /// [RFC 7468 §13]: https://www.rfc-editor.org/rfc/rfc7468#section-13
    pub fn from_pem(pem: &str) -> Result<Self, KeySetError> {
        if pem.len() > Self::MAX_BYTES {
            return Err(KeySetError::TOO_LARGE);
        }
        let read = pem::read(pem);
        if read.is_empty() {
            return Err(KeySetError::MALFORMED);
        }
        if read.len() > Self::MAX_KEYS {
            return Err(KeySetError::TOO_MANY);
        }
        Ok(Self::of(read, true))
    }

    /// Finds the one key that a token with this `kid` and `alg` is judged by.
    ///
    /// A token that names a `kid` is judged by the key of that name if it
    /// [fits](Key::fits). A token without `kid` is judged only if exactly one key fits: keys are
    /// not tried in turn.
    #[must_use]
    pub fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Selection<'_> {
        let named = |key: &Arc<Key>| self.nameless || kid.is_none() || key.kid() == kid;
        let mut fitting = self.keys.iter().filter(|key| named(key) && key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (None, _) => Selection::None,
            (Some(key), None) => Selection::One(key),
            (Some(_), Some(_)) => Selection::Ambiguous,
        }
    }

    /// Returns the keys that signatures can be judged by.
    #[must_use]
    pub fn keys(&self) -> &[Arc<Key>] {
        &self.keys
    }

    /// Returns the keys that were left out.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Whether whoever was judged by `self` would be judged the same by `newer`: no key has left,
    /// and no key that was the only one for its algorithm has got company.
    // INVARIANT (cache the identity): the second half is for tokens without `kid`. They would be
    // ambiguous under the newer set, so what is cached about them must go.
    pub(crate) fn lives_on_in(&self, newer: &Self) -> bool {
        let count =
            |set: &Self, algorithm| set.keys.iter().filter(|key| key.fits(algorithm)).count();
        let stays = |key: &Arc<Key>| newer.keys.iter().any(|other| other.is_same(key));
        self.nameless == newer.nameless
            && self.keys.iter().all(stays)
            && Algorithm::ALL
                .into_iter()
                .all(|algorithm| count(self, algorithm) != 1 || count(newer, algorithm) == 1)
    }

    /// Whether both have the same keys.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.nameless == other.nameless
            && self.keys.len() == other.keys.len()
            && self.keys.iter().all(|key| other.keys.iter().any(|other| other.is_same(key)))
    }

    fn of(read: impl IntoIterator<Item = Result<Key, SkipReason>>, nameless: bool) -> Self {
        let mut set = Self { nameless, ..Self::default() };
        let mut sound: Vec<(usize, Arc<Key>)> = Vec::new();
        for (index, key) in read.into_iter().enumerate() {
            match key {
                Ok(key) if sound.iter().any(|(_, other)| other.is_same(&key)) => {
                    set.skipped.push(SkippedKey { index, reason: SkipReason::Repeated });
                }
                Ok(key) => sound.push((index, Arc::new(key))),
                Err(reason) => set.skipped.push(SkippedKey { index, reason }),
            }
        }
        for (index, key) in &sound {
            let rival = |(other, candidate): &(usize, Arc<Key>)| {
                other != index && candidate.kid() == key.kid() && candidate.overlaps(key)
            };
            if key.kid().is_some() && sound.iter().any(rival) {
                set.skipped.push(SkippedKey { index: *index, reason: SkipReason::AmbiguousKeyId });
            } else {
                set.keys.push(Arc::clone(key));
            }
        }
        set.skipped.sort_unstable_by_key(|skipped| skipped.index);
        set
    }
}

/// What [`KeySet::select`] found.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'a> {
    /// More than one key fits, and nothing says which is meant.
    Ambiguous,
    /// No key fits.
    None,
    /// The key to judge by.
    One(&'a Arc<Key>),
}

/// The document is not a key set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySetError(&'static str);

impl KeySetError {
    pub(crate) const MALFORMED: Self =
        Self("not a JWK set: an object with one array of keys; nor PEM");
    const TOO_LARGE: Self = Self("longer than 256 KiB");
    const TOO_MANY: Self = Self("more than 100 keys");
    pub(crate) const NO_USABLE_KEY: Self = Self("no key in it can be used");
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for KeySetError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{ed25519, rsa, set};

    fn parse(document: &Value) -> KeySet {
        KeySet::parse(document.to_string().as_bytes()).unwrap()
    }

    fn skipped(set: &KeySet) -> Vec<(usize, SkipReason)> {
        set.skipped().iter().map(|skipped| (skipped.index(), skipped.reason())).collect()
    }

    fn named(mut jwk: Value, kid: &str) -> Value {
        jwk["kid"] = kid.into();
        jwk
    }

    fn alg(mut jwk: Value, alg: &str) -> Value {
        jwk["alg"] = alg.into();
        jwk
    }

    fn found(set: &KeySet, kid: Option<&str>, algorithm: Algorithm) -> Option<Arc<Key>> {
        match set.select(kid, algorithm) {
            Selection::One(key) => Some(Arc::clone(key)),
            Selection::Ambiguous | Selection::None => None,
        }
    }

    #[test]
    fn odd_keys_are_skipped_and_the_rest_of_the_set_works() {
        let mut encryption = named(rsa(), "enc");
        encryption["use"] = "enc".into();
        let set = parse(&set([
            json!("not even an object"),
            json!({ "kty": "new", "kid": "pq" }),
            json!({ "kty": "oct", "k": "AQAB" }),
            encryption,
            json!(null),
            ed25519("good"),
        ]));
        assert_eq!(set.keys().len(), 1);
        assert!(found(&set, Some("good"), Algorithm::EdDsa).is_some());
        assert_eq!(
            skipped(&set),
            [
                (0, SkipReason::Malformed),
                (1, SkipReason::KeyType),
                (2, SkipReason::Secret),
                (3, SkipReason::Use),
                (4, SkipReason::Malformed),
            ]
        );
    }

    #[test]
    fn a_document_that_is_not_a_key_set_is_refused() {
        let refused = |document: &str| KeySet::parse(document.as_bytes()).err();
        for document in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"keys": {}}"#,
            r#"{"keys": "x"}"#,
            r#"{"keys": null}"#,
            r#"{"keys": []} x"#,
            r#"{"keys": [}"#,
            r#"{"keys": [], "keys": []}"#,
            r#"{"x": 1, "x": 1, "keys": []}"#,
            "<!doctype html><title>Not found</title>",
        ] {
            assert_eq!(refused(document), Some(KeySetError::MALFORMED), "{document}");
        }
        assert_eq!(refused(r#"{"keys": [], "x": {"y": 1}}"#), None);
    }

    #[test]
    fn a_set_has_at_most_100_keys_and_256_kib() {
        let of = |count: usize| {
            let keys: Vec<_> = (0..count).map(|kid| ed25519(&kid.to_string())).collect();
            KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
        };
        assert_eq!(of(100).unwrap().keys().len(), 100);
        assert_eq!(of(101).unwrap_err(), KeySetError::TOO_MANY);
        // Keys that would be skipped count too.
        let many = format!(r#"{{"keys": [{}1]}}"#, "1,".repeat(100));
        assert_eq!(KeySet::parse(many.as_bytes()).unwrap_err(), KeySetError::TOO_MANY);

        let padded = |len| {
            let document = r#"{"keys": []}"#;
            format!("{document}{}", " ".repeat(len - document.len()))
        };
        assert!(KeySet::parse(padded(KeySet::MAX_BYTES).as_bytes()).is_ok());
        let refused = KeySet::parse(padded(KeySet::MAX_BYTES + 1).as_bytes());
        assert_eq!(refused.unwrap_err(), KeySetError::TOO_LARGE);
    }

    #[test]
    fn a_kid_selects_its_key_if_the_key_fits() {
        let set = parse(&set([ed25519("a"), ed25519("b"), named(rsa(), "c")]));
        let key = found(&set, Some("b"), Algorithm::EdDsa).unwrap();
        assert_eq!(key.kid(), Some("b"));
        assert!(matches!(set.select(Some("c"), Algorithm::EdDsa), Selection::None));
        assert!(matches!(set.select(Some("d"), Algorithm::EdDsa), Selection::None));
        assert!(matches!(set.select(Some("B"), Algorithm::EdDsa), Selection::None));
        assert!(matches!(set.select(Some(""), Algorithm::EdDsa), Selection::None));
    }

    #[test]
    fn without_kid_a_key_is_selected_only_if_it_is_the_only_one_that_fits() {
        let two = parse(&set([ed25519("a"), ed25519("b"), named(rsa(), "c")]));
        assert!(matches!(two.select(None, Algorithm::EdDsa), Selection::Ambiguous));
        assert!(matches!(two.select(None, Algorithm::Es256), Selection::None));
        assert_eq!(found(&two, None, Algorithm::Rs256).unwrap().kid(), Some("c"));
    }

    #[test]
    fn a_key_without_kid_does_not_answer_to_one() {
        let set = parse(&set([rsa()]));
        assert!(matches!(set.select(Some("a"), Algorithm::Rs256), Selection::None));
        assert!(matches!(set.select(None, Algorithm::Rs256), Selection::One(_)));
    }

    #[test]
    fn different_keys_under_one_kid_are_refused_unless_their_algorithms_differ() {
        let rivals =
            parse(&set([named(ed25519("x"), "a"), named(ed25519("y"), "a"), ed25519("b")]));
        assert!(matches!(rivals.select(Some("a"), Algorithm::EdDsa), Selection::None));
        assert!(found(&rivals, Some("b"), Algorithm::EdDsa).is_some());
        assert_eq!(
            skipped(&rivals),
            [(0, SkipReason::AmbiguousKeyId), (1, SkipReason::AmbiguousKeyId)]
        );

        let apart = parse(&set([
            alg(named(rsa(), "a"), "RS256"),
            alg(named(rsa(), "a"), "PS256"),
            named(ed25519("z"), "a"),
        ]));
        assert!(apart.skipped().is_empty());
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa] {
            assert!(found(&apart, Some("a"), algorithm).is_some(), "{algorithm}");
        }
        assert!(found(&apart, Some("a"), Algorithm::Rs384).is_none());

        let open = parse(&set([alg(named(rsa(), "a"), "RS256"), named(rsa(), "a")]));
        assert!(open.keys().is_empty(), "one of them fits every RSA algorithm");
    }

    #[test]
    fn the_same_key_twice_is_one_key() {
        let set = parse(&set([ed25519("a"), ed25519("a"), rsa(), rsa()]));
        assert_eq!(skipped(&set), [(1, SkipReason::Repeated), (3, SkipReason::Repeated)]);
        assert!(found(&set, Some("a"), Algorithm::EdDsa).is_some());
        assert!(found(&set, None, Algorithm::Rs256).is_some());
    }

    #[test]
    fn a_secret_key_does_not_take_its_kid_from_a_public_one() {
        let mut secret = named(ed25519("x"), "a");
        secret["d"] = "AQAB".into();
        let set = parse(&set([secret, ed25519("a")]));
        assert!(found(&set, Some("a"), Algorithm::EdDsa).is_some());
    }

    #[test]
    fn a_set_lives_on_as_long_as_no_key_leaves_or_becomes_ambiguous() {
        let before = parse(&set([ed25519("a"), named(rsa(), "b")]));
        let mut changed = ed25519("x");
        changed["kid"] = "a".into();
        for (newer, lives) in [
            (set([ed25519("a"), named(rsa(), "b")]), true),
            (set([named(rsa(), "b"), ed25519("a")]), true),
            (set([ed25519("a")]), false),
            (set([changed, named(rsa(), "b")]), false),
            (set([ed25519("a"), alg(named(rsa(), "b"), "RS256")]), false),
            // A second Ed25519 key: a token without kid could be by either.
            (set([ed25519("a"), named(rsa(), "b"), ed25519("c")]), false),
        ] {
            assert_eq!(before.lives_on_in(&parse(&newer)), lives, "{newer}");
        }
        // With two there already, a third makes nothing ambiguous that was not.
        let two = parse(&set([ed25519("a"), ed25519("b")]));
        let three = parse(&set([ed25519("a"), ed25519("b"), ed25519("c")]));
        assert!(two.lives_on_in(&three));
        assert!(!three.lives_on_in(&two));
    }

    proptest! {
        #[test]
        fn no_input_makes_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = KeySet::parse(&bytes);
            let _ = KeySet::from_pem(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn no_damage_to_a_set_makes_reading_panic(at in 0_usize..400, byte in any::<u8>()) {
            let mut json = set([ed25519("a"), rsa()]).to_string().into_bytes();
            let at = at % json.len();
            json[at] = byte;
            let _ = KeySet::parse(&json);
        }
    }
}
