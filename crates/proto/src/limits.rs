//! Every limit of this crate.

/// Bytes of an Endpoint ID that are read from a peer; the specification's own limits lie far below.
pub const ENDPOINT_ID_BYTES_MAX: usize = 256;

/// Characters of a value at fault that an error message repeats.
pub(crate) const QUOTED_CHARACTERS_MAX: usize = 80;

/// Bytes that the readable text form shows of a field of bytes.
pub(crate) const SHOWN_BYTES_MAX: usize = 32;

/// What decoding may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an encoded Record.
    pub record_bytes_max: usize,
    /// Bytes of an encoded Message.
    pub msg_bytes_max: usize,
    /// Messages inside messages. The schema itself needs 10.
    pub depth_max: usize,
    /// Sub-messages, list items, map entries, unknown fields and repetitions of one Record or Message, all
    /// counted together. An empty item takes 2 bytes on the wire and up to 200 in memory, so this bounds
    /// what a small input may grow to, and how long it is looked at.
    pub elements_max: usize,
}

impl Limits {
    /// Enough for the whole data model of a large gateway in one response.
    pub const DEFAULT: Self = Self {
        record_bytes_max: 8 << 20,
        msg_bytes_max: 8 << 20,
        depth_max: 16,
        elements_max: 250_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
