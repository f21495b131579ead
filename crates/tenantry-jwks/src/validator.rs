//! What is kept of a document's answer, to ask later whether it still holds.

use std::time::Duration;

use crate::cache_control;
use crate::transport::FetchResponse;

/// The longest entity tag that is kept, in bytes. Real ones are below 100.
const MAX_ETAG: usize = 256;

/// Where a document was, and what its issuer said about keeping it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Validator {
    pub(crate) url: Box<str>,
    pub(crate) etag: Option<Box<str>>,
    /// What `Cache-Control` says.
    pub(crate) said: Option<Duration>,
}

impl Validator {
    pub(crate) fn of(url: &str, response: &FetchResponse) -> Self {
        Self { url: url.into(), etag: etag(response), said: said(response) }
    }

    /// What holds after a 304: it may repeat the fields, and what it leaves out stays
    /// ([RFC 9111 §4.3.4]).
    ///
    /// [RFC 9111 §4.3.4]: https://www.rfc-editor.org/rfc/rfc9111#section-4.3.4
    pub(crate) fn renewed_by(&self, response: &FetchResponse) -> Self {
        Self {
            url: self.url.clone(),
            etag: etag(response).or_else(|| self.etag.clone()),
            said: said(response).or(self.said),
        }
    }
}

fn etag(response: &FetchResponse) -> Option<Box<str>> {
    let sendable = |etag: &&str| {
        (1..=MAX_ETAG).contains(&etag.len()) && etag.bytes().all(|byte| byte.is_ascii_graphic())
    };
    response.etag().filter(sendable).map(Box::from)
}

fn said(response: &FetchResponse) -> Option<Duration> {
    response.cache_control().and_then(cache_control::lifetime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_that_cannot_be_sent_back_is_not_kept() {
        for (etag, kept) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            (&"a".repeat(MAX_ETAG), true),
            (&"a".repeat(MAX_ETAG + 1), false),
            ("", false),
            ("\"a\r\nx: y\"", false),
            ("\"ä\"", false),
        ] {
            let response = FetchResponse::new(200, Vec::new()).with_etag(etag);
            assert_eq!(Validator::of("u", &response).etag.is_some(), kept, "{etag}");
        }
    }

    #[test]
    fn a_304_renews_what_it_repeats_and_leaves_the_rest() {
        let first = FetchResponse::new(200, Vec::new()).with_etag("\"a\"");
        let known = Validator::of("u", &first.with_cache_control("max-age=60"));
        let bare = FetchResponse::new(304, Vec::new());
        assert_eq!(known.renewed_by(&bare), known);
        let renewed = known.renewed_by(&bare.with_etag("\"b\"").with_cache_control("max-age=90"));
        assert_eq!(renewed.etag.as_deref(), Some("\"b\""));
        assert_eq!(renewed.said, Some(Duration::from_secs(90)));
    }
}
