//! How an object is declared: once, in the words of TR-181, beside the code that serves it.
//!
//! A declaration is plain constant data. [`Schema::build`](crate::Schema::build) compiles a list of
//! them; validation, permissions, persistence and GetSupportedDM read nothing else.

use core::time::Duration;

use crate::types::ValueType;
pub use crate::types::{
    BASE64, BOOLEAN, DATE_TIME, DECIMAL, HEX_BINARY, INT, LONG, STRING, UNSIGNED_INT,
    UNSIGNED_LONG, one_of, strong_reference, weak_reference,
};

/// Begins the declaration of the object at `path`, e.g. `Device.LocalAgent.Controller.{i}.`
pub const fn object(path: &'static str) -> Object {
    Object {
        path,
        rows: Rows::FIXED,
        unique: &[],
        parameters: &[],
        commands: &[],
        events: &[],
        unit: None,
    }
}

/// Begins the declaration of a parameter: read-only, kept by the Tree, until told otherwise.
pub const fn parameter(name: &'static str, value_type: ValueType) -> Parameter {
    Parameter {
        name,
        value_type,
        access: ParameterAccess::ReadOnly,
        default: None,
        filling: Filling::Default,
        secured: false,
        volatile: false,
        value_change: true,
        cascading: false,
        unit: None,
    }
}

/// Begins the declaration of a synchronous command. `name` ends in `()`.
pub const fn command(name: &'static str) -> Command {
    Command {
        name,
        asynchronous: false,
        input: &[],
        mandatory: &[],
        defaults: &[],
        output: &[],
        owner: "agent",
        at_once: AT_ONCE_DEFAULT,
    }
}

/// How often an asynchronous command may run at the same time where its declaration says nothing.
const AT_ONCE_DEFAULT: u32 = 8;

/// Begins the declaration of an event. `name` ends in `!`.
pub const fn event(name: &'static str) -> Event {
    Event { name, args: &[] }
}

/// An object or a table of objects.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// The supported path; `{i}.` at its end makes it a table.
    pub path: &'static str,
    /// Who may add and delete rows.
    pub rows: Rows,
    /// The unique keys, each one or several parameter names.
    pub unique: &'static [&'static [&'static str]],
    /// The parameters, in the order of TR-181.
    pub parameters: &'static [Parameter],
    /// The commands.
    pub commands: &'static [Command],
    /// The events.
    pub events: &'static [Event],
    /// Where its rows and parameters come from, when the Tree does not own them.
    pub unit: Option<&'static Unit>,
}

impl Object {
    /// Lets a protocol add or delete rows.
    pub const fn rows(mut self, rows: Rows) -> Self {
        self.rows = rows;
        self
    }

    /// Names the unique keys.
    pub const fn unique(mut self, keys: &'static [&'static [&'static str]]) -> Self {
        self.unique = keys;
        self
    }

    /// Names the parameters.
    pub const fn parameters(mut self, parameters: &'static [Parameter]) -> Self {
        self.parameters = parameters;
        self
    }

    /// Names the commands.
    pub const fn commands(mut self, commands: &'static [Command]) -> Self {
        self.commands = commands;
        self
    }

    /// Names the events.
    pub const fn events(mut self, events: &'static [Event]) -> Self {
        self.events = events;
        self
    }

    /// Takes all parameters, and the rows where it is a table, from `unit`.
    pub const fn live(mut self, unit: &'static Unit) -> Self {
        self.unit = Some(unit);
        self
    }
}

/// Whether a protocol may add and delete the rows of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rows {
    /// Add is allowed.
    pub addable: bool,
    /// Delete is allowed.
    pub deletable: bool,
}

impl Rows {
    /// Neither.
    pub const FIXED: Self = Self {
        addable: false,
        deletable: false,
    };
    /// Rows may be added.
    pub const ADDABLE: Self = Self {
        addable: true,
        deletable: false,
    };
    /// Rows may be deleted.
    pub const DELETABLE: Self = Self {
        addable: false,
        deletable: true,
    };

    /// What either allows.
    pub const fn and(self, other: Self) -> Self {
        Self {
            addable: self.addable || other.addable,
            deletable: self.deletable || other.deletable,
        }
    }
}

/// A parameter of an object.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name, without a path.
    pub name: &'static str,
    /// Its type with all facets.
    pub value_type: ValueType,
    /// Who may write it, and when.
    pub access: ParameterAccess,
    /// The value in a new object; the type's zero when not given.
    pub default: Option<&'static str>,
    /// How its value comes to be when nobody sets it.
    pub filling: Filling,
    /// Reads as empty except for a secured role. (TR-181, SecuredRoles)
    pub secured: bool,
    /// Is not kept across a restart.
    pub volatile: bool,
    /// Whether Controllers may be told when its value changes.
    pub value_change: bool,
    /// Whether the row goes with what this refers to.
    pub cascading: bool,
    /// Where its value comes from, when the Tree does not own it.
    pub unit: Option<&'static Unit>,
}

impl Parameter {
    /// May be set at any time.
    pub const fn writable(mut self) -> Self {
        self.access = ParameterAccess::ReadWrite;
        self
    }

