//! Changes: tried on a draft, planned as steps of the kernel, taken all or none, and kept.
//!
//! What an owner is asked at once may be several objects of which some fail: then the others are tried
//! without them, for it is the request that decides whether one failure is the failure of all.

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::{OwnedChange, OwnerError, Phase};

use super::draft::{Draft, row_of};
use super::facts::Facts;
use super::goal::Goal;
use super::hands::Hands;
use super::plan::steps;
use super::row::{Row, Table};
use super::socket::Netlink;
use super::sources::Sources;
use super::state::{Configured, State};
use super::step::{Obstacle, Planned};
use super::world::World;
use super::{Net, objects};
use crate::limits::{NET_DEVICES_AT_ONCE_MAX, REMOVED_ROWS_MAX};

impl Net {
    /// Checks, applies or takes back changes, in order. One result for each.
    pub(super) fn change(
        &mut self,
        phase: Phase,
        changes: &[OwnedChange],
    ) -> Vec<Result<(), OwnerError>> {
        if !self.config.write {
            let refusal = OwnerError {
                kind: FaultKind::WriteForbidden,
                text:
                    "this Agent is configured not to change its network (write is off in [network])"
                        .to_owned(),
            };
            return vec![Err(refusal); changes.len()];
        }
        let (facts, world) = match self.look() {
            Ok(found) => found,
            Err(error) => return vec![Err(error); changes.len()],
        };
        let mut results: Vec<Result<(), OwnerError>> = vec![Ok(()); changes.len()];
        loop {
            let left: Vec<&OwnedChange> = changes
                .iter()
                .zip(&results)
                .filter(|(_, result)| result.is_ok())
                .map(|(change, _)| change)
                .collect();
            if left.is_empty() {
                return results;
            }
            let Err((row, error)) = self.attempt(phase, &left, &facts, &world) else {
                return results;
            };
            // Without the object that was refused, the rest may be possible.
            let culprit = |change: &OwnedChange| {
                let of = row_of(change);
                row.is_none() || of == row || of.and_then(Row::parent) == row
            };
            let is_known = left.iter().any(|change| culprit(change));
            for (change, result) in changes.iter().zip(&mut results) {
                if result.is_ok() && (!is_known || culprit(change)) {
                    *result = Err(error.clone());
                }
            }
        }
    }

    /// All of them or none. An error comes with the row that is at fault, where it is one.
    fn attempt(
        &mut self,
        phase: Phase,
        changes: &[&OwnedChange],
        facts: &Facts,
        world: &World,
    ) -> Result<(), (Option<Row>, OwnerError)> {
        let mut draft = Draft::new(&self.state, world);
        for change in changes {
            let row = row_of(change);
            draft
                .change(phase, change, &self.removed)
                .map_err(|error| (row, error))?;
        }
        if phase != Phase::Undo {
            for row in changes.iter().filter_map(|change| row_of(change)) {
                draft.check(row).map_err(|error| (Some(row), error))?;
            }
        }
        name_devices(&mut draft.after, facts);
        let (before, after) = (Goal::of(&draft.before), Goal::of(&draft.after));
        let steps = steps(facts, &before, &after).map_err(in_the_way)?;
        let devices = steps
            .iter()
            .filter(|planned| planned.step.makes_or_removes());
        if devices.count() > NET_DEVICES_AT_ONCE_MAX {
            // The kernel takes some 30 ms for each, and who asked would not hear the end of it.
            let text = format!(
                "more than {NET_DEVICES_AT_ONCE_MAX} devices would be made or removed at once"
            );
            return Err((None, OwnerError::failed(text)));
        }
        for planned in &steps {
            let row = planned.row;
            allowed(planned, facts, &self.config.protected)
                .map_err(|text| in_the_way(Obstacle { row, text }))?;
        }
        if phase == Phase::Check {
            // The numbers are spoken for until the changes are made.
            for change in changes {
                if let (OwnedChange::Add { .. }, Some(row)) = (change, row_of(change)) {
                    self.state.take_number(row);
                }
            }
            return Ok(());
        }
        self.make(draft, steps, facts)
    }

