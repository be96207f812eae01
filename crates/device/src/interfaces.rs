//! Which IP interface is which network device: told by whoever numbers them, read by whoever refers to them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The names of network devices and the instance numbers of their `Device.IP.Interface.` rows. All clones are
/// the same one.
#[derive(Clone, Debug, Default)]
pub struct Interfaces {
    numbers: Arc<RwLock<BTreeMap<String, u32>>>,
}

impl Interfaces {
    /// From now on these are all there are.
    pub fn set(&self, numbers: BTreeMap<String, u32>) {
        *self.numbers.write().unwrap_or_else(PoisonError::into_inner) = numbers;
    }

    /// The path of the row of `device`, as a reference has it; empty where there is none.
    pub(crate) fn reference(&self, device: &str) -> String {
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.get(device);
        number.map_or_else(String::new, |number| format!("{TABLE}{number}"))
    }

    /// The network device of the row that `reference` names.
    pub(crate) fn device(&self, reference: &str) -> Option<String> {
        let number = reference.strip_prefix(TABLE)?;
        let number: u32 = number.strip_suffix('.').unwrap_or(number).parse().ok()?;
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        let mut devices = numbers.iter();
        let found = devices.find(|(_, known)| **known == number);
        found.map(|(device, _)| device.clone())
    }
}

/// Two handles are the same where they are about the same table.
impl PartialEq for Interfaces {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.numbers, &other.numbers)
    }
}

impl Eq for Interfaces {}

const TABLE: &str = "Device.IP.Interface.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_a_row_and_a_row_a_device() {
        let interfaces = Interfaces::default();
        let seen = interfaces.clone();
        interfaces.set([("eth0".to_owned(), 3)].into());
        assert_eq!(seen.reference("eth0"), "Device.IP.Interface.3");
        assert_eq!(seen.reference("eth1"), "");
        for reference in ["Device.IP.Interface.3", "Device.IP.Interface.3."] {
            assert_eq!(seen.device(reference).as_deref(), Some("eth0"));
        }
        for reference in ["", "Device.IP.Interface.4", "Device.Ethernet.Link.3", "3"] {
            assert_eq!(seen.device(reference), None, "{reference}");
        }
    }
}
