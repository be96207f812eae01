//! A second Controller with a Role of its own, which tests permit and forbid things.
//!
//! So the first Controller keeps its own rights, and can clean up whatever a test has forbidden.

use crate::bench::{Bench, FoundResult, Settings, create};
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::common::ENDPOINT_ID;
use usphere_proto::msg::GetResp;

/// The table of Roles.
pub(super) const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

/// All rights.
pub(super) const ALL: [&str; 4] = ["rwxn"; 4];

/// The Controller whose rights are tested.
pub(super) struct Guest {
    /// Its Roles: the one that was assigned to it, and those that the Agent gives it by itself. What any of them
    /// permits it may do, so that tests forbid it in all.
    roles: Vec<String>,
    /// The row of the Controller.
    pub(super) path: String,
}

impl Guest {
    /// Introduces it, with a Role that permits everything. Requests come from it from now on.
    pub(super) fn arrive(bench: &mut Bench) -> Result<Self, Stop> {
        bench.needs_addable(ROLES)?;
        bench.needs_addable(&format!("{ROLES}{{i}}.Permission."))?;
        bench.step("Introduce a second Controller, with a Role that permits everything");
        let name = format!("Conformance-{}", bench.fresh());
        let role = create(ROLES).must("Enable", "true").must("Name", &name);
        let role = bench.added(role)?;
        let path = bench.introduce_second_as(&role)?.path;
        bench.connect(Seat::Second)?;
        // Some Agents find out only by a Message which Roles they give somebody.
        bench.speak_as(Seat::Second);
        let read = bench.get(&[ENDPOINT_ID])?.either();
        bench.speak_as(Seat::Primary);
        let inherited = inherited(bench, &path)?;
        let values = |response: GetResp| {
            response
                .req_path_results
                .iter()
                .any(|one| !one.values().is_empty())
        };
        if inherited.is_empty() && read.is_ok_and(values) {
            return Err(Stop::not_runnable(
                "the Agent gives the second Controller rights beside those of its Role, and its InheritedRole does not say by which Role",
            ));
        }
        give(bench, &role, "Device.", ALL)?;
        let others = inherited.into_iter().filter(|other| *other != role);
        let roles = [role.clone()].into_iter().chain(others).collect();
        bench.speak_as(Seat::Second);
        Ok(Self { roles, path })
    }

    /// Adds a Permission to its Roles: for Param, Obj, InstantiatedObj and CommandEvent. It counts more than those
    /// that were there before. The first Controller adds it.
    pub(super) fn permit(&mut self, bench: &mut Bench, targets: &str, rights: [&str; 4]) -> Done {
        bench.speak_as(Seat::Primary);
        bench.step(format_args!(
            "Add a Permission for {targets}: Param {}, Obj {}, InstantiatedObj {}, CommandEvent {}",
            rights[0], rights[1], rights[2], rights[3]
        ));
        for (number, role) in self.roles.iter().enumerate() {
            let given = give(bench, role, targets, rights);
            match number {
                0 => given?,
                _ => given.map_err(|stop| {
                    Stop::not_runnable(format_args!(
                        "the Agent gives the second Controller {role} by itself, which cannot be changed: {}",
                        stop.reason()
                    ))
                })?,
            }
        }
        bench.speak_as(Seat::Second);
        Ok(())
    }

    /// The Role that was assigned to it.
    pub(super) fn role(&self) -> &str {
        &self.roles[0]
    }
}

/// Adds a Permission to a Role, with the largest Order there.
fn give(bench: &mut Bench, role: &str, targets: &str, rights: [&str; 4]) -> Done {
    let table = format!("{role}Permission.");
    let values = bench.values(&table)?;
    let orders = values.iter().filter(|(path, _)| path.ends_with(".Order"));
    let orders = orders.filter_map(|(_, order)| order.parse::<u32>().ok());
    let order = orders.max().unwrap_or_default().saturating_add(1);
    let row = create(&table)
        .with("Enable", "true")
        .with("Order", &order.to_string())
        .with("Targets", targets)
        .with("Param", rights[0])
        .with("Obj", rights[1])
        .with("InstantiatedObj", rights[2])
        .with("CommandEvent", rights[3]);
    bench.added(row).map(drop)
}

/// The Roles that the Agent gives the Controller of this row by itself, by its certificate or for want of one.
fn inherited(bench: &mut Bench, row: &str) -> Result<Vec<String>, Stop> {
    let path = format!("{row}InheritedRole");
    if !bench.features().has(&path) {
        return Ok(Vec::new());
    }
    let roles = bench.value(&path)?;
    let roles = roles
        .split(',')
        .map(str::trim)
        .filter(|role| !role.is_empty());
    Ok(roles
        .map(|role| format!("{}.", role.trim_end_matches('.')))
        .collect())
}
