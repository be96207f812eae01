//! Room for what callers of the API have done at the same time, and who gets it.
//!
//! Nobody gets all there is: a token gets one more only while more are free than it has. So however much tokens take,
//! something is left for the next who comes. The token of the data folder has no share: it takes what is free.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{
    API_CONNECTIONS_MAX, FLEET_READS_MAX, FLEET_READS_PER_TOKEN_MAX, REQUESTS_PER_TOKEN_MAX,
    STREAMS_MAX, STREAMS_PER_TOKEN_MAX,
};

/// The room that all callers have together.
#[derive(Debug)]
pub(crate) struct Rooms {
    /// For questions to many devices.
    pub(crate) fleets: Room,
    /// For requests, until their answers have ended: each has a connection.
    pub(crate) requests: Room,
    /// For live streams.
    pub(crate) streams: Room,
}

/// Room for things of one kind.
#[derive(Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    most: usize,
    /// The most that one token has of it.
    most_of_one: usize,
}

/// What one token may have yet, of each room.
#[derive(Debug)]
pub(crate) struct Shares {
    pub(crate) fleets: Share,
    pub(crate) requests: Share,
    pub(crate) streams: Share,
}

/// What one token may have yet of one room.
#[derive(Debug)]
pub(crate) struct Share(Arc<Semaphore>);

/// The right to do one thing more at the same time; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    _of_all: OwnedSemaphorePermit,
    /// None for the token of the data folder.
    _of_share: Option<OwnedSemaphorePermit>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoPlace {
    /// All have so many together.
    All(usize),
    /// The token has so many, which is the most that one may have.
    Own(usize),
    /// The token has so many, and others need what is left.
    Share(usize),
}

impl Room {
    fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(most)),
            most,
            most_of_one,
        }
    }

    /// How much of it is taken.
    pub(crate) fn taken(&self) -> usize {
        self.most.saturating_sub(self.free.available_permits())
    }

    /// A place for whoever has this share; who has none may have any that is free.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn place(&self, share: Option<&Share>) -> Result<Place, NoPlace> {
        let of_share = share.map(|share| self.of_share(share)).transpose()?;
        let of_all = Arc::clone(&self.free).try_acquire_owned();
        Ok(Place {
            _of_all: of_all.map_err(|_| NoPlace::All(self.most))?,
            _of_share: of_share,
        })
    }

    fn of_share(&self, Share(left): &Share) -> Result<OwnedSemaphorePermit, NoPlace> {
        let has = self.most_of_one.saturating_sub(left.available_permits());
        let free = self.free.available_permits();
        if free > 0 && has >= free {
            return Err(NoPlace::Share(has));
        }
        let place = Arc::clone(left).try_acquire_owned();
        place.map_err(|_| NoPlace::Own(self.most_of_one))
    }
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            fleets: Room::new(FLEET_READS_MAX, FLEET_READS_PER_TOKEN_MAX),
            requests: Room::new(API_CONNECTIONS_MAX, REQUESTS_PER_TOKEN_MAX),
            streams: Room::new(STREAMS_MAX, STREAMS_PER_TOKEN_MAX),
        }
    }
}

impl Default for Shares {
    fn default() -> Self {
        let share = |most_of_one| Share(Arc::new(Semaphore::new(most_of_one)));
        Self {
            fleets: share(FLEET_READS_PER_TOKEN_MAX),
            requests: share(REQUESTS_PER_TOKEN_MAX),
            streams: share(STREAMS_PER_TOKEN_MAX),
        }
    }
}

impl NoPlace {
    /// The same in words, of things that are so: `streams are open`.
    pub(crate) fn told(self, so: &str) -> String {
        match self {
            Self::All(all) => format!("{all} {so}, and more are not allowed"),
            Self::Own(own) => format!("{own} {so} with this token, and more are not allowed"),
            Self::Share(own) => {
                format!("{own} {so} with this token, and what is left is for others")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What somebody gets who takes all that there is to get.
    fn greedy(room: &Room, share: Option<&Share>) -> (Vec<Place>, NoPlace) {
        let mut places = Vec::new();
        loop {
            match room.place(share) {
                Ok(place) => places.push(place),
                Err(why) => return (places, why),
            }
        }
    }

    #[test]
    fn something_is_left_for_the_next_token() {
        let rooms = Rooms::default();
        let room = &rooms.requests;
        let shares: [Shares; 6] = Default::default();
        let mut taken: Vec<_> = shares
            .iter()
            .map(|shares| greedy(room, Some(&shares.requests)))
            .collect();
        let counts: Vec<_> = taken.iter().map(|(places, _)| places.len()).collect();
        assert_eq!(counts, [64, 64, 64, 32, 16, 8]);
        assert_eq!(taken[0].1, NoPlace::Own(REQUESTS_PER_TOKEN_MAX));
        assert_eq!(taken[3].1, NoPlace::Share(32));
        assert_eq!(room.taken(), 248);
        // What one gives back is there for those who have less, and not for those who have more.
        taken.swap_remove(0);
        assert_eq!(room.taken(), 184);
        assert_eq!(greedy(room, Some(&shares[4].requests)).0.len(), 28);
    }

    #[test]
    fn who_has_no_share_takes_what_is_free() {
        let rooms = Rooms::default();
        let (places, why) = greedy(&rooms.streams, None);
        assert_eq!(
            (places.len(), why),
            (STREAMS_MAX, NoPlace::All(STREAMS_MAX))
        );
        let none = rooms.streams.place(Some(&Shares::default().streams));
        assert_eq!(none.unwrap_err(), NoPlace::All(STREAMS_MAX));
        drop(places);
        assert_eq!(rooms.streams.taken(), 0);
    }
}
