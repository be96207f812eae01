//! A Notify that is not answered is sent again, by the rules. (R-NOT.1 to R-NOT.4)

use super::*;

const RETRIED: [(&str, &str); 4] = [
    ("ID", "retried"),
    ("NotifType", "ValueChange"),
    ("ReferenceList", CODE_1),
    ("NotifRetry", "true"),
];

/// Waits for the next Notify, and says how long that took, in tenths of a second.
fn next_after(live: &mut LiveAgent, name: &str) -> Option<u64> {
    for tenths in 1..=60_000 {
        live.wait(Duration::from_millis(100));
        if !notified(live, name).is_empty() {
            return Some(tenths);
        }
    }
    None
}

/// The first retry comes 5 to 10 seconds after the first attempt, the second 10 to 20 after that, with the
/// same message ID; the answer ends it.
///
/// Proves: R-NOT.1, R-NOT.9, TP-469 1.54
#[test]
fn a_notify_is_sent_again_until_it_is_answered() {
    let mut live = Scene::new().controller("a").agent();
    live.connect("a");
    subscribe(&mut live, "a", &RETRIED);
    provision(&mut live, "a", "TestValue54");
    let first = notified(&mut live, "a");
    let (msg_id, notify) = &first[0];
    live.wait(Duration::from_millis(4_999));
    assert_eq!(notified(&mut live, "a"), []);
    live.wait(Duration::from_millis(5_002));
    assert_eq!(notified(&mut live, "a"), [(msg_id.clone(), notify.clone())]);
    let second = next_after(&mut live, "a").unwrap();
    assert!((50..=200).contains(&second), "{second}");
    acknowledge(&mut live, "a", msg_id);
    live.wait(seconds(20_000));
    assert_eq!(notified(&mut live, "a"), []);
    acknowledge(&mut live, "a", msg_id);
    let link = live.link("a");
    assert_eq!(
        super::super::ignored(&live, link).len(),
        1,
        "the second answer answers nothing"
    );
}
