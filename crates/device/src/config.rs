//! What a device maker or operator says about the host, and where the host is read from.

use std::path::PathBuf;

use crate::interfaces::Interfaces;
use crate::objects::DEVICE_INFO;

/// What is known better than the host tells. Everything may be left out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DeviceConfig {
    /// `DeviceInfo.DeviceCategory`; none by default.
    pub device_category: Vec<String>,
    /// `DeviceInfo.Manufacturer`, at most 64 characters.
    pub manufacturer: Option<String>,
    /// `DeviceInfo.ManufacturerOUI`, six hexadecimal digits in upper case.
    pub manufacturer_oui: Option<String>,
    /// `DeviceInfo.ModelName`, at most 64 characters.
    pub model_name: Option<String>,
    /// `DeviceInfo.ModelNumber`, at most 64 characters.
    pub model_number: Option<String>,
    /// `DeviceInfo.Description`, at most 256 characters.
    pub description: Option<String>,
    /// `DeviceInfo.ProductClass`, at most 64 characters.
    pub product_class: Option<String>,
    /// `DeviceInfo.SerialNumber`, at most 64 characters.
    pub serial_number: Option<String>,
    /// `DeviceInfo.HardwareVersion`, at most 64 characters.
    pub hardware_version: Option<String>,
    /// `DeviceInfo.SoftwareVersion`, at most 64 characters.
    pub software_version: Option<String>,
    /// Whether a Controller may change the host itself: its name and its time zone.
    pub allow_host_writes: bool,
    /// A file that exists once the host's clock is right, for a time client that is not known here.
    pub clock_marker: Option<PathBuf>,
    /// The file that keeps the date of first use. Without one that date stays unknown.
    pub first_use_file: Option<PathBuf>,
    /// The file that keeps instance numbers. Without one they may be others after a restart.
    pub rows_file: Option<PathBuf>,
    /// The DNS client.
    pub dns: DnsConfig,
    /// Which IP interface is which network device.
    pub interfaces: Interfaces,
    /// The network namespace that diagnostics run in, `/run/netns/NAME`; that of the process if none.
    pub namespace: Option<PathBuf>,
    /// The certificates.
    pub security: SecurityConfig,
    /// The time client.
    pub time: TimeConfig,
}

/// What a Controller may change of the DNS client.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DnsConfig {
    /// A file in the form of `resolv.conf` whose servers may be added, changed and deleted. Without one,
    /// nothing may.
    pub write_to: Option<PathBuf>,
}

/// Which certificates are shown.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SecurityConfig {
    /// Files and folders with certificates in PEM or DER.
    pub certificates: Vec<PathBuf>,
}

/// What a Controller may change of the time client.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TimeConfig {
    /// A program and its arguments, run when that file was changed, so that the time client takes it up. None
    /// is run where it is empty.
    pub reload: Vec<String>,
    /// A file that the time client reads, in which its servers may be changed. Without one, they may not.
    pub write_to: Option<PathBuf>,
}

impl DeviceConfig {
    /// What is configured, by the name of the parameter of `Device.DeviceInfo.` that it replaces.
    pub(crate) fn overrides(&self) -> [(&'static str, Option<&str>); 9] {
        [
            ("Manufacturer", self.manufacturer.as_deref()),
            ("ManufacturerOUI", self.manufacturer_oui.as_deref()),
            ("ModelName", self.model_name.as_deref()),
            ("ModelNumber", self.model_number.as_deref()),
            ("Description", self.description.as_deref()),
            ("ProductClass", self.product_class.as_deref()),
            ("SerialNumber", self.serial_number.as_deref()),
            ("HardwareVersion", self.hardware_version.as_deref()),
            ("SoftwareVersion", self.software_version.as_deref()),
        ]
    }

    /// Compares every value with the type of the parameter that it is for.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for (name, value) in self.overrides() {
            let declared = DEVICE_INFO
                .parameters
                .iter()
                .find(|parameter| parameter.name == name);
            if let (Some(declared), Some(value)) = (declared, value) {
                declared
                    .value_type
                    .canonical(value)
                    .map_err(|error| ConfigError {
                        name: format!("Device.DeviceInfo.{name}"),
                        reason: error.to_string(),
                    })?;
            }
        }
        Ok(())
    }
}

/// A configured value that its parameter cannot hold, or that says nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct ConfigError {
    /// The parameter, or the setting.
    pub name: String,
    /// What is wrong with the value.
    pub reason: String,
}

/// Where the host is read from; somewhere else in tests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPaths {
    /// `/proc`
    pub proc: PathBuf,
    /// `/sys`
    pub sys: PathBuf,
    /// `/etc`
    pub etc: PathBuf,
    /// `/run`
    pub run: PathBuf,
    /// `/var`
    pub var: PathBuf,
}

impl Default for HostPaths {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            sys: "/sys".into(),
            etc: "/etc".into(),
            run: "/run".into(),
            var: "/var".into(),
        }
    }
}
