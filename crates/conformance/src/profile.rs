//! What of the Agent the tests use, where the plan leaves a choice.
//!
//! Every choice has a sensible value, found by looking at the Agent; a TOML file overrides what it names.
//! `{controller}` in a path stands for the instance number of the row that is the bench.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{
    ANSWER_PATIENCE, CONNECT_PATIENCE, FIRMWARE_PATIENCE, PROFILE_BYTES_MAX, SILENCE,
};

/// What of the Agent the tests use.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// How long an answer may take, in seconds.
    pub answer_seconds: u64,
    /// How long nothing must come where nothing may come, in seconds.
    pub silence_seconds: u64,
    /// How long the Agent may take to connect, in seconds; after a reboot as well.
    pub connect_seconds: u64,
    /// A command with which the Agent starts anew, and its arguments.
    pub reboot: Call,
    /// A command that completes by a notification, and its arguments.
    pub asynchronous: Call,
    /// A command that counts on defaults for its arguments; its Host is one of the bench's.
    pub defaulted: Call,
    /// A parameter of text that can be written, and whose changes are told.
    pub value_change: String,
    /// A table within a table to which Controllers may add rows, and what a row needs.
    pub nested: Nested,
    /// A parameter that shows its value to secured roles alone.
    pub secured: Option<String>,
    /// Whether the Agent speaks TLS within Records; a handshake finds out otherwise.
    pub secure_messages: Option<bool>,
    /// The host in the paths of Controllers that the Agent is to dial, where it is not the one we listen at.
    pub host: Option<String>,
    /// A firmware image that the Agent can run, other than the one that it runs.
    pub firmware: Option<Firmware>,
    /// How the Agent finds Controllers, where its data model does not say.
    pub discovery: Discovery,
}

/// A firmware image.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Firmware {
    /// The file.
    pub image: PathBuf,
    /// What `Device.DeviceInfo.SoftwareVersion` says when it runs.
    pub version: String,
    /// How long downloading it, or starting anew with it, may take, in seconds.
    #[serde(default = "firmware_seconds")]
    pub seconds: u64,
}

/// How the Agent finds Controllers, and lets itself be found.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Discovery {
    /// Whether by options of DHCP.
    pub dhcp: Option<bool>,
    /// Whether by mDNS.
    pub mdns: Option<bool>,
}

const fn firmware_seconds() -> u64 {
    FIRMWARE_PATIENCE.as_secs()
}

/// A command and its arguments.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Call {
    /// Its path with `()`.
    pub command: String,
    /// Input arguments by name.
    pub arguments: BTreeMap<String, String>,
    /// How long it may take to complete, in seconds.
    pub seconds: u64,
}

/// A table within a table.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nested {
    /// The inner table, below the row that is the bench.
    pub table: String,
    /// The parameter that is a unique key of its rows.
    pub key: String,
    /// Values for that parameter, as many as there may be rows.
    pub values: Vec<String>,
}

impl Default for Nested {
    fn default() -> Self {
        let values = [
            "SoftwareVersion",
            "EndpointID",
            "UpTime",
            "SupportedProtocols",
        ];
        Self {
            table: "BootParameter.".to_owned(),
            key: "ParameterName".to_owned(),
            values: values
                .map(|name| format!("Device.LocalAgent.{name}"))
                .to_vec(),
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        let arguments = [("ProtocolVersion".to_owned(), "Any".to_owned())];
        Self {
            answer_seconds: ANSWER_PATIENCE.as_secs(),
            silence_seconds: SILENCE.as_secs(),
            connect_seconds: CONNECT_PATIENCE.as_secs(),
            reboot: Call {
                command: "Device.Reboot()".to_owned(),
                ..Call::default()
            },
            asynchronous: Call::default(),
            defaulted: Call {
                command: "Device.IP.Diagnostics.TraceRoute()".to_owned(),
                arguments: arguments.into(),
                seconds: 60,
            },
            value_change: "Device.LocalAgent.Controller.{controller}.ProvisioningCode".to_owned(),
            nested: Nested::default(),
            secured: None,
            secure_messages: None,
            host: None,
            firmware: None,
            discovery: Discovery::default(),
        }
    }
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not what a profile is.
    #[error("{path}: {reason}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong, with the line.
        reason: String,
    },
}

impl Profile {
    /// The one in a TOML file, over what is sensible.
    ///
    /// # Errors
    /// The file cannot be read, or is no profile.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let shown = path.display().to_string();
        let mut text = String::new();
        let opened = File::open(path).map(|file| file.take(PROFILE_BYTES_MAX));
        let read = opened.and_then(|mut file| file.read_to_string(&mut text));
        read.map_err(|source| ProfileError::File {
            path: shown.clone(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| ProfileError::Content {
            path: shown,
            reason: error.to_string(),
        })
    }

    /// How long an answer may take.
    pub fn answer_patience(&self) -> Duration {
        Duration::from_secs(self.answer_seconds)
    }

    /// How long nothing must come where nothing may come.
    pub fn silence(&self) -> Duration {
        Duration::from_secs(self.silence_seconds)
    }

    /// How long the Agent may take to connect.
    pub fn connect_patience(&self) -> Duration {
        Duration::from_secs(self.connect_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_overrides_what_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profile.toml");
        std::fs::write(
            &path,
            "answer_seconds = 3\n[reboot]\ncommand = \"Device.X_V_Restart()\"\n[firmware]\nimage = \"new.img\"\nversion = \"2.0\"\n",
        )
        .unwrap();
        let profile = Profile::read(&path).unwrap();
        assert_eq!(profile.answer_patience(), Duration::from_secs(3));
        assert_eq!(profile.reboot.command, "Device.X_V_Restart()");
        assert_eq!(profile.nested, Nested::default());
        let firmware = profile.firmware.unwrap();
        assert_eq!((firmware.version.as_str(), firmware.seconds), ("2.0", 600));
        std::fs::write(&path, "unknown = 1\n").unwrap();
        let error = Profile::read(&path).unwrap_err().to_string();
        assert!(error.contains("unknown"), "{error}");
        assert!(Profile::read(&folder.path().join("absent")).is_err());
    }
}
