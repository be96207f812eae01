//! Firmware: downloaded, checked, activated at once or in a window of time, and not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

use usphere_proto::msg::CompletionOutcome;

use super::{Test, test};
use crate::bench::{
    Bench, Kind, Notified, OperatedResult, ensure, equal, operate, same_value, value_in,
};
use crate::limits::{FIRMWARE_BYTES_MAX, NOTIFY_PATIENCE};
use crate::peer::Seat;
use crate::stop::{Done, Stop};
use crate::tests::common::subscription_to;
use crate::web::Reply;

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(9, 3, activated_by_itself),
    test(9, 4, activated_immediately),
    test(9, 5, activated_at_any_time),
    test(9, 6, with_a_wrong_checksum),
    test(9, 7, to_the_active_bank),
    test(9, 8, cancelled),
];

const INFO: &str = "Device.DeviceInfo.";
const BANKS: &str = "Device.DeviceInfo.FirmwareImage.";
const ACTIVE: &str = "Device.DeviceInfo.ActiveFirmwareImage";
const VERSION: &str = "Device.DeviceInfo.SoftwareVersion";
const DOWNLOAD: &str = "Device.DeviceInfo.FirmwareImage.{i}.Download()";
const ACTIVATE: &str = "Device.DeviceInfo.FirmwareImage.{i}.Activate()";
const BOOT: &str = "Device.Boot!";
const TRANSFER: &str = "Device.LocalAgent.TransferComplete!";
const REQUESTS: &str = "Device.LocalAgent.Request.";

/// The page of the image.
const PAGE: &str = "/firmware";

/// SHA-1 of no image.
const WRONG_CHECKSUM: &str = "0123456789abcdef0123456789abcdef01234567";

/// Bytes of an image that is none.
const NO_IMAGE_BYTES: usize = 64 * 1024;

/// How often it is looked whether the Agent has a link, where it may be starting anew.
const LOOK: Duration = Duration::from_secs(2);

/// A bank of firmware.
struct Bank {
    row: String,
    is_active: bool,
    status: String,
    version: String,
}

/// An image that the Agent can download.
struct Image {
    url: String,
    bytes: usize,
    version: String,
}

/// 9.3
fn activated_by_itself(bench: &mut Bench) -> Done {
    let bank = inactive(bench)?;
    let image = image(bench)?;
    let command = format!("{}Download()", bank.row);
    subscribe(bench, "93", &[TRANSFER, BOOT])?;
    subscribe_to_end(bench, "93", &command)?;
    back_to_what_was(bench)?;
    bench.step("Have it download the image, and activate it by itself");
    let size = image.bytes.to_string();
    let arguments = [
        ("AutoActivate", "true"),
        ("URL", &image.url),
        ("FileSize", &size),
    ];
    begin(bench, &command, "test93", &arguments)?;
    let patience = patience(bench);
    ended(bench, "93", "Download()", patience)?;
    bench.step("Wait for the transfer to be complete, and for the boot");
    told(bench, Kind::Event, &id_of("93", TRANSFER), patience)?;
    boot_of_new_firmware(bench, "93", patience)?;
    bench.step("See that the new image is active");
    let values = bench.values(INFO)?;
    let active = value_in(&values, ACTIVE)?;
    same_row(active, &bank.row)?;
    equal(
        "SoftwareVersion",
        value_in(&values, VERSION)?,
        &image.version,
    )
}

/// 9.4
fn activated_immediately(bench: &mut Bench) -> Done {
    let window = [("Start", "1"), ("End", "100"), ("Mode", "Immediately")];
    activated(bench, "94", window, Duration::from_secs(5))
}

/// 9.5
fn activated_at_any_time(bench: &mut Bench) -> Done {
    let window = [("Start", "0"), ("End", "120"), ("Mode", "AnyTime")];
    activated(bench, "95", window, Duration::from_secs(120))
}

