//! Doing harm to a page of a database file. Used by the tests of the store and, by this path, of the server.

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

/// What becomes of a page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Harm {
    Zeroed,
    Random,
    /// With all that follows.
    CutOff,
}

/// The file with one page harmed.
pub(crate) fn harmed(sound: &[u8], page: usize, harm: Harm) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    let content = page * PAGE..(page + 1) * PAGE;
    match harm {
        Harm::Zeroed => bytes[content].fill(0),
        Harm::Random => {
            let mut state = 0x9e37_79b9_u32.wrapping_mul(page as u32 + 1);
            for byte in &mut bytes[content] {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                *byte = state as u8;
            }
        }
        Harm::CutOff => bytes.truncate(page * PAGE),
    }
    bytes
}