    /// May be given when the object is added, never after. (R-KEY.1)
    pub const fn write_once(mut self) -> Self {
        self.access = ParameterAccess::WriteOnce;
        self
    }

    /// The value in a new object.
    pub const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    /// The Agent makes a value, unique in the table, when none is given. (R-ADD.5)
    pub const fn assigned(mut self) -> Self {
        self.filling = Filling::Assigned;
        self
    }

    /// Holds the number of rows of the child table `table`; the Tree keeps it.
    pub const fn counts(mut self, table: &'static str) -> Self {
        self.filling = Filling::Counts(table);
        self
    }

    /// Reads as empty except for a secured role.
    pub const fn secured(mut self) -> Self {
        self.secured = true;
        self
    }

    /// Is not kept across a restart.
    pub const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Refers to something without which its row makes no sense: when that is deleted, the row is.
    pub const fn cascading(mut self) -> Self {
        self.cascading = true;
        self
    }

    /// Changes all the time, so nobody is told when it does: clocks, counters. GetSupportedDM says so.
    pub const fn unannounced(mut self) -> Self {
        self.value_change = false;
        self
    }

    /// Takes the value from `unit`; where it is writable, the owner of the unit applies it.
    pub const fn live(mut self, unit: &'static Unit) -> Self {
        self.unit = Some(unit);
        self
    }
}

/// Who may write a parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParameterAccess {
    /// Only the device.
    ReadOnly,
    /// A protocol, at any time.
    ReadWrite,
    /// A protocol, when the object is made.
    WriteOnce,
}

/// How a parameter's value comes to be when nobody sets it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Filling {
    /// The Agent makes one that is unique in the table.
    Assigned,
    /// The number of rows of the named child table.
    Counts(&'static str),
    /// The declared default.
    Default,
}

/// A command of an object.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name, with `()`.
    pub name: &'static str,
    /// Whether its result comes in an OperationComplete.
    pub asynchronous: bool,
    /// The names of all input arguments.
    pub input: &'static [&'static str],
    /// Those of them that must be given.
    pub mandatory: &'static [&'static str],
    /// Values of arguments that are left out.
    pub defaults: &'static [(&'static str, &'static str)],
    /// The names of the output arguments.
    pub output: &'static [&'static str],
    /// The owner that runs it.
    pub owner: &'static str,
    /// How often it may run at the same time on all objects together; matters for asynchronous ones.
    pub at_once: u32,
}

impl Command {
    /// Its result comes in an OperationComplete.
    pub const fn asynchronous(mut self) -> Self {
        self.asynchronous = true;
        self
    }

    /// Names the input arguments.
    pub const fn input(mut self, names: &'static [&'static str]) -> Self {
        self.input = names;
        self
    }

    /// Names the input arguments that must be given; they are among the `input`.
    pub const fn mandatory(mut self, names: &'static [&'static str]) -> Self {
        self.mandatory = names;
        self
    }

    /// Names the values of optional arguments that are left out; they are among the `input`. (R-OPR.7)
    pub const fn defaults(mut self, values: &'static [(&'static str, &'static str)]) -> Self {
        self.defaults = values;
        self
    }

    /// Names the output arguments.
    pub const fn output(mut self, names: &'static [&'static str]) -> Self {
        self.output = names;
        self
    }

    /// How often it may run at the same time, on all objects together. (TR-369, Concurrent Operations)
    pub const fn at_once(mut self, count: u32) -> Self {
        self.at_once = count;
        self
    }

    /// Names the owner that runs it; the Agent itself otherwise.
    pub const fn by(mut self, owner: &'static str) -> Self {
        self.owner = owner;
        self
    }
}

/// An event of an object.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Its name, with `!`.
    pub name: &'static str,
    /// The names of its arguments.
    pub args: &'static [&'static str],
}

impl Event {
    /// Names the arguments.
    pub const fn args(mut self, names: &'static [&'static str]) -> Self {
        self.args = names;
        self
    }
}

/// Data that one owner gives in one piece, and how long it may be used.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// A name, unique among all units.
    pub name: &'static str,
    /// Who is asked.
    pub owner: &'static str,
    /// How old the data may be when it answers a request.
    pub max_age: Duration,
    /// How long the owner has to answer.
    pub deadline: Duration,
    /// Whether the instance numbers of its rows outlive a restart.
    pub numbering: Numbering,
    /// Whether the owner tells of changes itself ([`ModelInput::Disturbed`](crate::ModelInput::Disturbed)),
    /// so that nobody has to ask again and again to notice them.
    pub announced: bool,
    /// How often a unit that is not announced is asked for while somebody wants to be told of its changes.
    pub poll: Duration,
}

/// Whether the instance numbers of an owner's rows outlive a restart. (R-ARC.8)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Numbering {
    /// Numbered anew after each restart: things that do not outlive one, such as processes.
    Fresh,
    /// The owner numbers its rows itself: the key of a row in a snapshot is its instance number. The
    /// owner can name its rows in references and knows them in changes; it keeps the numbers, too.
    Given,
    /// The number belongs to the owner's key of the row and is kept.
    Kept,
}
