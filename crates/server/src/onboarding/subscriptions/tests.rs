use std::collections::BTreeMap;

use super::*;

const US: &str = "Device.LocalAgent.Controller.2.";

fn wanted() -> Vec<Wanted> {
    let wanted = |name: &str, notif_type: &str, references: &[&str]| Wanted {
        name: name.into(),
        notif_type: notif_type.into(),
        references: references.iter().map(|path| (*path).to_owned()).collect(),
    };
    vec![
        wanted("boot", "Event", &["Device.Boot!"]),
        wanted("wan", "ValueChange", &["Device.A,B", "Device.C."]),
    ]
}

fn row(number: u32, values: &[(&str, &str)]) -> ObjectValues {
    let parameters = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ObjectValues {
        path: format!("{TABLE}{number}."),
        parameters: parameters.collect(),
    }
}

/// The rows of a device on which all is well.
fn kept() -> Found {
    let rows = (1..).zip(wanted()).map(|(number, wanted)| {
        let mut row = row(number, &[("Recipient", "Device.LocalAgent.Controller.2")]);
        let parameters = wanted.row().parameters.into_iter();
        row.parameters
            .extend(parameters.map(|setting| (setting.name, setting.value)));
        row
    });
    Found {
        recipient: Some(US.into()),
        rows: rows.collect(),
    }
}

fn changed(found: &mut Found, row: usize, name: &str, value: &str) {
    let parameters: &mut BTreeMap<_, _> = &mut found.rows[row].parameters;
    parameters.insert(name.into(), value.into());
}

#[test]
fn where_all_is_well_nothing_is_asked() {
    assert_eq!(mending(&wanted(), &kept()), []);
    // The order of references and the form of a boolean mean nothing.
    let mut found = kept();
    changed(&mut found, 1, "ReferenceList", "Device.C., Device.A%2CB");
    changed(&mut found, 1, "Enable", "1");
    assert_eq!(mending(&wanted(), &found), []);
    // What the device does not tell is as it should be.
    found.rows[0].parameters.remove("NotifRetry");
    found.rows[0].parameters.remove("ReferenceList");
    assert_eq!(mending(&wanted(), &found), []);
}

#[test]
fn what_is_missing_is_added_as_it_has_to_be() {
    let mut found = kept();
    found.rows.remove(1);
    let [Operation::Add(add)] = &mending(&wanted(), &found)[..] else {
        panic!()
    };
    assert!(add.allow_partial);
    let [row] = &add.objects[..] else { panic!() };
    assert_eq!(row.path, TABLE);
    let value = |name: &str| {
        let setting = row.parameters.iter().find(|setting| setting.name == name);
        setting.map(|setting| setting.value.as_str())
    };
    assert_eq!(value("ID"), Some("usphere:wan"));
    assert_eq!(value("NotifType"), Some("ValueChange"));
    assert_eq!(value("ReferenceList"), Some("Device.A%2CB,Device.C."));
    assert_eq!(value("Persistent"), Some("true"));
    assert_eq!(value("NotifRetry"), Some("true"));
    assert_eq!(value("Enable"), Some("true"));
}

#[test]
fn what_was_altered_is_set_right_and_what_cannot_be_set_is_made_anew() {
    let mut found = kept();
    changed(&mut found, 0, "Enable", "false");
    changed(&mut found, 0, "NotifExpiration", "60");
    changed(&mut found, 1, "NotifType", "Event");
    let [
        Operation::Delete(delete),
        Operation::Set(set),
        Operation::Add(add),
    ] = &mending(&wanted(), &found)[..]
    else {
        panic!()
    };
    assert_eq!(delete.paths, ["Device.LocalAgent.Subscription.2."]);
    assert_eq!(add.objects, [wanted()[1].row()]);
    assert_eq!(set.objects.len(), 1);
    assert_eq!(set.objects[0].path, "Device.LocalAgent.Subscription.1.");
    let written = [("Enable", "true"), ("NotifExpiration", "0")];
    assert_eq!(
        set.objects[0].parameters,
        written.map(|(name, value)| Setting::required(name, value))
    );
}

#[test]
fn what_is_wanted_no_more_goes_and_what_is_not_ours_stays() {
    let mut found = kept();
    let us = "Device.LocalAgent.Controller.2";
    found.rows.extend([
        row(7, &[("ID", "usphere:old"), ("Recipient", us)]),
        row(8, &[("ID", "usphere-watch-1"), ("Recipient", us)]),
        row(
            9,
            &[
                ("ID", "usphere:old"),
                ("Recipient", "Device.LocalAgent.Controller.1"),
            ],
        ),
    ]);
    let [Operation::Delete(delete)] = &mending(&wanted(), &found)[..] else {
        panic!()
    };
    assert_eq!(delete.paths, ["Device.LocalAgent.Subscription.7."]);
    // Where it is not known whose they are, none is taken for one of ours that is wanted no more.
    found.recipient = None;
    assert_eq!(mending(&wanted(), &found), []);
}

/// Of what a device has, only what may be the server's is held, and of that no more than is looked at.
#[test]
fn little_is_held_of_what_a_device_has() {
    let mut found = kept();
    changed(&mut found, 0, "X_ACME_Novel", &"x".repeat(1 << 20));
    let others = (10..)
        .take(1000)
        .map(|number| row(number, &[("ID", "other")]));
    let rows: Vec<_> = found.rows.iter().cloned().chain(others).collect();
    let held = perhaps_ours(&rows).unwrap();
    assert_eq!(held, kept().rows);
    let many = (0..20_000).map(|number| row(number, &[("ID", "usphere:and-one-more")]));
    let reason = perhaps_ours(&many.collect::<Vec<_>>()).unwrap_err();
    assert!(reason.contains("usphere:"), "{reason}");
}
