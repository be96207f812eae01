//! What the Agent finds beside its link: pages of the bench's own web server, an MQTT server, a silent host, and the
//! network around it.

use std::net::IpAddr;
use std::time::Duration;

use super::{Bench, Said};
use crate::network::{Network, Sighting};
use crate::peer::{Address, Seat};
use crate::publications::Publication;
use crate::stop::Stop;
use crate::tries::Try;
use crate::web::{Reply, WebRequest};

/// A request of the Agent that came.
#[derive(Clone, Debug)]
pub struct Requested {
    /// When.
    pub at: Duration,
    /// What.
    pub request: WebRequest,
}

impl Bench {
    /// From now on, until the test ends, answers requests at this page so: its URL.
    ///
    /// # Errors
    /// The Agent cannot reach a web server of ours.
    pub fn serve(&mut self, page: &str, is_secure: bool, reply: Reply) -> Result<String, Stop> {
        let none = "this suite has no web server for an Agent that is reached in this way";
        let web = self.peer.web().ok_or_else(|| Stop::not_runnable(none))?;
        let place = web.serve(page, is_secure, reply);
        let place = place.map_err(Stop::not_runnable)?;
        let forgotten = page.to_owned();
        self.undo(move |bench| {
            if let Some(web) = bench.peer.web() {
                web.forget(&forgotten);
            }
            Ok(())
        });
        let host = self.profile.host.clone().unwrap_or(place.host);
        let scheme = if place.encryption { "https" } else { "http" };
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host,
        };
        Ok(format!("{scheme}://{host}:{}{}", place.port, place.path))
    }

    /// Waits for a request at this page.
    ///
    /// # Errors
    /// None comes in time.
    pub fn await_request(&mut self, page: &str, patience: Duration) -> Result<Requested, Stop> {
        self.requested(page, patience).ok_or_else(|| {
            Stop::Failed(format!(
                "a request at {page} was expected, none came within {} s",
                patience.as_secs()
            ))
        })
    }

    /// The next request at this page, if one comes in time.
    pub fn requested(&mut self, page: &str, patience: Duration) -> Option<Requested> {
        let until = self.until(patience);
        self.find(Seat::Primary, until, |heard| match &heard.said {
            Said::Requested(request) if request.page == page => Some(Requested {
                at: heard.at,
                request: (**request).clone(),
            }),
            _ => None,
        })
    }

    /// From now on hears what the Agent publishes on this topic of an MQTT server of ours: where that is.
    ///
    /// # Errors
    /// There is none.
    pub fn follow(&mut self, topic: &str) -> Result<Address, Stop> {
        let none = "this suite has no MQTT server for an Agent that is reached in this way";
        let server = self.peer.publications();
        let place = server
            .ok_or_else(|| Stop::not_runnable(none))?
            .follow(topic);
        let mut place = place.map_err(Stop::not_runnable)?;
        if let Some(host) = &self.profile.host {
            place.host.clone_from(host);
        }
        Ok(place)
    }

    /// From now on, until the test ends or it is told otherwise, keeps silent at a host, and hears of tries to find the
    /// way to it: where it is.
    ///
    /// # Errors
    /// There is no such host.
    pub fn keep_silent(&mut self) -> Result<IpAddr, Stop> {
        let none = "this suite has no silent host for an Agent that is reached in this way";
        let tries = self.peer.tries();
        let host = tries
            .ok_or_else(|| Stop::not_runnable(none))?
            .keep_silent()
            .map_err(Stop::not_runnable)?;
        self.undo(|bench| {
            bench.answer_tries();
            Ok(())
        });
        Ok(host)
    }

    /// The host is silent no more.
    pub fn answer_tries(&mut self) {
        if let Some(tries) = self.peer.tries() {
            tries.answer_again();
        }
    }

    /// The next try that reaches the silent host, and when it did, if one does in time.
    pub fn tried(&mut self, patience: Duration) -> Option<(Duration, Try)> {
        let until = self.until(patience);
        self.find(Seat::Primary, until, |heard| match heard.said {
            Said::Tried(one) => Some((heard.at, one)),
            _ => None,
        })
    }

    /// The next publication on this topic, if one comes in time.
    pub fn publication(&mut self, topic: &str, patience: Duration) -> Option<Publication> {
        let until = self.until(patience);
        self.find(Seat::Primary, until, |heard| match &heard.said {
            Said::Published(publication) if publication.topic == topic => {
                Some((**publication).clone())
            }
            _ => None,
        })
    }

    /// Where the Agent is to dial this Controller; `None` where we dial the Agent.
    pub fn peer_address(&self, seat: Seat) -> Option<Address> {
        self.peer.address(seat)
    }

    /// The network around the Agent.
    ///
    /// # Errors
    /// It is not in our hands.
    pub fn network(&mut self) -> Result<&mut dyn Network, Stop> {
        let none =
            "the network around the Agent (DHCP, DNS, mDNS) is not in the hands of this suite yet";
        self.peer.network().ok_or_else(|| Stop::not_runnable(none))
    }

    /// Waits until the Agent is seen doing what `pick` wants.
    ///
    /// # Errors
    /// It is not in time.
    pub fn await_sighting<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut pick: impl FnMut(&Sighting) -> Option<T>,
    ) -> Result<T, Stop> {
        let until = self.until(patience);
        let seen = self.find(Seat::Primary, until, |heard| match &heard.said {
            Said::Sighted(sighting) => pick(sighting),
            _ => None,
        });
        seen.ok_or_else(|| {
            let seconds = patience.as_secs();
            Stop::Failed(format!(
                "{what} was expected, and not seen within {seconds} s"
            ))
        })
    }

    /// What the Agent was seen doing until now does not count any more.
    pub fn forget_sightings(&mut self) {
        let heard = &mut self.place(Seat::Primary).heard;
        heard.retain(|heard| !matches!(heard.said, Said::Sighted(_)));
    }
}
