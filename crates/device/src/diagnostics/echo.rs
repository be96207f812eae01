//! Echo requests and replies of ICMP, as bytes. (RFC 792, RFC 4443)

/// An echo request of version 6 or 4 with `data`. The checksum of version 6 is the kernel's to make.
pub(super) fn request(is_v6: bool, identifier: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let kind = if is_v6 { 128 } else { 8 };
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend(identifier.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet.extend(data);
    if !is_v6 {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// Whether `packet` is the reply to the request with these. Without an identifier any will do: the kernel
/// has compared it.
pub(super) fn is_reply(
    packet: &[u8],
    is_v6: bool,
    identifier: Option<u16>,
    sequence: u16,
    data: &[u8],
) -> bool {
    let kind = if is_v6 { 129 } else { 0 };
    let Some((header, rest)) = packet.split_at_checked(8) else {
        return false;
    };
    header[0] == kind
        && header[1] == 0
        && identifier.is_none_or(|identifier| header[4..6] == identifier.to_be_bytes())
        && header[6..8] == sequence.to_be_bytes()
        && rest == data
}

/// What follows the header of IPv4.
pub(super) fn without_ip_header(packet: &[u8]) -> &[u8] {
    let words = packet.first().map_or(0, |first| usize::from(first & 0xf));
    packet.get(words * 4..).unwrap_or_default()
}

/// The complement of the sum of all words. (RFC 1071)
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| match word {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    // 32768 words at most, so that the sum fits.
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    let low = sum.to_be_bytes();
    !u16::from_be_bytes([low[2], low[3]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_request_that_comes_back_as_a_reply_is_known(
            is_v6: bool,
            identifier: u16,
            sequence: u16,
            data in proptest::collection::vec(any::<u8>(), 0..70),
        ) {
            let mut packet = request(is_v6, identifier, sequence, &data);
            if !is_v6 {
                prop_assert_eq!(checksum(&packet), 0, "with its sum in it, the sum is nothing");
            }
            packet[0] = if is_v6 { 129 } else { 0 };
            prop_assert!(is_reply(&packet, is_v6, Some(identifier), sequence, &data));
            prop_assert!(is_reply(&packet, is_v6, None, sequence, &data));
            prop_assert!(!is_reply(&packet, is_v6, None, sequence ^ 1, &data));
            prop_assert!(!is_reply(&packet, !is_v6, None, sequence, &data));
            packet[4] ^= 1;
            prop_assert!(!is_reply(&packet, is_v6, Some(identifier), sequence, &data));
        }

        #[test]
        fn no_bytes_break_it(packet in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = is_reply(without_ip_header(&packet), false, None, 1, b"");
        }
    }
}
