//! Reading the Messages that Records carry, before anybody else has to wait for it.

use std::thread::available_parallelism;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use usphere_proto::{Limits, Msg, Record, RecordType, Refusal};

/// Bytes of a Message from which on it is read beside the tasks of others.
const LARGE_BYTES: usize = 64 << 10;

/// What was read of a Record; none where it carries no Message as it is.
pub(super) type Read = Option<Result<Msg, Box<Refusal>>>;

/// Reads what is large beside the tasks of others, few at a time: else many devices with much to say would keep all
/// others waiting.
#[derive(Debug)]
pub(super) struct Reading {
    large: Semaphore,
}

impl Reading {
    /// Half of the processors may read what is large.
    pub(super) fn new() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            large: Semaphore::new((processors / 2).max(1)),
        }
    }

    pub(super) async fn read(&self, record: &Record) -> Read {
        let Some(RecordType::NoSessionContext(content)) = &record.record_type else {
            return None;
        };
        let payload = content.payload.clone();
        if payload.len() < LARGE_BYTES {
            return Some(Msg::receive(payload, &Limits::DEFAULT));
        }
        // Boxed: every link would have the room for it.
        Box::pin(async {
            let _place = self.large.acquire().await;
            let read = spawn_blocking(move || Msg::receive(payload, &Limits::DEFAULT)).await;
            // Where nothing is done beside any more, the engine reads it.
            read.ok()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;
    use usphere_proto::EndpointId;
    use usphere_proto::msg::Get;

    use super::*;

    fn record(path_bytes: usize) -> Record {
        let id = |text| EndpointId::parse(text).unwrap();
        let get = Get {
            param_paths: vec!["x".repeat(path_bytes)],
            max_depth: 0,
        };
        let payload = Msg::request("1", get).into_payload();
        Record::no_session(&id("self::us"), &id("self::them"), payload)
    }

    /// While what is large waits for others of its kind, what is small is read at once.
    #[tokio::test]
    async fn what_is_large_waits_for_what_is_large_only() {
        let reading = Reading {
            large: Semaphore::new(1),
        };
        let (small, large) = (record(10), record(2 * LARGE_BYTES));
        let place = reading.large.acquire().await.unwrap();
        let wait = Duration::from_millis(50);
        assert!(timeout(wait, reading.read(&large)).await.is_err());
        let read = timeout(wait, reading.read(&small)).await.unwrap();
        assert_eq!(read.unwrap().unwrap().msg_id(), "1");
        drop(place);
        let read = reading.read(&large).await.unwrap().unwrap();
        assert_eq!(read.into_payload(), large.payload().unwrap().clone());
    }
}
