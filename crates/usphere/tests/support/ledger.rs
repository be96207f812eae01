//! What an Agent was asked to change and what it answered, against what is there after it was killed.
//!
//! Requests on one link take effect in their order, so what is there has to be what some number of
//! them make, and that number reaches at least to the last that was answered.

use std::collections::BTreeMap;

use rand::Rng as _;
use rand::rngs::StdRng;
use usphere_proto::Msg;
use usphere_proto::msg::{
    Add, AddOutcome, CreateObject, CreateParamSetting, Delete, DeleteOutcome, RequestType,
    ResponseType, Set, SetOutcome, UpdateObject, UpdateParamSetting,
};

use super::got;

const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";
const INFO: &str = "Device.DeviceInfo.";

/// What is read to know the state.
pub(crate) const OBSERVED: [&str; 3] = [
    "Device.DeviceInfo.ProvisioningCode",
    "Device.DeviceInfo.FriendlyName",
    ROLES,
];

/// The parameters that requests change. The others of a row are the Agent's to choose.
const CHANGED: [&str; 6] = [
    "Enable",
    "FriendlyName",
    "Name",
    "Order",
    "ProvisioningCode",
    "Targets",
];

/// Rows of our own that there may be.
const ROWS_MAX: usize = 12;

/// Values by path.
pub(crate) type Values = BTreeMap<String, String>;

/// A row that is made to see which number it gets.
pub(crate) fn probe() -> Add {
    Add {
        allow_partial: false,
        create_objs: vec![create(ROLES, &[("Name", "probe")])],
    }
}

/// The path and number of the row that an answer to [`probe`] names.
pub(crate) fn probed(answer: &Msg) -> (String, u32) {
    let Some(ResponseType::AddResp(response)) = answer.as_response() else {
        panic!("{answer:?}");
    };
    let Some(AddOutcome::OperSuccess(row)) = response.created_obj_results[0].outcome() else {
        panic!("{response:?}");
    };
    let path = row.instantiated_path.clone();
    let number = path
        .strip_prefix(ROLES)
        .and_then(|rest| rest.strip_suffix('.'));
    let number = number.and_then(|number| number.parse().ok());
    (path, number.expect("a number"))
}

/// What an answer to a Get of [`OBSERVED`] says.
pub(crate) fn values_of(answer: &Msg) -> Values {
    let response = got(answer).unwrap_or_else(|| panic!("{answer:?}"));
    let mut values = Values::new();
    for result in &response.req_path_results {
        assert_eq!(result.err_code, 0, "{result:?}");
        for object in &result.resolved_path_results {
            let changed = object.result_params.iter();
            let changed = changed.filter(|(name, _)| CHANGED.contains(&name.as_str()));
            values.extend(
                changed.map(|(name, value)| {
                    (format!("{}{name}", object.resolved_path), value.clone())
                }),
            );
        }
    }
    values
}

/// The books of one life after the other.
pub(crate) struct Ledger {
    now: State,
    /// The states of this life: before the first request, and after each.
    states: Vec<State>,
    /// The paths that each request of this life makes, and whether it was answered.
    requests: Vec<(Vec<String>, bool)>,
    serial: u64,
}

#[derive(Clone)]
struct State {
    values: Values,
    /// Our rows: their numbers, and the next number of the permissions of each.
    rows: BTreeMap<u32, u32>,
    next_row: u32,
}

impl Ledger {
    /// Begins with what is there.
    pub(crate) fn new(values: Values) -> Self {
        let rows = values.keys().filter_map(|path| path.strip_prefix(ROLES));
        let numbers = rows.filter_map(|rest| rest.split('.').next()?.parse::<u32>().ok());
        let now = State {
            next_row: numbers.max().unwrap_or(0) + 1,
            rows: BTreeMap::new(),
            values,
        };
        Self {
            states: vec![now.clone()],
            now,
            requests: Vec::new(),
            serial: 0,
        }
    }

