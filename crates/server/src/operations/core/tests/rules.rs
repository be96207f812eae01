//! One rule a test.

use super::*;

#[test]
fn it_waits_for_a_device_that_is_away_and_is_sent_when_it_returns() {
    let mut scene = Scene::new(false);
    let first = scene.queue(set());
    let second = scene.queue(get());
    assert_eq!(scene.accepted, [first, second]);
    assert_eq!((scene.state(first), scene.sent.len()), ("queued", 0));
    scene.arrive();
    // The second waits for the answer to the first: nobody waits for either, and it might have to be repeated.
    assert_eq!(scene.sent, [first]);
    assert_eq!(
        (scene.state(first), scene.state(second)),
        ("sent", "queued")
    );
    scene.done(first);
    scene.done(second);
    assert_eq!(scene.sent, [first, second]);
    assert_eq!((scene.state(first), scene.state(second)), ("done", "done"));
    assert_eq!(scene.core.live.len() + scene.core.lanes.len(), 0);
    assert_eq!((scene.core.bytes, scene.core.timers.len()), (0, 0));
}

#[test]
fn one_that_waits_too_long_expires_and_the_device_is_not_asked() {
    let mut scene = Scene::new(false);
    let number = scene.queue(set());
    scene.sleep_until(1000 + DAY - 1);
    assert_eq!(scene.state(number), "queued");
    scene.sleep_until(1000 + DAY);
    assert_eq!(scene.state(number), "expired");
    assert_eq!(scene.error(number), "expired");
    scene.arrive();
    assert_eq!(scene.sent, []);
}

#[test]
fn who_waits_is_told_only_when_it_is_written() {
    let mut scene = Scene::new(true);
    let number = scene.submit(set(), true);
    assert_eq!(scene.sent, [], "not before the row says so");
    scene.write_all();
    assert_eq!(scene.sent, [number]);
    scene.answer(number, Ok(outcome()));
    assert!(scene.told(number).is_none());
    scene.write_all();
    assert_eq!(scene.told(number), Some(&Ok(outcome())));
}

#[test]
fn those_whose_callers_wait_are_sent_without_waiting_for_each_other() {
    let mut scene = Scene::new(true);
    let numbers: Vec<_> = (0..5).map(|_| scene.submit(set(), true)).collect();
    scene.write_all();
    assert_eq!(scene.sent, numbers);
    let held = scene.queue(set());
    let behind = scene.submit(set(), true);
    scene.write_all();
    assert_eq!(scene.sent.last(), Some(&held));
    scene.done(held);
    assert_eq!(scene.sent.last(), Some(&behind));
}

#[test]
fn a_lost_connection_repeats_what_only_reads_and_nothing_else() {
    for (request, state) in [
        (get(), "queued"),
        (set(), "failed"),
        (operate(""), "failed"),
    ] {
        let mut scene = Scene::new(true);
        let number = scene.queue(request);
        scene.is_online = false;
        scene.answer(number, Err(OperationError::Disconnected));
        scene.write_all();
        assert_eq!(scene.state(number), state);
        scene.arrive();
        let times = scene.sent.len();
        assert_eq!(times, if state == "queued" { 2 } else { 1 });
    }
}

/// It keeps its place before those that came later, and is not sent for ever.
#[test]
fn what_breaks_the_connection_each_time_is_given_up() {
    let mut scene = Scene::new(true);
    let number = scene.queue(get());
    let behind = scene.queue(set());
    for _ in 0..ATTEMPTS_MAX {
        assert_eq!(scene.sent.last(), Some(&number));
        scene.is_online = false;
        scene.answer(number, Err(OperationError::Disconnected));
        scene.write_all();
        scene.arrive();
    }
    assert_eq!(scene.state(number), "failed");
    assert_eq!(scene.error(number), "disconnected");
    assert_eq!(scene.rows[&number.0].attempts, ATTEMPTS_MAX);
    assert_eq!(scene.sent.last(), Some(&behind));
}

/// The device was gone before it was asked: nothing is lost, whatever it is.
#[test]
fn what_was_not_sent_waits_on() {
    let mut scene = Scene::new(true);
    let number = scene.queue(set());
    scene.is_online = false;
    scene.answer(number, Err(OperationError::NotConnected));
    scene.write_all();
    assert_eq!(
        (scene.state(number), scene.rows[&number.0].attempts),
        ("queued", 0)
    );
    scene.arrive();
    scene.answer(number, Err(OperationError::Overloaded { limit: 1 }));
    scene.write_all();
    assert_eq!(scene.sent.len(), 2, "not again at once");
    scene.sleep_until(scene.now + PAUSE);
    assert_eq!(scene.sent.len(), 3);
    scene.done(number);
    assert_eq!(
        (scene.state(number), scene.rows[&number.0].attempts),
        ("done", 1)
    );
}

