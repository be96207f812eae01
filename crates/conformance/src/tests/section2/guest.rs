//! A second Controller with a Role of its own, which tests permit and forbid things.
//!
//! So the first Controller keeps its own rights, and can clean up whatever a test has forbidden.

use crate::bench::{Bench, Settings, create};
use crate::peer::Seat;
use crate::stop::{Done, Stop};

/// The table of Roles.
pub(super) const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

/// All rights.
pub(super) const ALL: [&str; 4] = ["rwxn"; 4];

/// The Controller whose rights are tested.
pub(super) struct Guest {
    /// The row of its Role.
    role: String,
    /// The row of the Controller.
    pub(super) path: String,
    /// The Order of the Permission that was given last; the largest counts.
    order: u32,
}

impl Guest {
    /// Introduces it, with a Role that permits everything. Requests come from it from now on.
    pub(super) fn arrive(bench: &mut Bench) -> Result<Self, Stop> {
        bench.needs_addable(ROLES)?;
        bench.needs_addable(&format!("{ROLES}{{i}}.Permission."))?;
        bench.step("Introduce a second Controller, with a Role that permits everything");
        let role = create(ROLES)
            .must("Enable", "true")
            .must("Name", "Conformance");
        let role = bench.added(role)?;
        let mut guest = Self {
            role,
            path: String::new(),
            order: 0,
        };
        guest.permit(bench, "Device.", ALL)?;
        bench.speak_as(Seat::Primary);
        guest.path = bench.introduce_second_as(&guest.role)?.path;
        bench.connect(Seat::Second)?;
        bench.speak_as(Seat::Second);
        Ok(guest)
    }

    /// Adds a Permission to its Role: for Param, Obj, InstantiatedObj and CommandEvent. It counts more than those
    /// that were there before. The first Controller adds it.
    pub(super) fn permit(&mut self, bench: &mut Bench, targets: &str, rights: [&str; 4]) -> Done {
        bench.speak_as(Seat::Primary);
        self.order += 10;
        bench.step(format_args!(
            "Add a Permission for {targets}: Param {}, Obj {}, InstantiatedObj {}, CommandEvent {}",
            rights[0], rights[1], rights[2], rights[3]
        ));
        let row = create(&format!("{}Permission.", self.role))
            .with("Enable", "true")
            .with("Order", &self.order.to_string())
            .with("Targets", targets)
            .with("Param", rights[0])
            .with("Obj", rights[1])
            .with("InstantiatedObj", rights[2])
            .with("CommandEvent", rights[3]);
        bench.added(row)?;
        bench.speak_as(Seat::Second);
        Ok(())
    }

    /// The row of its Role.
    pub(super) fn role(&self) -> &str {
        &self.role
    }
}