fn activated(bench: &mut Bench, test: &str, window: [(&str, &str); 3], within: Duration) -> Done {
    bench.needs(ACTIVATE)?;
    let bank = bank_with_image(bench)?;
    let command = format!("{}Activate()", bank.row);
    subscribe(bench, test, &[BOOT])?;
    subscribe_to_end(bench, test, &command)?;
    back_to_what_was(bench)?;
    bench.step(format_args!(
        "Have it activate the image in a window of time: {window:?}"
    ));
    let window = window.map(|(name, value)| (format!("TimeWindow.1.{name}"), value));
    let arguments = window
        .each_ref()
        .map(|(name, value)| (name.as_str(), *value));
    begin(bench, &command, &format!("test{test}"), &arguments)?;
    ended(bench, test, "Activate()", within)?;
    let patience = patience(bench);
    boot_of_new_firmware(bench, test, patience)?;
    bench.step("See that the other version runs");
    equal(
        "SoftwareVersion",
        bench.value(VERSION)?.as_str(),
        &bank.version,
    )
}

/// 9.6
fn with_a_wrong_checksum(bench: &mut Bench) -> Done {
    let bank = inactive(bench)?;
    let reply = match bench.profile().firmware {
        Some(_) => Reply::file(read_image(bench)?),
        None => Reply::file(vec![0x5a; NO_IMAGE_BYTES]),
    };
    let url = bench.serve(PAGE, false, reply)?;
    subscribe(bench, "96", &[TRANSFER])?;
    bench.step("Have it download an image with another checksum than it has");
    let arguments = [
        ("URL", url.as_str()),
        ("CheckSumAlgorithm", "SHA-1"),
        ("CheckSum", WRONG_CHECKSUM),
    ];
    let command = format!("{}Download()", bank.row);
    begin(bench, &command, "test96", &arguments)?;
    bench.step("Wait for the transfer to be complete");
    let patience = patience(bench);
    told(bench, Kind::Event, &id_of("96", TRANSFER), patience)?;
    bench.step("See that the image was found to be wrong");
    bench.expect_values(&bank.row, &[("Status", "ValidationFailed")])
}

/// 9.7
fn to_the_active_bank(bench: &mut Bench) -> Done {
    let banks = banks(bench)?;
    let Some(active) = banks.iter().find(|bank| bank.is_active) else {
        return Err(Stop::Failed(format!("{ACTIVE} was to be one of {BANKS}")));
    };
    let image = image(bench)?;
    let command = format!("{}Download()", active.row);
    subscribe(bench, "97", &[TRANSFER, BOOT])?;
    subscribe_to_end(bench, "97", &command)?;
    bench.may_lose_link();
    bench.step("Have it download the image to where the active one is");
    let arguments = [("URL", image.url.as_str()), ("AutoActivate", "true")];
    let request = operate(&command, "test97", &owned(&arguments));
    let may_refuse = banks.len() > 1;
    match bench.operate(request)?.either() {
        Err(_) if may_refuse => return Ok(()),
        Err(error) => {
            let text = &error.err_msg;
            return Err(Stop::Failed(format!(
                "an Agent with one bank was to download to it, it refuses: {text}"
            )));
        }
        Ok(response) => {
            if may_refuse && response.failure_of(&command).is_ok() {
                return Ok(());
            }
            response.request_of(&command)?;
        }
    }
    let patience = patience(bench);
    if may_refuse {
        let end = told(bench, Kind::OperationComplete, "firmware97", patience)?;
        if failure(&end)?.is_some() {
            return Ok(());
        }
    }
    bench.step("Wait for the transfer to be complete, and for the boot");
    told(bench, Kind::Event, &id_of("97", TRANSFER), patience)?;
    boot_of_new_firmware(bench, "97", patience)
}

/// 9.8
fn cancelled(bench: &mut Bench) -> Done {
    bench.needs(ACTIVATE)?;
    bench.needs("Device.LocalAgent.Request.{i}.Cancel()")?;
    let bank = bank_with_image(bench)?;
    subscribe(bench, "98", &[BOOT])?;
    back_to_what_was(bench)?;
    bench.step("Have it activate the image in two minutes at the earliest");
    let command = format!("{}Activate()", bank.row);
    let arguments = [
        ("TimeWindow.1.Start", "120"),
        ("TimeWindow.1.End", "500"),
        ("TimeWindow.1.Mode", "AnyTime"),
    ];
    let request = begin(bench, &command, "test98", &arguments)?;
    let request = format!("{}.", request.trim_end_matches('.'));
    bench.step("Cancel that");
    let cancel = operate(&format!("{request}Cancel()"), "test98-2", &BTreeMap::new());
    bench.operate(cancel)?.response()?;
    bench.step("See that it does not boot within 500 s");
    let silence = Duration::from_secs(500);
    bench.expect_silence(Kind::Event, &id_of("98", BOOT), silence)?;
    bench.step("See what became of the request");
    let values = bench.values(REQUESTS)?;
    match values.get(&format!("{request}Status")) {
        None => Ok(()),
        // TR-181 and the plan spell it differently.
        Some(status) => ensure(
            ["Canceled", "Cancelled", "Canceling", "Cancelling"].contains(&status.as_str()),
            || format!("{request}Status: Canceled or Canceling was expected, {status} came"),
        ),
    }
}

