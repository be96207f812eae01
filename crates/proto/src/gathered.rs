//! A GetResp that is encoded while it is gathered.
//!
//! An answer may have hundreds of values. As structs each of them is two texts of their own, and every level around
//! them is measured before it is written; here they go straight to where they are sent from. What comes out is what
//! [`GetResp`](crate::msg::GetResp) would be encoded as, but for the order of an object's values, which has no meaning.
//! It must never be given what would not fit into a Message: whoever gathers counts.

use bytes::Bytes;
use prost::encoding::{self, WireType};

use crate::MsgType;
use crate::make::{self, field_length};
use crate::msg::Header;

/// Numbers of the fields that are written here, as [`crate::msg`] declares them.
mod tags {
    pub(super) const GET_RESP: u32 = 1;
    pub(super) const REQ_PATH_RESULTS: u32 = 1;
    pub(super) const REQUESTED_PATH: u32 = 1;
    pub(super) const ERR_CODE: u32 = 2;
    pub(super) const ERR_MSG: u32 = 3;
    pub(super) const RESOLVED_PATH_RESULTS: u32 = 4;
    pub(super) const RESOLVED_PATH: u32 = 1;
    pub(super) const RESULT_PARAMS: u32 = 2;
    pub(super) const KEY: u32 = 1;
    pub(super) const VALUE: u32 = 2;
}

/// Writes a GetResp, from its beginning to its end.
#[derive(Debug, Default)]
pub struct GetRespWriter {
    bytes: Vec<u8>,
    /// The result of a path that is being written.
    path: Option<PathResult>,
    /// Where the content of the object begins that is being written.
    object: Option<usize>,
}

/// A GetResp that is encoded already.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EncodedGetResp(Vec<u8>);

/// Where the parts of a path's result begin.
#[derive(Clone, Copy, Debug)]
struct PathResult {
    content: usize,
    objects: usize,
}

impl GetRespWriter {
    /// Begins the result of the next path, as it was asked for. (R-GET.0)
    pub fn path(&mut self, requested: &str) {
        self.end_path();
        let content = open(tags::REQ_PATH_RESULTS, &mut self.bytes);
        text(tags::REQUESTED_PATH, requested, &mut self.bytes);
        let objects = self.bytes.len();
        self.path = Some(PathResult { content, objects });
    }

    /// Begins an object of the path, by its path with instance numbers.
    pub fn object(&mut self, path: &str) {
        self.end_object();
        self.object = Some(open(tags::RESOLVED_PATH_RESULTS, &mut self.bytes));
        text(tags::RESOLVED_PATH, path, &mut self.bytes);
    }

    /// Writes the value of a parameter of the object.
    pub fn value(&mut self, name: &str, value: &str) {
        let length = text_length(name) + text_length(value);
        encoding::encode_key(
            tags::RESULT_PARAMS,
            WireType::LengthDelimited,
            &mut self.bytes,
        );
        encoding::encode_varint(length as u64, &mut self.bytes);
        text(tags::KEY, name, &mut self.bytes);
        text(tags::VALUE, value, &mut self.bytes);
    }

    /// Takes back what was written of the path, which has failed: `code` is of the 7000s, `message` for people.
    pub fn fail(&mut self, code: u32, message: &str) {
        self.object = None;
        if let Some(PathResult { objects, .. }) = self.path {
            self.bytes.truncate(objects);
        }
        encoding::fixed32::encode(tags::ERR_CODE, &code, &mut self.bytes);
        text(tags::ERR_MSG, message, &mut self.bytes);
    }

    /// The whole of it.
    pub fn finish(mut self) -> EncodedGetResp {
        self.end_path();
        EncodedGetResp(self.bytes)
    }

    fn end_path(&mut self) {
        self.end_object();
        if let Some(PathResult { content, .. }) = self.path.take() {
            close(content, &mut self.bytes);
        }
    }

    fn end_object(&mut self) {
        if let Some(content) = self.object.take() {
            close(content, &mut self.bytes);
        }
    }
}

impl EncodedGetResp {
    /// The encoded Message, the payload of a Record: the response to the request named `msg_id`. (R-MSG.9)
    pub fn into_payload(self, msg_id: &str) -> Bytes {
        let header = Header {
            msg_id: msg_id.to_owned(),
            msg_type: MsgType::GetResp as i32,
        };
        let Self(bytes) = self;
        make::wrap(Some(&header), field_length(bytes.len()), |payload| {
            encoding::encode_key(tags::GET_RESP, WireType::LengthDelimited, payload);
            encoding::encode_varint(bytes.len() as u64, payload);
            payload.extend_from_slice(&bytes);
        })
        .into()
    }
}

