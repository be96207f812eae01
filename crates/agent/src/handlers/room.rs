//! How much of an answer is left to be filled.
//!
//! It is counted while an answer is gathered, not when it is done: what a peer could not take is not made
//! first. What a path asks for comes whole or not at all.

use usphere_datamodel::{Fault, FaultKind};

use super::limits::{ANSWER_BYTES_MAX, ANSWER_ELEMENTS_MAX, OVERFLOWS_MAX};

/// What an answer may still hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    bytes: usize,
    elements: usize,
    /// Whether something did not fit.
    full: bool,
    /// How many paths may still ask for too much.
    overflows: usize,
}

impl Room {
    /// What a result, and what a value needs on the wire beside its texts.
    const FRAME_BYTES: usize = 8;

    pub(super) fn new() -> Self {
        Self {
            bytes: ANSWER_BYTES_MAX,
            elements: ANSWER_ELEMENTS_MAX,
            full: false,
            overflows: OVERFLOWS_MAX,
        }
    }

    /// Takes room for one list item or map entry with so many bytes of text, if there is.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        self.take_all(bytes + Self::FRAME_BYTES, 1)
    }

    /// Takes room for so many bytes on the wire and elements, if there is.
    pub(super) fn take_all(&mut self, bytes: usize, elements: usize) -> bool {
        let left = self.bytes.checked_sub(bytes);
        match left.zip(self.elements.checked_sub(elements)) {
            Some((bytes, elements)) => (self.bytes, self.elements) = (bytes, elements),
            None => self.full = true,
        }
        !self.full
    }

    /// Whether something did not fit, so that nothing more is taken.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// The room for one path, which may fill it.
    ///
    /// # Errors
    /// When too many paths before it have: nothing more is looked at.
    pub(super) fn for_path(&self, path: &str) -> Result<Self, Fault> {
        if self.overflows == 0 {
            return Err(too_long(path));
        }
        Ok(*self)
    }

    /// What is left after a path for which `used` was the room.
    ///
    /// # Errors
    /// When what it asks for did not fit; it takes no room then.
    pub(super) fn settle(&mut self, used: Self, path: &str) -> Result<(), Fault> {
        if used.full {
            self.overflows = self.overflows.saturating_sub(1);
            return Err(too_long(path));
        }
        *self = used;
        Ok(())
    }
}

fn too_long(path: &str) -> Fault {
    let text = format!(
        "the answer would be longer than {ANSWER_BYTES_MAX} bytes or {ANSWER_ELEMENTS_MAX} items; ask for less at once"
    );
    Fault::new(FaultKind::ResourcesExceeded, path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_by_paths_that_fit_alone() {
        let mut room = Room::new();
        let mut first = room.for_path("Device.A.").unwrap();
        assert!(first.take(100));
        room.settle(first, "Device.A.").unwrap();
        let left = room.bytes;
        assert_eq!(left, ANSWER_BYTES_MAX - 108);
        for _ in 0..OVERFLOWS_MAX {
            let mut large = room.for_path("Device.").unwrap();
            assert!(!large.take(ANSWER_BYTES_MAX));
            assert!(!large.take(1), "nothing after what did not fit");
            let fault = room.settle(large, "Device.").unwrap_err();
            assert_eq!(fault.kind, FaultKind::ResourcesExceeded);
            assert_eq!(room.bytes, left);
        }
        assert!(room.for_path("Device.").is_err(), "enough is enough");
    }

    #[test]
    fn items_are_counted_too() {
        let mut room = Room::new();
        assert!(room.take_all(10, ANSWER_ELEMENTS_MAX));
        assert!(!room.take(0));
        assert!(room.is_full());
    }
}
