//! Every limit of this crate.

/// Bytes of one certificate in DER. What USP needs fits into two kilobytes.
pub const CERTIFICATE_BYTES_MAX: usize = 16 << 10;

/// Certificates that a peer may present, its own included.
pub const CHAIN_LENGTH_MAX: usize = 8;

/// Names in the subjectAltName extension of one certificate, of all kinds together.
pub const NAMES_MAX: usize = 256;

/// Signatures that are verified to judge one chain, or whether one certificate is banned: many certificates of one name must not become
/// many verifications.
pub const SIGNATURES_MAX: usize = 32;

/// Bytes of a revocation list in DER. It comes from the Agent's own configuration.
pub const REVOCATION_LIST_BYTES_MAX: usize = 8 << 20;

/// Characters of a name of a certificate that a message repeats.
pub(crate) const QUOTED_CHARACTERS_MAX: usize = 128;
