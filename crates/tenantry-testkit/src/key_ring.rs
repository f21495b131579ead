//! The keys that one issuer signs with at a time.

use serde_json::{Value, json};

use tenantry_core::Algorithm;

use crate::SigningKey;

/// One key per algorithm, and whatever keys were added.
#[derive(Clone, Debug)]
pub(crate) struct KeyRing {
    /// What the `kid`s begin with, so that no two rings of one issuer share a name.
    prefix: String,
    generation: u32,
    algorithms: Vec<Algorithm>,
    keys: Vec<SigningKey>,
}

impl KeyRing {
    pub(crate) fn new(prefix: String, algorithms: Vec<Algorithm>) -> Self {
        let mut ring = Self { prefix, generation: 0, algorithms, keys: Vec::new() };
        ring.rotate();
        ring
    }

    /// Makes new keys under new names; the old ones are gone.
    pub(crate) fn rotate(&mut self) {
        self.generation += 1;
        // Making an RSA key takes a thousand times as long as any other, so a ring has one for all
        // RSA algorithms. Rings share nothing: a token of one tenant under the key of another is
        // what tests of isolation are about.
        let mut rsa: Option<SigningKey> = None;
        let mut keys = Vec::new();
        for &algorithm in &self.algorithms {
            let kid = self.kid(algorithm);
            let key = match &rsa {
                Some(key) if is_rsa(algorithm) => {
                    key.clone().with_kid(kid).with_algorithm(algorithm)
                }
                _ => SigningKey::generate(algorithm, kid),
            };
            if is_rsa(algorithm) {
                rsa.get_or_insert_with(|| key.clone());
            }
            keys.push(key);
        }
        self.keys = keys;
    }

    pub(crate) fn add(&mut self, key: SigningKey) {
        self.keys.push(key);
    }

    /// The first key for `algorithm`, or the first of all.
    pub(crate) fn key(&self, algorithm: Option<Algorithm>) -> Option<&SigningKey> {
        self.keys.iter().find(|key| algorithm.is_none_or(|wanted| key.algorithm() == wanted))
    }

    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().map(SigningKey::public_jwk).collect::<Vec<_>>() })
    }

    /// The algorithms of the keys, each once.
    pub(crate) fn algorithms(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.keys.iter().map(|key| key.algorithm().as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn kid(&self, algorithm: Algorithm) -> String {
        let algorithm = algorithm.as_str().to_ascii_lowercase();
        format!("{}{algorithm}-{}", self.prefix, self.generation)
    }
}

fn is_rsa(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kids(ring: &KeyRing) -> Vec<String> {
        ring.keys.iter().map(|key| key.kid().unwrap().to_owned()).collect()
    }

    #[test]
    fn it_has_a_key_for_each_algorithm_under_its_own_name() {
        // RSA first: what follows must not be taken for RSA.
        let algorithms = Algorithm::ALL.into_iter().rev().collect();
        let ring = KeyRing::new("tenant1-".into(), algorithms);
        for algorithm in Algorithm::ALL {
            let key = ring.key(Some(algorithm)).unwrap();
            let name = algorithm.as_str().to_ascii_lowercase();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(key.kid().unwrap(), format!("tenant1-{name}-1"));
        }
        assert_eq!(ring.keys.len(), Algorithm::ALL.len());
    }

    #[test]
    fn after_a_rotation_no_key_and_no_name_is_left() {
        let mut ring = KeyRing::new(String::new(), vec![Algorithm::Es256, Algorithm::EdDsa]);
        let (names, x) = (kids(&ring), ring.keys[0].public_jwk()["x"].clone());
        ring.add(SigningKey::generate(Algorithm::Es256, "second"));

        ring.rotate();

        assert_eq!(names, ["es256-1", "eddsa-1"]);
        assert_eq!(kids(&ring), ["es256-2", "eddsa-2"]);
        assert_ne!(ring.keys[0].public_jwk()["x"], x);
    }

    #[test]
    fn a_key_that_was_added_is_published_and_does_not_come_first() {
        let mut ring = KeyRing::new(String::new(), vec![Algorithm::Es256]);
        ring.add(SigningKey::generate(Algorithm::Es256, "second"));

        assert_eq!(ring.key(Some(Algorithm::Es256)).unwrap().kid(), Some("es256-1"));
        assert_eq!(ring.jwks()["keys"][1]["kid"], "second");
        assert_eq!(ring.algorithms(), ["ES256"]);
    }
}
