//! A test issuer, a builder for right and wrong tokens, and ready requests for tests of tenant-aware services.
