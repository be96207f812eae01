//! What of a Record a MAC or a signature is made over. (R-E2E.32, R-E2E.32.1)

use crate::record::{Record, RecordType};

impl Record {
    /// The fields outside of the payload, as a MAC or a signature covers them: those of the Record without
    /// `mac_signature`, then those of its session context, each in the order of the field numbers.
    pub fn protected_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(self.version.as_bytes());
        bytes.extend_from_slice(self.to_id.as_bytes());
        bytes.extend_from_slice(self.from_id.as_bytes());
        bytes.extend_from_slice(&self.payload_security.to_be_bytes());
        bytes.extend_from_slice(&self.sender_cert);
        bytes.extend_from_slice(self.originator_id.as_bytes());
        bytes.extend_from_slice(self.destination_id.as_bytes());
        if let Some(RecordType::SessionContext(context)) = &self.record_type {
            let numbers = [
                context.session_id,
                context.sequence_id,
                context.expected_id,
                context.retransmit_id,
            ];
            bytes.extend(numbers.into_iter().flat_map(u64::to_be_bytes));
            let states = [context.payload_sar_state, context.payloadrec_sar_state];
            bytes.extend(states.into_iter().flat_map(i32::to_be_bytes));
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use crate::EndpointId;
    use crate::record::{PayloadSecurity, Record, SessionContext};

    /// Every field but the payload and the MAC itself is covered, numbers in network order.
    ///
    /// Proves: R-E2E.32, R-E2E.32.1, R-E2E.34
    #[test]
    fn every_field_but_the_payload_is_covered() {
        let [to, from] = ["self::to", "self::from"].map(|id| id.parse::<EndpointId>().unwrap());
        let context = SessionContext {
            session_id: 2,
            sequence_id: 3,
            expected_id: 4,
            retransmit_id: 5,
            payload_sar_state: 1,
            payloadrec_sar_state: 3,
            payload: vec![b"payload"[..].into()],
        };
        let mut record = Record::session(&to, &from, context);
        record.version = "1.4".to_owned();
        record.payload_security = PayloadSecurity::Tls12 as i32;
        record.mac_signature = b"mac"[..].into();
        record.sender_cert = b"pem"[..].into();
        let mut expected = b"1.4self::toself::from\0\0\0\x01pem".to_vec();
        for number in [2, 3, 4, 5] {
            expected.extend([0, 0, 0, 0, 0, 0, 0, number]);
        }
        expected.extend([0, 0, 0, 1, 0, 0, 0, 3]);
        assert_eq!(record.protected_bytes(), expected);
    }
}
