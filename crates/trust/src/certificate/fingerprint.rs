//! Fingerprints of certificates. (TR-181, GetFingerprint())

use ring::digest;

/// How a fingerprint is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FingerprintAlgorithm {
    /// RFC 3174. Good for comparing by hand with what old tools say, and for nothing else.
    Sha1,
    /// RFC 6234.
    Sha256,
    /// RFC 6234.
    Sha384,
    /// RFC 6234.
    Sha512,
}

impl FingerprintAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in TR-181.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The algorithm of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// The fingerprint of these bytes, in upper case hexadecimal digits.
    pub(super) fn of(self, bytes: &[u8]) -> String {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        hex(digest::digest(algorithm, bytes).as_ref())
    }
}

/// The SHA-256 of these bytes.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut print = [0; 32];
    print.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    print
}

/// Upper case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}
