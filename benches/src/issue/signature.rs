//! The floor: a signature and nothing else.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256};

/// A run is one signature.
pub(crate) fn signature(algorithm: &str, message: Vec<u8>) -> Box<dyn FnMut()> {
    let random = SystemRandom::new();
    match algorithm {
        "ES256" => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
            Box::new(move || {
                black_box(pair.sign(&random, black_box(&message)).expect("a signature"));
            })
        }
        "EdDSA" => {
            let pair = Ed25519KeyPair::generate().expect("a key");
            Box::new(move || {
                black_box(pair.sign(black_box(&message)));
            })
        }
        _ => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
            let mut signature = vec![0; pair.public_modulus_len()];
            Box::new(move || {
                pair.sign(&RSA_PKCS1_SHA256, &random, black_box(&message), &mut signature).expect("a signature");
                black_box(&signature);
            })
        }
    }
}