/// A device may be back before the loss of its old connection was taken in.
#[test]
fn a_device_that_is_back_at_once_is_asked_at_once() {
    let mut scene = Scene::new(true);
    let number = scene.queue(get());
    scene.arrive();
    scene.answer(number, Err(OperationError::Disconnected));
    scene.write_all();
    assert_eq!(scene.sent, [number, number]);
}

#[test]
fn those_whose_callers_wait_do_not_wait_for_a_device_that_has_gone() {
    let mut scene = Scene::new(true);
    let held = scene.queue(get());
    let awaited = scene.submit(set(), true);
    scene.write_all();
    scene.is_online = false;
    scene.answer(held, Err(OperationError::Disconnected));
    scene.write_all();
    assert_eq!(scene.error(awaited), "not_connected");
    assert!(scene.told(awaited).is_some());
    assert_eq!(scene.state(held), "queued");
}

#[test]
fn what_the_device_refuses_or_does_not_answer_has_failed() {
    let mut scene = Scene::new(true);
    let number = scene.queue(get());
    scene.answer(number, Err(OperationError::TimedOut));
    scene.write_all();
    assert_eq!(
        (scene.state(number), &*scene.error(number)),
        ("failed", "timed_out")
    );
}

#[test]
fn only_what_is_queued_can_be_cancelled() {
    let mut scene = Scene::new(true);
    let sent = scene.queue(set());
    let queued = scene.queue(set());
    assert_eq!(scene.core.is_queued(sent), Some(false));
    assert_eq!(scene.core.is_queued(queued), Some(true));
    scene.handle(Input::Cancelled(sent));
    scene.handle(Input::Cancelled(queued));
    scene.write_all();
    assert_eq!((scene.state(sent), scene.state(queued)), ("sent", "failed"));
    assert_eq!(scene.error(queued), "cancelled");
    scene.done(sent);
    assert_eq!(scene.sent, [sent]);
}

#[test]
fn a_device_that_is_removed_loses_what_waits_for_it() {
    let mut scene = Scene::new(false);
    let number = scene.queue(set());
    scene.handle(Input::Removed(DEVICE.into()));
    scene.write_all();
    assert_eq!(scene.error(number), "cancelled");
}

#[test]
fn an_asynchronous_command_waits_for_its_end() {
    let mut scene = Scene::new(true);
    let number = scene.submit(operate(""), true);
    scene.write_all();
    let key = number.to_string();
    scene.answer(number, Ok(started(&["Device.1.Go()", "Device.2.Go()"])));
    assert!(!scene.core.expects(DEVICE, "other") && scene.core.expects(DEVICE, &key));
    scene.write_all();
    assert_eq!(scene.state(number), "waiting");
    assert_eq!(
        scene.told(number),
        Some(&Ok(started(&["Device.1.Go()", "Device.2.Go()"])))
    );
    assert!(!scene.core.is_unanswered(number));
    scene.handle(command_end("Device.2.Go()", "other"));
    scene.handle(command_end("Device.2.Go()", &key));
    scene.write_all();
    assert_eq!(scene.state(number), "waiting");
    // Over a restart of the server too, and the last one may be called otherwise.
    scene.kill();
    assert_eq!(scene.state(number), "waiting");
    scene.handle(command_end("Device.[X==1].Go()", &key));
    scene.write_all();
    assert_eq!(scene.state(number), "done");
    let outcome = scene.rows[&number.0].outcome.clone().unwrap();
    assert_eq!(outcome.matches("completed").count(), 2, "{outcome}");
}

/// Its end may be taken in before its answer is.
#[test]
fn an_end_that_comes_early_is_not_lost() {
    let mut scene = Scene::new(true);
    let number = scene.queue(operate("mine"));
    scene.handle(command_end("Device.Go()", "mine"));
    scene.answer(number, Ok(started(&["Device.Go()"])));
    scene.write_all();
    assert_eq!(scene.state(number), "done");
}

#[test]
fn a_command_whose_end_is_never_told_fails() {
    let mut scene = Scene::new(true);
    let number = scene.queue(operate("mine"));
    scene.answer(number, Ok(started(&["Device.Go()"])));
    scene.write_all();
    let behind = scene.queue(set());
    assert_eq!(scene.sent.last(), Some(&behind), "it holds nobody up");
    scene.sleep_until(scene.now + COMPLETION_TIME);
    assert_eq!(scene.error(number), "uncompleted");
}

