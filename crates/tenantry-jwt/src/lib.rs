//! RFC 9068 access token verification for many tenants, with a cache of verified tokens.
