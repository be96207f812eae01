//! A second Controller.

use super::{AllowPartial, Bench, CONTROLLERS, Settings, create, update};
use crate::peer::{Destination, Seat};
use crate::stop::{Done, Stop};

/// A second Controller that the Agent knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecondController {
    /// The path of its row.
    pub path: String,
}

impl Bench {
    /// Has the Agent know a second Controller with the same role as ours, until the test ends. It has no link
    /// yet: [`Bench::connect`] waits for it.
    ///
    /// # Errors
    /// The Agent does not take it; the test does not apply where no Controllers can be added.
    pub fn introduce_second(&mut self) -> Result<SecondController, Stop> {
        let role = self.value(&format!("{}AssignedRole", self.controller_path()))?;
        self.introduce_second_as(&role)
    }

    /// As [`Bench::introduce_second`], with these roles.
    ///
    /// # Errors
    /// As there.
    pub fn introduce_second_as(&mut self, roles: &str) -> Result<SecondController, Stop> {
        let host = self.profile.host.clone();
        self.introduce(roles, host)
    }

    /// As [`Bench::introduce_second`]; the Agent is to find it at this host.
    ///
    /// # Errors
    /// As there.
    pub fn introduce_second_at(&mut self, host: &str) -> Result<SecondController, Stop> {
        let role = self.value(&format!("{}AssignedRole", self.controller_path()))?;
        self.introduce(&role, Some(host.to_owned()))
    }

    fn introduce(&mut self, roles: &str, host: Option<String>) -> Result<SecondController, Stop> {
        self.needs_addable(CONTROLLERS)?;
        let id = self.endpoint_id(Seat::Second);
        self.forget_second()?;
        let row = create(CONTROLLERS)
            .must("EndpointID", id.as_str())
            .must("AssignedRole", roles)
            .must("Enable", "true");
        let path = self.added(row)?;
        // Opened before the Agent dials.
        let opened = self.peer.connect(Seat::Second);
        if let Some(address) = self.peer.address(Seat::Second) {
            opened.clone().map_err(Stop::not_runnable)?;
            let host = host.unwrap_or(address.host);
            let table = format!("{path}MTP.");
            let mtp = self.added(create(&table).must("Protocol", "WebSocket"))?;
            let reached = update(&format!("{mtp}WebSocket."))
                .must("Host", &host)
                .must("Port", &address.port.to_string())
                .must("Path", &address.path)
                .must("EnableEncryption", &address.encryption.to_string());
            self.set(AllowPartial::No, [reached])?.response()?;
            self.write(&format!("{mtp}Enable"), "true")?;
        }
        if let Some(destination) = self.peer.destination(Seat::Second) {
            opened.map_err(Stop::not_runnable)?;
            // Agents connect to their server anew when what they do there changes.
            self.may_lose_link();
            self.reach_through_server(&path, destination)?;
        }
        Ok(SecondController { path })
    }

    /// Has the Agent reach the Controller of this row through the server by which it reaches us.
    fn reach_through_server(&mut self, path: &str, destination: Destination) -> Done {
        let Destination {
            protocol,
            parameter,
            value,
        } = destination;
        let ours = format!("{}MTP.", self.controller_path());
        let values = self.values(&ours)?;
        let end = format!(".{protocol}.Reference");
        let reference = values
            .iter()
            .find(|(name, value)| name.ends_with(&end) && !value.is_empty());
        let reference = reference
            .map(|(_, value)| value.clone())
            .unwrap_or_default();
        let table = format!("{path}MTP.");
        let mtp = self.added(create(&table).must("Protocol", protocol))?;
        let mut reached = update(&format!("{mtp}{protocol}.")).must(parameter, value);
        if !reference.is_empty() {
            reached = reached.must("Reference", &reference);
        }
        self.set(AllowPartial::No, [reached])?.response()?;
        self.write(&format!("{mtp}Enable"), "true")
    }

    /// As [`Bench::introduce_second`]; it is connected when this returns.
    ///
    /// # Errors
    /// As there, or the Agent does not connect.
    pub fn meet_second(&mut self) -> Result<SecondController, Stop> {
        let second = self.introduce_second()?;
        self.connect(Seat::Second)?;
        Ok(second)
    }

    /// The second Controller gets a link although the Agent does not know it.
    ///
    /// # Errors
    /// An Agent that dials us meets nobody whom it does not know; one that we dial may not want to.
    pub fn meet_as_stranger(&mut self) -> Done {
        self.forget_second()?;
        let dials = self.peer.address(Seat::Second).is_some()
            || self.peer.destination(Seat::Second).is_some();
        if dials {
            let reason = "the Agent dials us, and so meets no Controller that it does not know; --agent dials an Agent that listens";
            return Err(Stop::not_runnable(reason));
        }
        self.undo(|bench| {
            bench.drop_link(Seat::Second);
            Ok(())
        });
        if self.try_to_connect(Seat::Second)? {
            self.pass(self.profile.silence());
        }
        match self.is_connected(Seat::Second) {
            true => Ok(()),
            false => Err(Stop::not_runnable(
                "the Agent does not let a Controller in that it does not know; over wss, and where it allows TOFU, it may",
            )),
        }
    }

    /// Deletes what an earlier test may have left.
    fn forget_second(&mut self) -> Done {
        let id = self.endpoint_id(Seat::Second);
        let path = format!("{CONTROLLERS}[EndpointID==\"{id}\"].");
        self.delete_quietly(&path)
    }
}
