//! Key sets of OAuth 2.0 issuers: fetch, discovery, cache, rotation, outage.
