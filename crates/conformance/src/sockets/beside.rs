//! What an Agent that is reached over WebSocket finds beside its link: a web server, an MQTT server for what it publishes,
//! and a host that says nothing.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::quiet::Quiet;
use super::web::Host;
use super::{Reach, Shared, Sockets, Tell};
use crate::limits::{HELD_UP, PROCESS_CHECK};
use crate::peer::{Address, Seat, Trouble};
use crate::publications::Publications;
use crate::tries::Tries;
use crate::web::{Reply, Web};

impl Web for Sockets {
    fn serve(&mut self, page: &str, is_secure: bool, reply: Reply) -> Result<Address, Trouble> {
        let host = Host {
            address: self.shared.seen_from_agent()?,
            tell: self.tell(),
            runtime: self.runtime.as_ref().ok_or_else(has_ended)?,
            files: self.web_files.as_ref(),
        };
        self.site.serve(host, page, is_secure, reply)
    }

    fn forget(&mut self, page: &str) {
        self.site.forget(page);
    }
}

impl Publications for Sockets {
    fn follow(&mut self, _: &str) -> Result<Address, Trouble> {
        let (address, tell) = (self.shared.seen_from_agent()?, self.tell());
        let runtime = self.runtime.as_ref().ok_or_else(has_ended)?;
        self.collector.open(runtime, address, tell)
    }
}

impl Tries for Sockets {
    fn keep_silent(&mut self) -> Result<IpAddr, Trouble> {
        let (address, tell) = (self.shared.seen_from_agent()?, self.tell());
        let runtime = self.runtime.as_ref().ok_or_else(has_ended)?;
        self.quiet.keep(runtime, address, &tell)
    }

    fn answer_again(&mut self) {
        self.quiet = Quiet::default();
    }
}

impl Sockets {
    /// Tells the bench of what happens beside the link.
    fn tell(&self) -> Tell {
        let shared = Arc::clone(&self.shared);
        Arc::new(move |what| shared.happen(Seat::Primary, what))
    }
}

impl Shared {
    /// The address of this host on the way to the Agent.
    ///
    /// # Errors
    /// There is no way to it.
    fn seen_from_agent(&self) -> Result<IpAddr, Trouble> {
        let target = match &self.reach {
            Reach::Listen(listen) => return Ok(listen.address.ip()),
            Reach::Dial(target) => target,
        };
        let look = || {
            // Nothing is sent: the system only looks which way it would go.
            let any: &[SocketAddr] = &[([0; 4], 0).into(), ([0u16; 8], 0).into()];
            let socket = UdpSocket::bind(any)?;
            socket.connect((target.host.as_str(), target.port))?;
            Ok(socket.local_addr()?.ip())
        };
        look().map_err(|error: io::Error| Trouble::Impossible(format!("{target}: {error}")))
    }
}

/// What is worth a note where waiting for a moment has taken so long: then nothing that is measured is to be trusted.
pub(super) fn held_up(waited: Duration) -> Option<String> {
    let more = waited.checked_sub(PROCESS_CHECK + HELD_UP)?;
    let seconds = (more + HELD_UP).as_secs();
    Some(format!(
        "this suite itself was held up for {seconds} s, as where a machine sleeps: the times of this test are not to be trusted"
    ))
}

/// Nothing is begun any more.
pub(super) fn has_ended() -> Trouble {
    Trouble::Impossible("the run was ended".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_slept_is_told_from_one_that_is_busy() {
        assert_eq!(held_up(PROCESS_CHECK + HELD_UP / 2), None);
        let told = held_up(PROCESS_CHECK + Duration::from_secs(36));
        assert!(told.is_some_and(|text| text.contains("held up for 36 s")));
    }
}
