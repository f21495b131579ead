//! Public keys in PEM ([RFC 7468]).
//!
//! [RFC 7468]: https://www.rfc-editor.org/rfc/rfc7468

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::der;
use crate::key::Key;
use crate::skipped::SkipReason;

/// One block: its label and what is between the lines.
struct Block<'a> {
    label: &'a str,
    body: String,
}

/// Prepares the key of each block. Text outside the blocks is ignored, as the RFC has it.
pub(crate) fn read(pem: &str) -> Vec<Result<Key, SkipReason>> {
    blocks(pem).into_iter().map(|block| read_block(&block?)).collect()
}

fn read_block(block: &Block<'_>) -> Result<Key, SkipReason> {
    if block.label.ends_with("PRIVATE KEY") {
        return Err(SkipReason::Secret);
    }
    let der = STANDARD.decode(&block.body).map_err(|_| SkipReason::Malformed)?;
    let material = match block.label {
        "PUBLIC KEY" => der::public_key(&der)?,
        "RSA PUBLIC KEY" => der::rsa_public_key(&der)?,
        _ => return Err(SkipReason::KeyType),
    };
    Key::prepare(None, None, material)
}

fn blocks(pem: &str) -> Vec<Result<Block<'_>, SkipReason>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in pem.lines().map(str::trim) {
        if let Some(label) = boundary(line, "-----BEGIN ") {
            if open.replace(Block { label, body: String::new() }).is_some() {
                blocks.push(Err(SkipReason::Malformed));
            }
        } else if let Some(label) = boundary(line, "-----END ") {
            let block = open.take().filter(|block| block.label == label);
            blocks.push(block.ok_or(SkipReason::Malformed));
        } else if let Some(block) = &mut open {
            block.body.push_str(line);
        }
    }
    blocks.extend(open.map(|_| Err(SkipReason::Malformed)));
    blocks
}

fn boundary<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{self, KeySize};
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    };
    use tenantry_core::Algorithm;

    use crate::keys::{KeySet, Selection};
    use crate::skipped::SkipReason;
    use crate::testing::{ed25519_pair, pem, spki};

    fn selects(set: &KeySet, algorithm: Algorithm) -> bool {
        let anything = set.select(Some("whatever the token says"), algorithm);
        matches!(set.select(None, algorithm), Selection::One(_))
            && matches!(anything, Selection::One(_))
    }

    #[track_caller]
    fn skips(text: &str, reason: SkipReason) {
        let set = KeySet::from_pem(text).unwrap();
        assert!(set.keys().is_empty());
        assert_eq!(set.skipped()[0].reason(), reason);
    }

    #[test]
    fn public_keys_of_every_type_are_read_and_a_kid_is_ignored() {
        let mut file = String::from("Keys of auth.example\n");
        for signing in [
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &ECDSA_P384_SHA384_FIXED_SIGNING,
            &ECDSA_P521_SHA512_FIXED_SIGNING,
        ] {
            let pair = EcdsaKeyPair::generate(signing).unwrap();
            file += &pem("PUBLIC KEY", &spki(pair.public_key()));
        }
        let pair = ed25519_pair("a");
        file += &pem("PUBLIC KEY", &spki(pair.public_key())).replace('\n', "\r\n");
        let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let info = spki(pair.public_key());
        file += &pem("PUBLIC KEY", &info);

        let set = KeySet::from_pem(&file).unwrap();
        assert_eq!((set.keys().len(), set.skipped().len()), (5, 0));
        for algorithm in Algorithm::ALL {
            assert!(selects(&set, algorithm), "{algorithm}");
        }

        let bare = KeySet::from_pem(&pem("RSA PUBLIC KEY", pair.public_key().as_ref())).unwrap();
        assert!(selects(&bare, Algorithm::Ps256));
        assert!(bare.keys()[0].is_same(&set.keys()[4]));
    }

    #[test]
    fn two_keys_of_one_type_are_ambiguous() {
        let file: String = ["a", "b"]
            .map(|name| pem("PUBLIC KEY", &spki(ed25519_pair(name).public_key())))
            .concat();
        let set = KeySet::from_pem(&file).unwrap();
        assert!(matches!(set.select(Some("a"), Algorithm::EdDsa), Selection::Ambiguous));
    }

    #[test]
    fn private_keys_certificates_and_damage_are_skipped() {
        let der = spki(ed25519_pair("a").public_key());
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
            skips(&pem(label, &der), SkipReason::Secret);
        }
        skips(&pem("CERTIFICATE", &der), SkipReason::KeyType);
        skips(&pem("public key", &der), SkipReason::KeyType);
        skips(&pem("PUBLIC KEY", &der[1..]), SkipReason::Malformed);
        skips(&pem("PUBLIC KEY", &[&der[..], &[0]].concat()), SkipReason::Malformed);
        skips(&pem("PUBLIC KEY", &der).replace("MCow", "M*ow"), SkipReason::Malformed);
        skips(&pem("PUBLIC KEY", &der).replace("END PUBLIC", "END OTHER"), SkipReason::Malformed);
        skips("-----BEGIN PUBLIC KEY-----\nMCow", SkipReason::Malformed);
        skips("-----END PUBLIC KEY-----", SkipReason::Malformed);
    }

    #[test]
    fn a_text_without_blocks_or_too_long_is_refused() {
        assert!(KeySet::from_pem("").is_err());
        assert!(KeySet::from_pem("no key here").is_err());
        let block = pem("PUBLIC KEY", &spki(ed25519_pair("a").public_key()));
        assert!(KeySet::from_pem(&block.repeat(101)).is_err());
        let padded = format!("{block}{}", "\n".repeat(KeySet::MAX_BYTES));
        assert!(KeySet::from_pem(&padded).is_err());
    }
}