    pub(crate) fn sent(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn answered(&self) -> usize {
        self.requests
            .iter()
            .filter(|(_, answered)| *answered)
            .count()
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.sent() - self.answered()
    }

    /// Makes a request, and notes what it makes.
    pub(crate) fn next(&mut self, random: &mut StdRng) -> Msg {
        self.serial += 1;
        let serial = self.serial;
        let rows: Vec<u32> = self.now.rows.keys().copied().collect();
        let (request, made) = match random.random_range(0..4) {
            0 if rows.len() + 2 <= ROWS_MAX => self.add_rows(serial),
            1 if rows.len() >= 2 => {
                let first = random.random_range(0..rows.len() - 1);
                (self.delete([rows[first], rows[first + 1]]), Vec::new())
            }
            2 if !rows.is_empty() => {
                self.add_permission(rows[random.random_range(0..rows.len())], serial)
            }
            _ => {
                let row = rows.get(random.random_range(0..=rows.len())).copied();
                (self.set(row, serial), Vec::new())
            }
        };
        self.requests.push((made, false));
        self.states.push(self.now.clone());
        Msg::request(self.requests.len().to_string(), request)
    }

    /// Two rows at once.
    fn add_rows(&mut self, serial: u64) -> (RequestType, Vec<String>) {
        let mut made = Vec::new();
        let mut create_objs = Vec::new();
        for half in ["a", "b"] {
            let number = self.now.next_row;
            self.now.next_row += 1;
            self.now.rows.insert(number, 1);
            let path = format!("{ROLES}{number}.");
            let name = format!("{serial} {half}");
            let values = [("Name", &*name), ("Enable", "true")];
            self.now.write(&path, &values);
            create_objs.push(create(ROLES, &values));
            made.push(path);
        }
        let allow_partial = false;
        (
            Add {
                allow_partial,
                create_objs,
            }
            .into(),
            made,
        )
    }

    fn add_permission(&mut self, row: u32, serial: u64) -> (RequestType, Vec<String>) {
        let table = format!("{ROLES}{row}.Permission.");
        let number = self.now.rows.get_mut(&row).expect("one of our rows");
        let path = format!("{table}{number}.");
        *number += 1;
        let order = serial.to_string();
        let values = [("Enable", "false"), ("Order", &*order), ("Targets", INFO)];
        self.now.write(&path, &values);
        let create_objs = vec![create(&table, &values)];
        let allow_partial = false;
        (
            Add {
                allow_partial,
                create_objs,
            }
            .into(),
            vec![path],
        )
    }

    /// Two rows at once, with what is below them.
    fn delete(&mut self, rows: [u32; 2]) -> RequestType {
        let obj_paths = rows.map(|row| format!("{ROLES}{row}."));
        for (row, path) in rows.iter().zip(&obj_paths) {
            self.now.rows.remove(row);
            self.now
                .values
                .retain(|key, _| !key.starts_with(path.as_str()));
        }
        let allow_partial = false;
        let obj_paths = obj_paths.into();
        Delete {
            allow_partial,
            obj_paths,
        }
        .into()
    }

    /// Two parameters of one object, and with them one of a row.
    fn set(&mut self, row: Option<u32>, serial: u64) -> RequestType {
        let text = format!("set {serial}");
        let values = [("ProvisioningCode", &*text), ("FriendlyName", &*text)];
        self.now.write(INFO, &values);
        let mut update_objs = vec![update(INFO, &values)];
        if let Some(row) = row {
            let path = format!("{ROLES}{row}.");
            let values = [("Name", &*text)];
            self.now.write(&path, &values);
            update_objs.push(update(&path, &values));
        }
        let allow_partial = false;
        Set {
            allow_partial,
            update_objs,
        }
        .into()
    }

    /// Notes an answer. It has to be a success with the instance numbers that were due.
    #[track_caller]
    pub(crate) fn answer(&mut self, answer: &Msg) {
        let number: usize = answer.msg_id().parse().expect("a number of ours");
        let (made, answered) = &mut self.requests[number - 1];
        assert!(!*answered, "answered twice: {answer:?}");
        *answered = true;
        let success = match answer.as_response() {
            Some(ResponseType::AddResp(response)) => {
                let results = response.created_obj_results.iter();
                let paths = results.map(|result| match result.outcome() {
                    Some(AddOutcome::OperSuccess(success)) => success.instantiated_path.as_str(),
                    _ => "",
                });
                paths.eq(made.iter().map(String::as_str))
            }
            Some(ResponseType::DeleteResp(response)) => {
                let mut results = response.deleted_obj_results.iter();
                results
                    .all(|result| matches!(result.outcome(), Some(DeleteOutcome::OperSuccess(_))))
            }
            Some(ResponseType::SetResp(response)) => {
                let mut results = response.updated_obj_results.iter();
                results.all(|result| matches!(result.outcome(), Some(SetOutcome::OperSuccess(_))))
            }
            _ => false,
        };
        assert!(success, "{made:?} was due: {answer:?}");
    }

    /// Compares with what is there after the end of a life and with what somebody else was told in
    /// it, and begins the next. `next_row` is the number that a row got since. Returns how many
    /// requests took place unanswered.
    #[track_caller]
    pub(crate) fn settle(
        &mut self,
        found: &Values,
        next_row: u32,
        seen: &[Values],
        context: &str,
    ) -> usize {
        let answered = self.requests.iter().rposition(|(_, answered)| *answered);
        let least = answered.map_or(0, |at| at + 1);
        let mut states = (least..).zip(&self.states[least..]);
        // Rows that came and went leave a gap in the numbers and nothing else.
        let kept = states.find(|(_, state)| state.values == *found && state.next_row == next_row);
        let Some((kept, state)) = kept else {
            let expected = &self.states[least];
            panic!(
                "{context}: of {} requests {least} were answered, and that is not what is there: \
                 next row {} and not {next_row}, {:#?}",
                self.requests.len(),
                expected.next_row,
                difference(&expected.values, found)
            );
        };
        let mut at = 0;
        for told in seen {
            let next = self.states[at..=kept]
                .iter()
                .position(|state| state.values == *told);
            let Some(next) = next else {
                let last = &self.states[kept].values;
                panic!(
                    "{context}: somebody was told what never was: {:#?}",
                    difference(last, told)
                );
            };
            at += next;
        }
        self.now = state.clone();
        self.now.next_row += 1;
        self.states = vec![self.now.clone()];
        self.requests.clear();
        kept - least
    }
}

impl State {
    fn write(&mut self, object: &str, values: &[(&str, &str)]) {
        let values = values.iter();
        let values = values.map(|(name, value)| (format!("{object}{name}"), (*value).to_owned()));
        self.values.extend(values);
    }
}

fn create(table: &str, values: &[(&str, &str)]) -> CreateObject {
    let setting = |&(param, value): &(&str, &str)| CreateParamSetting {
        param: param.to_owned(),
        value: value.to_owned(),
        required: true,
    };
    CreateObject {
        obj_path: table.to_owned(),
        param_settings: values.iter().map(setting).collect(),
    }
}

fn update(object: &str, values: &[(&str, &str)]) -> UpdateObject {
    let setting = |&(param, value): &(&str, &str)| UpdateParamSetting {
        param: param.to_owned(),
        value: value.to_owned(),
        required: true,
    };
    UpdateObject {
        obj_path: object.to_owned(),
        param_settings: values.iter().map(setting).collect(),
    }
}

/// Path, expected, found, where they differ.
fn difference<'a>(
    expected: &'a Values,
    found: &'a Values,
) -> Vec<(&'a str, Option<&'a String>, Option<&'a String>)> {
    let paths = expected
        .keys()
        .chain(found.keys().filter(|path| !expected.contains_key(*path)));
    paths
        .map(|path| (path.as_str(), expected.get(path), found.get(path)))
        .filter(|(_, expected, found)| expected != found)
        .collect()
}