/// The banks of the Agent.
fn banks(bench: &mut Bench) -> Result<Vec<Bank>, Stop> {
    bench.needs(DOWNLOAD)?;
    bench.needs(ACTIVE)?;
    let active = bench.value(ACTIVE)?;
    let rows = bench.rows(BANKS)?.into_iter();
    let banks = rows.map(|row| {
        let values = bench.values(&row)?;
        let text = |name: &str| value_in(&values, &format!("{row}{name}")).map(str::to_owned);
        Ok(Bank {
            is_active: same_row(&active, &row).is_ok(),
            status: text("Status")?,
            version: text("Version")?,
            row,
        })
    });
    banks.collect()
}

/// A bank that is not the active one.
fn inactive(bench: &mut Bench) -> Result<Bank, Stop> {
    let banks = banks(bench)?.into_iter();
    let mut inactive = banks.filter(|bank| !bank.is_active);
    inactive.next().ok_or_else(|| {
        let reason = "the Agent has one bank of firmware, and no inactive one";
        Stop::NotApplicable(reason.to_owned())
    })
}

/// An inactive bank with firmware that can be activated: one that is there, or the profile's.
fn bank_with_image(bench: &mut Bench) -> Result<Bank, Stop> {
    let there = banks(bench)?.into_iter();
    let mut there = there.filter(|bank| !bank.is_active && bank.status == "Available");
    if let Some(bank) = there.next() {
        return Ok(bank);
    }
    let bank = inactive(bench)?;
    let image = image(bench)?;
    let command = format!("{}Download()", bank.row);
    subscribe_to_end(bench, "setup", &command)?;
    bench.step("Have it download the image, without activating it");
    let arguments = [("AutoActivate", "false"), ("URL", image.url.as_str())];
    begin(bench, &command, "setup", &arguments)?;
    let patience = patience(bench);
    ended(bench, "setup", "Download()", patience)?;
    let version = image.version;
    Ok(Bank { version, ..bank })
}

/// The profile's image, where the Agent finds it.
fn image(bench: &mut Bench) -> Result<Image, Stop> {
    let body = read_image(bench)?;
    let bytes = body.len();
    let url = bench.serve(PAGE, false, Reply::file(body))?;
    let firmware = bench.profile().firmware.as_ref();
    let version = firmware.map(|firmware| firmware.version.clone());
    Ok(Image {
        url,
        bytes,
        version: version.unwrap_or_default(),
    })
}

fn read_image(bench: &Bench) -> Result<Vec<u8>, Stop> {
    let Some(firmware) = &bench.profile().firmware else {
        return Err(Stop::not_runnable("the profile names no firmware image"));
    };
    let mut body = Vec::new();
    let opened = File::open(&firmware.image);
    let read = opened.and_then(|file| file.take(FIRMWARE_BYTES_MAX + 1).read_to_end(&mut body));
    let shown = firmware.image.display();
    read.map_err(|error| Stop::not_runnable(format_args!("{shown}: {error}")))?;
    match body.len() as u64 > FIRMWARE_BYTES_MAX {
        true => Err(Stop::not_runnable(format_args!("{shown} is too large"))),
        false => Ok(body),
    }
}

/// How long a download, or starting anew with other firmware, may take.
fn patience(bench: &Bench) -> Duration {
    let firmware = bench.profile().firmware.as_ref();
    let seconds = firmware.map(|firmware| firmware.seconds);
    Duration::from_secs(seconds.unwrap_or(bench.profile().connect_seconds))
}

