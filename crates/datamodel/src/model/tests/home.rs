//! What the rooms of the scene are, as plainly as can be: no journal, no owners, no waiting.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::scene::{Answer, get, try_add_room};
use crate::model::{Setting, Sight, Transaction};
use crate::{Fault, FaultKind};

/// The rooms and what they should say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Home {
    rooms: BTreeMap<u32, Room>,
    next: u32,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Room {
    name: String,
    floor: String,
    after: Option<u32>,
    doors: Vec<u32>,
    lamps: BTreeMap<u32, String>,
    next_lamp: u32,
}

/// One plan.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Add(u8, u8),
    /// Two rooms; the second is left out where it cannot be.
    AddTwo(u8, u8),
    AddLamp(u32, u8),
    Delete(u32),
    DeleteLamp(u32, u32),
    /// A value that differs from all before, so that there is a commit.
    Nudge,
    Read,
    ReadCount,
    ReadLive,
    ReadName(u32),
    Search(u8),
    SetDoors(u32, u32, u32),
    SetFloor(u32, u8),
    SetMood(u32, u32, u8),
    SetName(u32, u8),
    SetNext(u32, u32),
    /// Which sensor a room refers to is not modelled; see [`without_probes`].
    SetProbe(u32, u32),
    SetSpeed(u32, u8, u8),
    SetTarget(u32, u8),
    /// Two names at once, or none.
    SetTwo(u32, u8, u32, u8),
}

