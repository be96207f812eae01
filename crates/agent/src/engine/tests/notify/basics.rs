//! Each type of notification, once.

use super::*;

/// The Controller that made the change is told, too, at once, with what the Subscription says.
///
/// Proves: R-NOT.0, R-NOT.0a, R-NOT.7, TP-469 1.52
#[test]
fn a_value_change_is_told_to_whoever_subscribed_even_by_its_own_hand() {
    let mut live = Scene::new().controller("a").controller("b").agent();
    live.connect("a");
    live.connect("b");
    subscribe(
        &mut live,
        "a",
        &[
            ("ID", "notify52"),
            ("NotifType", "ValueChange"),
            ("ReferenceList", CODE_1),
            ("NotifRetry", "true"),
        ],
    );
    provision(&mut live, "a", "TestValue52");
    let told = notified(&mut live, "a");
    assert_eq!(told.len(), 1);
    assert_eq!(short(&told[0].1), format!("notify52: {CODE_1}=TestValue52"));
    assert!(told[0].1.send_resp);
    assert_eq!(notified(&mut live, "b"), []);
    provision(&mut live, "b", "by another");
    assert_eq!(
        super::told(&mut live, "a"),
        [format!("notify52: {CODE_1}=by another")]
    );
    provision(&mut live, "b", "by another");
    assert_eq!(notified(&mut live, "a"), [], "the same value is no change");
}