fn id_of(test: &str, event: &str) -> String {
    let name = event.rsplit('.').next().unwrap_or(event);
    format!("{}{test}", name.trim_end_matches('!'))
}

fn subscribe(bench: &mut Bench, test: &str, events: &[&str]) -> Done {
    bench.step(format_args!("Subscribe to {}", events.join(" and ")));
    for event in events {
        bench.added(subscription_to(&id_of(test, event), "Event", event))?;
    }
    Ok(())
}

fn subscribe_to_end(bench: &mut Bench, test: &str, command: &str) -> Done {
    bench.step(format_args!("Subscribe to the end of {command}"));
    let id = format!("firmware{test}");
    bench
        .added(subscription_to(&id, "OperationComplete", command))
        .map(drop)
}

/// When the test ends, the image that is active now is activated again, where the Agent can do so.
fn back_to_what_was(bench: &mut Bench) -> Done {
    // It starts anew with the image.
    bench.may_lose_link();
    if bench.features().has(ACTIVATE) {
        let before = bench.value(ACTIVE)?;
        bench.undo(move |bench| {
            let now = bench.value(ACTIVE)?;
            if same_row(&now, &before).is_ok() {
                return Ok(());
            }
            let command = format!("{}.Activate()", before.trim_end_matches('.'));
            let request = operate(&command, "", &BTreeMap::new());
            bench.operate(request)?.response()?;
            bench.await_return()
        });
    }
    Ok(())
}

/// Starts a command that goes on: the path of its Request.
fn begin(
    bench: &mut Bench,
    command: &str,
    key: &str,
    arguments: &[(&str, &str)],
) -> Result<String, Stop> {
    let request = operate(command, key, &owned(arguments));
    let response = bench.operate(request)?.response()?;
    Ok(response.request_of(command)?.to_owned())
}

/// Waits for a Notify of an Agent that may start anew meanwhile.
fn told(bench: &mut Bench, kind: Kind, id: &str, patience: Duration) -> Result<Notified, Stop> {
    let until = bench.now() + patience;
    while bench.now() < until {
        if !bench.is_connected(Seat::Primary) {
            bench.try_to_connect(Seat::Primary)?;
        }
        let left = until.saturating_sub(bench.now());
        if let Some(notified) = bench.notified(kind, id, left.min(LOOK)) {
            return Ok(notified);
        }
    }
    let seconds = patience.as_secs();
    Err(Stop::Failed(format!(
        "a {kind:?} for the Subscription {id:?} was expected, none came within {seconds} s"
    )))
}

/// Waits for a command to end well.
fn ended(bench: &mut Bench, test: &str, command: &str, patience: Duration) -> Done {
    bench.step(format_args!("Wait for {command} to end"));
    let id = format!("firmware{test}");
    let notified = told(bench, Kind::OperationComplete, &id, patience)?;
    let name = notified.completion()?.command_name.as_str();
    equal("command_name", name, command)?;
    match failure(&notified)? {
        None => Ok(()),
        Some(text) => Err(Stop::Failed(format!(
            "{command} was to succeed, it failed: {text}"
        ))),
    }
}

/// Why a command has failed, if it has.
fn failure(notified: &Notified) -> Result<Option<String>, Stop> {
    Ok(match &notified.completion()?.operation_resp {
        Some(CompletionOutcome::CmdFailure(failure)) => {
            Some(format!("{} {}", failure.err_code, failure.err_msg))
        }
        _ => None,
    })
}

fn boot_of_new_firmware(bench: &mut Bench, test: &str, patience: Duration) -> Done {
    bench.step("Wait for the boot, which tells that the firmware is another one");
    let patience = patience + NOTIFY_PATIENCE;
    let notified = told(bench, Kind::Event, &id_of(test, BOOT), patience)?;
    let updated = value_in(&notified.event()?.params, "FirmwareUpdated")?;
    ensure(same_value(updated, "true"), || {
        format!("FirmwareUpdated: true was expected, {updated:?} came")
    })
}

fn same_row(one: &str, other: &str) -> Done {
    let plain = |path: &str| path.trim_end_matches('.').to_owned();
    equal("the active image", &plain(one), &plain(other))
}

fn owned(arguments: &[(&str, &str)]) -> BTreeMap<String, String> {
    let arguments = arguments.iter();
    let owned = arguments.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    owned.collect()
}