#[test]
fn what_cannot_be_kept_is_refused_and_what_cannot_be_marked_is_not_sent() {
    let mut scene = Scene::new(true);
    let refused = scene.submit(set(), true);
    scene.fail_writes();
    assert!(scene.accepted.is_empty() && scene.core.live.is_empty());
    assert!(!scene.rows.contains_key(&refused.0));

    scene.is_online = false;
    let first = scene.queue(set());
    let second = scene.queue(set());
    scene.is_online = true;
    scene.handle(Input::Online(DEVICE.into()));
    scene.fail_writes();
    assert_eq!(scene.sent, []);
    scene.write_all();
    scene.sleep_until(scene.now + PAUSE);
    assert_eq!(scene.sent, [first]);
    // What came of it is written as soon as that can be done.
    scene.answer(first, Ok(outcome()));
    scene.fail_writes();
    scene.write_all();
    assert_eq!(scene.state(first), "sent");
    scene.sleep_until(scene.now + PAUSE);
    assert_eq!(scene.state(first), "done");
    scene.done(second);
    assert!(scene.core.live.is_empty());
}

#[test]
fn a_restart_takes_up_what_was_kept() {
    let mut scene = Scene::new(false);
    let queued_set = scene.queue(set());
    let mut others = Vec::new();
    for (request, is_awaited) in [(get(), false), (set(), false), (get(), true)] {
        let number = scene.submit(request, is_awaited);
        scene.write_all();
        // As if it had been sent.
        scene.row(number).state = Some(OperationState::Sent);
        scene.row(number).attempts = 1;
        others.push(number);
    }
    let [sent_get, sent_set, awaited_get] = others[..] else {
        panic!("three")
    };
    let abandoned = scene.submit(set(), true);
    scene.write_all();
    scene.kill();
    assert_eq!(scene.state(queued_set), "queued");
    assert_eq!(scene.state(sent_get), "queued");
    assert_eq!(scene.error(sent_set), "interrupted");
    assert_eq!(scene.error(awaited_get), "interrupted");
    assert_eq!(scene.error(abandoned), "unsent");
    scene.arrive();
    scene.done(queued_set);
    scene.done(sent_get);
    assert_eq!(scene.sent, [queued_set, sent_get]);
}

#[test]
fn a_row_that_says_nothing_sensible_ends_and_is_in_nobodys_way() {
    let mut scene = Scene::new(false);
    let sound = scene.queue(set());
    let broken: Vec<Number> = (0..4).map(|_| scene.queue(operate("k"))).collect();
    scene.row(broken[0]).kind = "nonsense".into();
    scene.row(broken[1]).state = None;
    scene.row(broken[2]).state = Some(OperationState::Waiting);
    scene.row(broken[3]).expires = i64::MIN;
    scene.row(broken[3]).patience = i64::MIN;
    // Only what has not ended is taken up, so an end among them is impossible too.
    let mut impossible = scene.rows[&broken[0].0].clone();
    impossible.number = 77;
    impossible.state = Some(OperationState::Sent);
    scene.rows.insert(77, impossible.clone());
    scene.kill();
    impossible.state = Some(OperationState::Done);
    impossible.number = 78;
    scene.rows.insert(
        78,
        Row {
            state: Some(OperationState::Sent),
            ..impossible.clone()
        },
    );
    scene.handle(Input::Recovered(Box::new(impossible)));
    scene.write_all();
    for number in [broken[0], broken[1], broken[2], Number(77), Number(78)] {
        assert_eq!(scene.error(number), "damaged", "{number}");
    }
    scene.handle(Input::Tick);
    scene.write_all();
    assert_eq!(scene.state(broken[3]), "expired");
    scene.arrive();
    assert_eq!(scene.sent, [sound]);
    scene.handle(Input::Unreadable(sound));
    scene.write_all();
    assert_eq!(scene.error(sound), "damaged");
    assert!(scene.core.live.is_empty());
}

#[test]
fn there_is_room_for_so_many_and_no_more() {
    let mut scene = Scene::new(false);
    for _ in 0..OPERATIONS_PER_DEVICE_MAX {
        assert_eq!(scene.core.room(DEVICE, 1), Ok(()));
        scene.queue(set());
    }
    assert_eq!(scene.core.room(DEVICE, 1), Err(Full::Device));
    assert_eq!(scene.core.room("self::other", 1), Ok(()));
    let much = OPERATIONS_BYTES_MAX;
    assert_eq!(scene.core.room("self::other", much), Err(Full::Server));
    scene.handle(Input::Cancelled(Number(1)));
    scene.write_all();
    assert_eq!(scene.core.room(DEVICE, 1), Ok(()));
}

#[test]
fn an_outcome_that_is_too_large_is_told_and_not_kept() {
    let mut scene = Scene::new(true);
    let number = scene.submit(operate("k"), true);
    scene.write_all();
    let large = "x".repeat(OUTCOME_BYTES_MAX);
    scene.answer(number, Ok(started(&[&large])));
    scene.write_all();
    // It could not be taken up again, so its end is not waited for.
    assert_eq!(scene.state(number), "done");
    let row = &scene.rows[&number.0];
    assert!(row.outcome.is_none() && row.outcome_bytes > OUTCOME_BYTES_MAX as u64);
    assert_eq!(scene.told(number), Some(&Ok(started(&[&large]))));
}