impl Op {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let (room, text) = (1_u32..6, 0_u8..4);
        let lamp = 1_u32..3;
        prop_oneof![
            4 => (text.clone(), text.clone()).prop_map(|(a, b)| Self::Add(a, b)),
            1 => (text.clone(), text.clone()).prop_map(|(a, b)| Self::AddTwo(a, b)),
            2 => (room.clone(), text.clone()).prop_map(|(a, b)| Self::AddLamp(a, b)),
            2 => room.clone().prop_map(Self::Delete),
            1 => (room.clone(), lamp.clone()).prop_map(|(a, b)| Self::DeleteLamp(a, b)),
            2 => Just(Self::Read),
            1 => Just(Self::ReadCount),
            2 => Just(Self::ReadLive),
            2 => room.clone().prop_map(Self::ReadName),
            1 => text.clone().prop_map(Self::Search),
            1 => (room.clone(), room.clone(), room.clone()).prop_map(|(a, b, c)| Self::SetDoors(a, b, c)),
            1 => (room.clone(), text.clone()).prop_map(|(a, b)| Self::SetFloor(a, b)),
            2 => (room.clone(), lamp, text.clone()).prop_map(|(a, b, c)| Self::SetMood(a, b, c)),
            3 => (room.clone(), text.clone()).prop_map(|(a, b)| Self::SetName(a, b)),
            1 => (room.clone(), room.clone()).prop_map(|(a, b)| Self::SetNext(a, b)),
            2 => (room.clone(), 1_u32..4).prop_map(|(a, b)| Self::SetProbe(a, b)),
            2 => (room.clone(), text.clone(), text.clone()).prop_map(|(a, b, c)| Self::SetSpeed(a, b, c)),
            1 => (1_u32..4, text.clone()).prop_map(|(a, b)| Self::SetTarget(a, b)),
            2 => (room.clone(), text.clone(), room, text).prop_map(|(a, b, c, d)| Self::SetTwo(a, b, c, d)),
        ]
    }

    pub(super) fn writes(&self) -> bool {
        !matches!(
            self,
            Self::Read | Self::ReadCount | Self::ReadLive | Self::ReadName(_) | Self::Search(_)
        )
    }

    pub(super) fn asks_owners(&self) -> bool {
        matches!(
            self,
            Self::ReadLive | Self::SetProbe(..) | Self::SetSpeed(..) | Self::SetTarget(..)
        )
    }

    pub(super) fn reads_sensors(&self) -> bool {
        matches!(self, Self::ReadLive)
    }

    /// Whether an answer is the expected one, as far as the rooms can tell.
    pub(super) fn is_right(
        &self,
        answer: &Result<Vec<String>, FaultKind>,
        expected: &Result<Vec<String>, FaultKind>,
    ) -> bool {
        match (self, answer) {
            (Self::ReadLive, Ok(lines)) => {
                let rooms: Vec<&String> = lines
                    .iter()
                    .filter(|line| line.starts_with("Device.Room"))
                    .collect();
                expected
                    .as_ref()
                    .is_ok_and(|expected| rooms == expected.iter().collect::<Vec<_>>())
            }
            // Whether there is such a sensor, the rooms do not know.
            (Self::SetTarget(..), Ok(_) | Err(FaultKind::NotInstantiated)) => true,
            (Self::SetProbe(..), Err(FaultKind::ReferenceInvalid)) => true,
            _ => answer == expected,
        }
    }

    /// The plan.
    pub(super) fn work(&self) -> impl FnMut(&mut Transaction<'_>) -> Answer + Send + 'static {
        let op = self.clone();
        move |transaction| {
            let before = transaction.savepoint();
            let done = op.run(transaction);
            if done.is_err() {
                transaction.rollback(before);
            }
            done
        }
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Answer {
        match *self {
            Self::Add(name, floor) => add(transaction, name, floor),
            Self::AddTwo(first, second) => {
                let mut added = add(transaction, first, 7)?;
                let before = transaction.savepoint();
                match add(transaction, second, 8) {
                    Ok(second) => added.extend(second),
                    Err(_) => transaction.rollback(before),
                }
                Ok(added)
            }
            Self::AddLamp(room, mood) => {
                let tables = transaction
                    .resolve_text(&format!("Device.Room.{room}.Lamp."), Sight::Everything)?;
                let row = transaction.add(tables.targets[0].object, tables.targets[0].node)?;
                let parameter = transaction.parameter(row, "Mood").unwrap();
                transaction.set(row, parameter, &text(mood), Setting::Initial)?;
                transaction.finish_row(row)?;
                Ok(vec![transaction.path(row).to_owned()])
            }
            Self::Delete(room) => delete(transaction, &format!("Device.Room.{room}.")),
            Self::DeleteLamp(room, lamp) => {
                delete(transaction, &format!("Device.Room.{room}.Lamp.{lamp}."))
            }
            Self::Nudge => add(transaction, 99, 99),
            Self::Read => get("Device.Room.*.")(transaction).map(without_probes),
            Self::ReadCount => get("Device.RoomNumberOfEntries")(transaction),
            Self::ReadLive => get("Device.")(transaction).map(without_probes),
            Self::ReadName(room) => {
                // By another way than the others.
                let path = format!("Device.Room.{room}.");
                let Some(room) = transaction.find(&path) else {
                    return Err(Fault::new(FaultKind::NotInstantiated, path, "none"));
                };
                Ok(vec![transaction.text(room, "Name").to_owned()])
            }
            Self::Search(name) => {
                let path = format!("Device.Room.[Name==\"{}\"].", text(name));
                let found = transaction.resolve_text(&path, Sight::Everything)?;
                let paths = found
                    .targets
                    .iter()
                    .map(|target| transaction.path(target.object).to_owned());
                Ok(paths.collect())
            }
            Self::SetDoors(room, first, second) => {
                let value = format!("Device.Room.{first},Device.Room.{second}");
                set(transaction, &format!("Device.Room.{room}.Doors"), &value)
            }
            Self::SetFloor(room, floor) => set(
                transaction,
                &format!("Device.Room.{room}.Floor"),
                &floor.to_string(),
            ),
            Self::SetMood(room, lamp, mood) => {
                let path = format!("Device.Room.{room}.Lamp.{lamp}.Mood");
                set(transaction, &path, &text(mood))
            }
            Self::SetName(room, name) => set_name(transaction, room, name),
            Self::SetNext(room, next) => set(
                transaction,
                &format!("Device.Room.{room}.Next"),
                &format!("Device.Room.{next}"),
            ),
            Self::SetProbe(room, sensor) => set(
                transaction,
                &format!("Device.Room.{room}.Probes"),
                &format!("Device.Sensor.{sensor}"),
            ),
            Self::SetSpeed(room, name, speed) => {
                set(transaction, "Device.Bridge.Speed", &speed.to_string())?;
                set_name(transaction, room, name)
            }
            Self::SetTarget(sensor, degrees) => {
                let path = format!("Device.Sensor.{sensor}.Target");
                set(transaction, &path, &degrees.to_string())
            }
            Self::SetTwo(one, name, other, other_name) => {
                set_name(transaction, one, name)?;
                set_name(transaction, other, other_name)
            }
        }
    }
}

/// The lines without those that tell which sensors a room refers to.
pub(super) fn without_probes(lines: Vec<String>) -> Vec<String> {
    let known = lines.into_iter().filter(|line| !line.contains(".Probes="));
    known.collect()
}

fn add(transaction: &mut Transaction<'_>, name: u8, floor: u8) -> Answer {
    let (name, floor) = (text(name), floor.to_string());
    try_add_room(transaction, &[("Name", &name), ("Floor", &floor)])
}

fn set_name(transaction: &mut Transaction<'_>, room: u32, name: u8) -> Answer {
    set(
        transaction,
        &format!("Device.Room.{room}.Name"),
        &text(name),
    )
}

fn set(transaction: &mut Transaction<'_>, path: &str, value: &str) -> Answer {
    let target = transaction.resolve_text(path, Sight::Everything)?.targets[0];
    transaction.set(target.object, target.node, value, Setting::Update)?;
    transaction.check_unique(target.object)?;
    Ok(Vec::new())
}

fn delete(transaction: &mut Transaction<'_>, path: &str) -> Answer {
    let target = transaction.resolve_text(path, Sight::Everything)?.targets[0];
    transaction.delete(target.object)?;
    Ok(Vec::new())
}

fn text(number: u8) -> String {
    match number {
        0 => String::new(),
        number => format!("n{number}"),
    }
}

/// What the plan does to the rooms when everybody else plays along.
impl Home {
    pub(super) fn apply(&mut self, op: &Op) -> Result<Vec<String>, FaultKind> {
        let mut after = self.clone();
        let answer = after.change(op)?;
        *self = after;
        Ok(answer)
    }

    fn change(&mut self, op: &Op) -> Result<Vec<String>, FaultKind> {
        match *op {
            Op::Add(name, floor) => self.add(name, floor),
            Op::AddTwo(first, second) => {
                let mut added = self.add(first, 7)?;
                added.extend(self.add(second, 8).unwrap_or_default());
                Ok(added)
            }
            Op::AddLamp(room, mood) => {
                let lamps = self.room(room)?;
                lamps.next_lamp += 1;
                lamps.lamps.insert(lamps.next_lamp, text(mood));
                let lamp = lamps.next_lamp;
                Ok(vec![format!("Device.Room.{room}.Lamp.{lamp}.")])
            }
            Op::Delete(room) => {
                self.room(room)?;
                self.rooms.remove(&room);
                for other in self.rooms.values_mut() {
                    other.after = other.after.filter(|after| *after != room);
                    other.doors.retain(|door| *door != room);
                }
                Ok(vec![])
            }
            Op::DeleteLamp(room, lamp) => {
                let lamps = &mut self.room(room)?.lamps;
                lamps.remove(&lamp).ok_or(FaultKind::NotInstantiated)?;
                Ok(vec![])
            }
            Op::Nudge => self.add(99, 99),
            Op::Read => {
                let mut lines = self.dump();
                lines.pop();
                Ok(lines)
            }
            Op::ReadCount => Ok(vec![self.count()]),
            Op::ReadLive => {
                let mut lines = self.dump();
                lines.pop();
                lines.insert(0, self.count());
                Ok(lines)
            }
            Op::ReadName(room) => Ok(vec![self.room(room)?.name.clone()]),
            Op::Search(name) => {
                let name = text(name);
                let found = self.rooms.iter().filter(|(_, room)| room.name == name);
                Ok(found
                    .map(|(room, _)| format!("Device.Room.{room}."))
                    .collect())
            }
            Op::SetDoors(room, first, second) => {
                self.room(room)?;
                self.refer(first)?;
                self.refer(second)?;
                self.room(room)?.doors = vec![first, second];
                Ok(vec![])
            }
            Op::SetFloor(room, floor) => {
                self.room(room)?.floor = floor.to_string();
                self.unique(room)
            }
            Op::SetMood(room, lamp, mood) => {
                let lamps = &mut self.room(room)?.lamps;
                let lamp = lamps.get_mut(&lamp).ok_or(FaultKind::NotInstantiated)?;
                *lamp = text(mood);
                Ok(vec![])
            }
            Op::SetName(room, name) | Op::SetSpeed(room, name, _) => self.name(room, name),
            Op::SetNext(room, next) => {
                self.room(room)?;
                self.refer(next)?;
                self.room(room)?.after = Some(next);
                Ok(vec![])
            }
            Op::SetProbe(room, _) => self.room(room).map(|_| vec![]),
            Op::SetTarget(..) => Ok(vec![]),
            Op::SetTwo(one, name, other, other_name) => {
                self.name(one, name)?;
                self.name(other, other_name)
            }
        }
    }

    fn add(&mut self, name: u8, floor: u8) -> Result<Vec<String>, FaultKind> {
        let number = self.next + 1;
        let room = Room {
            name: text(name),
            floor: floor.to_string(),
            ..Room::default()
        };
        self.rooms.insert(number, room);
        if let Err(kind) = self.unique(number) {
            self.rooms.remove(&number);
            return Err(kind);
        }
        self.next = number;
        Ok(vec![format!("Device.Room.{number}.")])
    }

    fn name(&mut self, room: u32, name: u8) -> Result<Vec<String>, FaultKind> {
        self.room(room)?.name = text(name);
        self.unique(room)
    }

    fn room(&mut self, room: u32) -> Result<&mut Room, FaultKind> {
        self.rooms.get_mut(&room).ok_or(FaultKind::NotInstantiated)
    }

    fn refer(&self, room: u32) -> Result<(), FaultKind> {
        let there = self.rooms.contains_key(&room);
        there.then_some(()).ok_or(FaultKind::ReferenceInvalid)
    }

    fn unique(&self, number: u32) -> Result<Vec<String>, FaultKind> {
        let room = &self.rooms[&number];
        let taken = self.rooms.iter().any(|(other, with)| {
            *other != number && (&with.name, &with.floor) == (&room.name, &room.floor)
        });
        if taken {
            return Err(FaultKind::UniqueKeyConflict);
        }
        Ok(vec![])
    }

    fn count(&self) -> String {
        format!("Device.RoomNumberOfEntries={}", self.rooms.len())
    }

    /// Every line that reading the rooms gives, and how many there are.
    pub(super) fn dump(&self) -> Vec<String> {
        let path = |room: &u32| format!("Device.Room.{room}");
        let mut lines = Vec::new();
        for (number, room) in &self.rooms {
            let doors: Vec<String> = room.doors.iter().map(path).collect();
            for (name, value) in [
                ("Alias", format!("cpe-{number}")),
                ("Name", room.name.clone()),
                ("Floor", room.floor.clone()),
                ("Kind", "Living".to_owned()),
                ("Next", room.after.as_ref().map(path).unwrap_or_default()),
                ("Doors", doors.join(",")),
                ("Hint", String::new()),
                ("Size", "0".to_owned()),
                ("LampNumberOfEntries", room.lamps.len().to_string()),
            ] {
                lines.push(format!("Device.Room.{number}.{name}={value}"));
            }
            for (lamp, mood) in &room.lamps {
                lines.push(format!("Device.Room.{number}.Lamp.{lamp}.On=false"));
                lines.push(format!("Device.Room.{number}.Lamp.{lamp}.Mood={mood}"));
            }
        }
        lines.push(self.count());
        lines
    }

    /// How many objects of the Tree are not sensors.
    pub(super) fn objects(&self) -> usize {
        let rooms = self.rooms.values().map(|room| 1 + room.lamps.len());
        2 + rooms.sum::<usize>()
    }

    /// What a power cut leaves.
    pub(super) fn restarted(mut self) -> Self {
        for room in self.rooms.values_mut() {
            room.lamps.values_mut().for_each(String::clear);
        }
        self
    }
}