    /// Does what was planned and keeps what is configured now; both or neither.
    fn make(
        &mut self,
        draft: Draft<'_>,
        steps: Vec<Planned>,
        facts: &Facts,
    ) -> Result<(), (Option<Row>, OwnerError)> {
        let Draft {
            mut after, removed, ..
        } = draft;
        let Some(kernel) = self.kernel.as_mut() else {
            return Err((None, OwnerError::failed("there is no kernel to ask")));
        };
        let mut hands = Hands::new(kernel, &self.sources, facts);
        hands.take(steps).map_err(in_the_way)?;
        if let Err(error) = after.save(self.config.state_file.as_ref()) {
            hands.take_back();
            let text = format!("what is configured cannot be kept: {error}");
            return Err((None, OwnerError::failed(text)));
        }
        self.state = after;
        self.removed.extend(removed);
        while self.removed.len() > REMOVED_ROWS_MAX {
            self.removed.pop_first();
        }
        self.tell();
        Ok(())
    }

    /// Everything of this owner may be different now.
    fn tell(&self) {
        if let Some(announcer) = &self.announcer {
            for unit in [&objects::INTERFACES, &objects::ROUTES] {
                announcer.changed(unit.name);
            }
        }
    }
}

/// Makes everything in the kernel that is configured and not there: after a restart of the host. What the
/// kernel refuses is said in the log, and its row shows it.
pub(super) fn restore(
    kernel: &mut Netlink,
    state: &State,
    sources: &Sources,
    protected: &[String],
) {
    let goal = Goal::of(state);
    let facts = match Facts::read(kernel) {
        Ok(facts) => facts,
        Err(error) => {
            tracing::error!("the network that Controllers configured is not restored: {error}");
            return;
        }
    };
    let Ok(steps) = steps(&facts, &Goal::default(), &goal) else {
        return;
    };
    let mut hands = Hands::new(kernel, sources, &facts);
    for planned in steps {
        if let Err(text) = allowed(&planned, &facts, protected) {
            tracing::warn!("not restored: {text}");
            continue;
        }
        if let Err(obstacle) = hands.take_one(planned) {
            tracing::warn!("not restored: {}", obstacle.text);
        }
    }
}

/// Devices by which the host is managed are left alone, and no way leads through them.
fn allowed(planned: &Planned, facts: &Facts, protected: &[String]) -> Result<(), String> {
    if planned.step.cuts_loopback() {
        return Err("the host itself needs its loopback".to_owned());
    }
    let devices = planned.step.devices(facts);
    match devices
        .iter()
        .find(|device| protected.iter().any(|name| name == *device))
    {
        Some(device) => Err(format!(
            "{device} is protected by the configuration of this Agent"
        )),
        None => Ok(()),
    }
}

/// Gives every device that Controllers made a name of the kernel's, once it is known what it is to be.
fn name_devices(state: &mut State, facts: &Facts) {
    let rows: Vec<Row> = state.rows.keys().copied().collect();
    for row in rows {
        let Some(stem) = stem(row, &state.rows[&row]) else {
            continue;
        };
        let device = state.rows[&row].device.as_deref();
        // A name of ours says which VLAN it is; a name of the host's stays.
        let is_ours = device.and_then(|device| device.strip_prefix("vlan"));
        let is_stale = is_ours.is_some_and(|rest| {
            let id = rest.split('-').next().unwrap_or(rest);
            id.bytes().all(|digit| digit.is_ascii_digit()) && stem != format!("vlan{id}")
        });
        if device.is_some() && !is_stale {
            continue;
        }
        let is_taken = |name: &str| {
            let mut configured = state.rows.values();
            facts.link(name).is_some()
                || configured.any(|other| other.device.as_deref() == Some(name))
        };
        let mut name = stem.clone();
        let mut count = 2;
        while is_taken(&name) {
            name = format!("{stem}-{count}");
            count += 1;
        }
        if let Some(configured) = state.rows.get_mut(&row) {
            configured.device = Some(name);
        }
        state.touch();
    }
}

/// How the name of a device begins that a Controller made.
fn stem(row: Row, configured: &Configured) -> Option<String> {
    let is_set = |name| !configured.text(name).is_empty();
    match row.table {
        _ if !configured.is_made => None,
        Table::Bridge => Some(format!("br{}", row.number)),
        Table::VlanTermination if is_set("VLANID") => {
            Some(format!("vlan{}", configured.text("VLANID")))
        }
        _ => None,
    }
}

fn in_the_way(obstacle: Obstacle) -> (Option<Row>, OwnerError) {
    (obstacle.row, OwnerError::failed(obstacle.text))
}