/// Begins a field that holds others; returns where its content begins. Its length is left out: one byte is kept free.
fn open(tag: u32, bytes: &mut Vec<u8>) -> usize {
    encoding::encode_key(tag, WireType::LengthDelimited, bytes);
    bytes.push(0);
    bytes.len()
}

/// Writes the length of the field whose content began at `start` and ends here; what is long moves up for it.
fn close(start: usize, bytes: &mut Vec<u8>) {
    let (end, length) = (bytes.len(), bytes.len() - start);
    let more = encoding::encoded_len_varint(length as u64) - 1;
    if more > 0 {
        bytes.resize(end + more, 0);
        bytes.copy_within(start..end, start + more);
    }
    encoding::encode_varint(length as u64, &mut &mut bytes[start - 1..start + more]);
}

/// A text; one without characters is not written, which means the same.
fn text(tag: u32, text: &str, bytes: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    encoding::encode_key(tag, WireType::LengthDelimited, bytes);
    encoding::encode_varint(text.len() as u64, bytes);
    bytes.extend_from_slice(text.as_bytes());
}

fn text_length(text: &str) -> usize {
    if text.is_empty() {
        0
    } else {
        field_length(text.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::msg::{GetResp, RequestedPathResult, ResolvedPathResult};
    use crate::{Limits, Msg};

    /// Writes what `response` says.
    fn written(response: &GetResp) -> EncodedGetResp {
        let mut writer = GetRespWriter::default();
        for path in &response.req_path_results {
            writer.path(&path.requested_path);
            for object in &path.resolved_path_results {
                writer.object(&object.resolved_path);
                for (name, value) in &object.result_params {
                    writer.value(name, value);
                }
            }
            if path.err_code != 0 {
                writer.fail(path.err_code, &path.err_msg);
            }
        }
        writer.finish()
    }

    fn object() -> impl Strategy<Value = ResolvedPathResult> {
        // Some are longer than one byte of length can say, and some of these longer than two.
        let value = prop_oneof![
            8 => ".{0,9}",
            4 => "[a-z]{100,200}",
            1 => Just("x".repeat(1 << 14)),
        ];
        let values = prop::collection::btree_map("[A-Za-z]{1,20}", value, 0..6);
        (".{0,40}", values).prop_map(|(resolved_path, result_params)| ResolvedPathResult {
            resolved_path,
            result_params,
        })
    }

    fn response() -> impl Strategy<Value = GetResp> {
        let objects = prop::collection::vec(object(), 0..5);
        let path = (".{0,40}", objects).prop_map(|(requested_path, resolved_path_results)| {
            RequestedPathResult {
                requested_path,
                resolved_path_results,
                ..RequestedPathResult::default()
            }
        });
        prop::collection::vec(path, 0..4).prop_map(|req_path_results| GetResp { req_path_results })
    }

    proptest! {
        /// Byte for byte what the structs are encoded as. (`BTreeMap` gives the values in one order, which is taken
        /// here too.)
        #[test]
        fn what_is_written_is_what_the_structs_are_encoded_as(response in response()) {
            let payload = written(&response).into_payload("a-1");
            let expected = Msg::response("a-1", response);
            prop_assert_eq!(&payload, &expected.clone().into_payload());
            prop_assert_eq!(Msg::decode_bounded(payload, &Limits::DEFAULT).unwrap(), expected);
        }
    }

    /// What was gathered of a path that fails is gone, and the others are as they were.
    #[test]
    fn a_path_that_fails_has_an_error_and_no_objects() {
        let mut writer = GetRespWriter::default();
        writer.path("Device.A.");
        writer.object("Device.A.");
        writer.value("Name", "x");
        writer.path("Device.B.");
        writer.object("Device.B.1.");
        writer.value("Name", "y");
        writer.object("Device.B.2.");
        writer.fail(7005, "too long");
        writer.path("Device.C.");
        let payload = writer.finish().into_payload("1");
        let found = ResolvedPathResult {
            resolved_path: "Device.A.".to_owned(),
            result_params: [("Name".to_owned(), "x".to_owned())].into(),
        };
        let result = |path: &str| RequestedPathResult {
            requested_path: path.to_owned(),
            ..RequestedPathResult::default()
        };
        let expected = GetResp {
            req_path_results: vec![
                RequestedPathResult {
                    resolved_path_results: vec![found],
                    ..result("Device.A.")
                },
                RequestedPathResult {
                    err_code: 7005,
                    err_msg: "too long".to_owned(),
                    ..result("Device.B.")
                },
                result("Device.C."),
            ],
        };
        let message = Msg::decode_bounded(payload, &Limits::DEFAULT).unwrap();
        assert_eq!(message, Msg::response("1", expected));
    }
}
