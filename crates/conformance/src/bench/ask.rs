//! Requests and their answers.

use std::collections::BTreeMap;

use usphere_proto::msg::{
    Add, AddResp, CreateObject, CreateParamSetting, Delete, DeleteResp, Error, Get, GetInstances,
    GetInstancesResp, GetResp, GetSupportedDm, GetSupportedDmResp, GetSupportedProtocol,
    GetSupportedProtocolResp, MsgBody, Operate, OperateResp, RequestType, ResponseType, Set,
    SetResp, UpdateObject, UpdateParamSetting,
};
use usphere_proto::{Msg, MsgType, code_name};

use super::{Bench, CreatedResult, FoundResult, Said, appropriate, only};
use crate::stop::{Done, Stop};

/// Versions that the bench says it speaks.
const VERSIONS: &str = "1.0,1.1,1.2,1.3,1.4";

/// Whether some of a request may fail while the rest is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AllowPartial {
    /// All or nothing.
    No,
    /// Each for itself.
    Yes,
}

/// A request was answered.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    to: MsgType,
    content: Result<T, Error>,
}

impl<T> Answer<T> {
    /// The response.
    ///
    /// # Errors
    /// It was an Error.
    pub fn response(self) -> Result<T, Stop> {
        let to = self.to;
        self.content.map_err(|error| {
            Stop::Failed(format!(
                "a response to the {to:?} was expected, and an Error came: {}",
                in_words(&error)
            ))
        })
    }

    /// The Error, whose code is appropriate.
    ///
    /// # Errors
    /// It was a response, or the code is none for this request.
    pub fn error(self) -> Result<Error, Stop> {
        match self.content {
            Ok(_) => Err(Stop::Failed(format!(
                "an Error was expected in answer to the {:?}, and a response came",
                self.to
            ))),
            Err(error) => {
                appropriate(error.err_code, self.to)?;
                for wrong in &error.param_errs {
                    appropriate(wrong.err_code, self.to)
                        .map_err(|stop| stop.of(&wrong.param_path))?;
                }
                Ok(error)
            }
        }
    }

    /// Either, for tests that allow both.
    pub fn either(self) -> Result<T, Error> {
        self.content
    }
}

/// An Error in a line.
fn in_words(error: &Error) -> String {
    let of_parameters = error.param_errs.iter();
    let of_parameters = of_parameters.map(|wrong| {
        format!(
            "; {}: {} {}",
            wrong.param_path, wrong.err_code, wrong.err_msg
        )
    });
    format!(
        "{} ({}) {}{}",
        error.err_code,
        code_name(error.err_code),
        error.err_msg,
        of_parameters.collect::<String>()
    )
}

/// Which elements a GetSupportedDM asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SupportedDmOptions {
    /// Commands, events, parameters and unique keys.
    All,
    /// Commands alone.
    Commands,
    /// Events alone.
    Events,
    /// Objects alone.
    None,
    /// Unique keys alone.
    UniqueKeys,
}

/// A new row of the table at `path`; nothing is set yet.
pub fn create(path: &str) -> CreateObject {
    CreateObject {
        obj_path: path.to_owned(),
        param_settings: Vec::new(),
    }
}

/// A change of the object at `path`; nothing is set yet.
pub fn update(path: &str) -> UpdateObject {
    UpdateObject {
        obj_path: path.to_owned(),
        param_settings: Vec::new(),
    }
}

/// A command with its arguments, whose answer is wanted.
pub fn operate(command: &str, key: &str, arguments: &BTreeMap<String, String>) -> Operate {
    Operate {
        command: command.to_owned(),
        command_key: key.to_owned(),
        send_resp: true,
        input_args: arguments.clone(),
    }
}

/// What values an object is to have.
pub trait Settings: Sized {
    /// With a value that may fail.
    #[must_use]
    fn with(self, name: &str, value: &str) -> Self {
        self.setting(name, value, false)
    }

    /// With a value that is required.
    #[must_use]
    fn must(self, name: &str, value: &str) -> Self {
        self.setting(name, value, true)
    }

    /// With a value.
    #[must_use]
    fn setting(self, name: &str, value: &str, required: bool) -> Self;
}

impl Settings for CreateObject {
    fn setting(mut self, name: &str, value: &str, required: bool) -> Self {
        self.param_settings.push(CreateParamSetting {
            param: name.to_owned(),
            value: value.to_owned(),
            required,
        });
        self
    }
}

impl Settings for UpdateObject {
    fn setting(mut self, name: &str, value: &str, required: bool) -> Self {
        self.param_settings.push(UpdateParamSetting {
            param: name.to_owned(),
            value: value.to_owned(),
            required,
        });
        self
    }
}

/// Requests of the Controller that speaks.
impl Bench {
    /// Add. What it creates is deleted when the test ends.
    ///
    /// # Errors
    /// No answer, or no answer to an Add.
    pub fn add(
        &mut self,
        partial: AllowPartial,
        create_objs: impl Into<Vec<CreateObject>>,
    ) -> Result<Answer<AddResp>, Stop> {
        let request = Add {
            allow_partial: partial == AllowPartial::Yes,
            create_objs: create_objs.into(),
        };
        let answer = self.ask(request, |response| match response {
            ResponseType::AddResp(response) => Some(response),
            _ => None,
        })?;
        if let Ok(response) = &answer.content {
            for result in &response.created_obj_results {
                if let Ok(created) = result.created() {
                    let path = created.instantiated_path.clone();
                    self.undo(move |bench| bench.delete_quietly(&path));
                }
            }
        }
        Ok(answer)
    }

    /// Set.
    ///
    /// # Errors
    /// No answer, or no answer to a Set.
    pub fn set(
        &mut self,
        partial: AllowPartial,
        update_objs: impl Into<Vec<UpdateObject>>,
    ) -> Result<Answer<SetResp>, Stop> {
        let request = Set {
            allow_partial: partial == AllowPartial::Yes,
            update_objs: update_objs.into(),
        };
        self.ask(request, |response| match response {
            ResponseType::SetResp(response) => Some(response),
            _ => None,
        })
    }

    /// Delete.
    ///
    /// # Errors
    /// No answer, or no answer to a Delete.
    pub fn delete(
        &mut self,
        partial: AllowPartial,
        paths: &[&str],
    ) -> Result<Answer<DeleteResp>, Stop> {
        let request = Delete {
            allow_partial: partial == AllowPartial::Yes,
            obj_paths: owned(paths),
        };
        self.ask(request, |response| match response {
            ResponseType::DeleteResp(response) => Some(response),
            _ => None,
        })
    }

    /// Get, all levels.
    ///
    /// # Errors
    /// No answer, or no answer to a Get.
    pub fn get(&mut self, paths: &[&str]) -> Result<Answer<GetResp>, Stop> {
        self.get_to_depth(paths, 0)
    }

    /// Get, so many levels; 0 means all. (R-GET.5)
    ///
    /// # Errors
    /// No answer, or no answer to a Get.
    pub fn get_to_depth(&mut self, paths: &[&str], depth: u32) -> Result<Answer<GetResp>, Stop> {
        let request = Get {
            param_paths: owned(paths),
            max_depth: depth,
        };
        self.ask(request, |response| match response {
            ResponseType::GetResp(response) => Some(response),
            _ => None,
        })
    }

    /// Operate.
    ///
    /// # Errors
    /// No answer, or no answer to an Operate.
    pub fn operate(&mut self, request: Operate) -> Result<Answer<OperateResp>, Stop> {
        self.ask(request, |response| match response {
            ResponseType::OperateResp(response) => Some(response),
            _ => None,
        })
    }

    /// Operate without an answer: the msg_id, so that an answer that comes all the same is known.
    ///
    /// # Errors
    /// It could not be sent.
    pub fn operate_unanswered(&mut self, request: Operate) -> Result<String, Stop> {
        let request = Operate {
            send_resp: false,
            ..request
        };
        self.say(request.into())
    }

    /// GetInstances.
    ///
    /// # Errors
    /// No answer, or no answer to a GetInstances.
    pub fn instances(
        &mut self,
        paths: &[&str],
        first_level_only: bool,
    ) -> Result<Answer<GetInstancesResp>, Stop> {
        let request = GetInstances {
            obj_paths: owned(paths),
            first_level_only,
        };
        self.ask(request, |response| match response {
            ResponseType::GetInstancesResp(response) => Some(response),
            _ => None,
        })
    }

    /// GetSupportedDM.
    ///
    /// # Errors
    /// No answer, or no answer to a GetSupportedDM.
    pub fn supported_dm(
        &mut self,
        paths: &[&str],
        first_level_only: bool,
        options: SupportedDmOptions,
    ) -> Result<Answer<GetSupportedDmResp>, Stop> {
        let wants = |one| options == SupportedDmOptions::All || options == one;
        let request = GetSupportedDm {
            obj_paths: owned(paths),
            first_level_only,
            return_commands: wants(SupportedDmOptions::Commands),
            return_events: wants(SupportedDmOptions::Events),
            return_params: options == SupportedDmOptions::All,
            return_unique_key_sets: wants(SupportedDmOptions::UniqueKeys),
        };
        self.ask(request, |response| match response {
            ResponseType::GetSupportedDmResp(response) => Some(response),
            _ => None,
        })
    }

    /// GetSupportedProtocol.
    ///
    /// # Errors
    /// No answer, or no answer to a GetSupportedProtocol.
    pub fn supported_protocol(&mut self) -> Result<Answer<GetSupportedProtocolResp>, Stop> {
        let request = GetSupportedProtocol {
            controller_supported_protocol_versions: VERSIONS.to_owned(),
        };
        self.ask(request, |response| match response {
            ResponseType::GetSupportedProtocolResp(response) => Some(response),
            _ => None,
        })
    }
}

/// What many tests ask for.
impl Bench {
    /// Adds one row, which must succeed: its path.
    ///
    /// # Errors
    /// It does not.
    pub fn added(&mut self, row: CreateObject) -> Result<String, Stop> {
        let response = self.add(AllowPartial::No, [row])?.response()?;
        let result = only("created_obj_results", &response.created_obj_results)?;
        Ok(result.created()?.instantiated_path.clone())
    }

    /// Sets one parameter, which must succeed. What it was before is Set again when the test ends.
    ///
    /// # Errors
    /// It does not.
    pub fn changed(&mut self, path: &str, value: &str) -> Done {
        let before = self.value(path)?;
        let of = path.to_owned();
        self.undo(move |bench| bench.write(&of, &before));
        self.write(path, value)
    }

    /// Sets one parameter, which must succeed.
    ///
    /// # Errors
    /// It does not.
    pub fn write(&mut self, path: &str, value: &str) -> Done {
        let (object, name) = split(path);
        let change = update(&object).must(name, value);
        self.set(AllowPartial::No, [change])?.response().map(drop)
    }

    /// The values at a path, by full path.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn values(&mut self, path: &str) -> Result<BTreeMap<String, String>, Stop> {
        let response = self.get(&[path])?.response()?;
        let result = only("req_path_results", &response.req_path_results)?;
        Ok(result.found()?.values())
    }

    /// The value of one parameter.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn value(&mut self, path: &str) -> Result<String, Stop> {
        let values = self.values(path)?;
        match values.into_iter().next() {
            Some((_, value)) => Ok(value),
            None => Err(Stop::Failed(format!(
                "{path}: a value was expected, none came"
            ))),
        }
    }

    /// The rows of a table, those below them left out.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn rows(&mut self, table: &str) -> Result<Vec<String>, Stop> {
        let response = self.instances(&[table], true)?.response()?;
        let result = only("req_path_results", &response.req_path_results)?;
        if result.err_code != 0 {
            return Err(Stop::Failed(format!(
                "{table}: no error was expected, {} {} came",
                result.err_code, result.err_msg
            )));
        }
        let rows = result.curr_insts.iter();
        Ok(rows.map(|row| row.instantiated_obj_path.clone()).collect())
    }

    /// Deletes what may be gone already.
    pub(super) fn delete_quietly(&mut self, path: &str) -> Done {
        self.delete(AllowPartial::Yes, &[path]).map(drop)
    }

    /// Sends a request: its msg_id.
    pub(super) fn say(&mut self, request: RequestType) -> Result<String, Stop> {
        let seat = self.speaker;
        self.connect(seat)?;
        if self.agent.is_none() {
            self.await_connect_record(self.profile.connect_patience())?;
        }
        self.forget_ends(seat);
        let (record, msg_id) = self.record_of(request)?;
        self.send_record(seat, &record)?;
        Ok(msg_id)
    }

    fn ask<T>(
        &mut self,
        request: impl Into<RequestType>,
        pick: impl FnOnce(ResponseType) -> Option<T>,
    ) -> Result<Answer<T>, Stop> {
        let request = request.into();
        let to = request.kind();
        let msg_id = self.say(request)?;
        let answer = self.await_answer(to, &msg_id)?;
        let kind = answer.kind();
        let content = match answer.into_content() {
            Some(MsgBody::Response(response)) => response.resp_type.and_then(pick).map(Ok),
            Some(MsgBody::Error(error)) => Some(Err(error)),
            _ => None,
        };
        let content = content.ok_or_else(|| {
            let kind = kind.map_or("a Message of no known kind".to_owned(), |kind| {
                format!("{kind:?}")
            });
            Stop::Failed(format!("the {to:?} was answered by {kind}"))
        })?;
        Ok(Answer { to, content })
    }

    fn await_answer(&mut self, to: MsgType, msg_id: &str) -> Result<Msg, Stop> {
        let until = self.until(self.profile.answer_patience());
        let seat = self.speaker;
        let answer = self.find(seat, until, |heard| match &heard.said {
            Said::Message(message) if message.1.msg_id() == msg_id => Some(Ok(message.1.clone())),
            Said::Closed(code) => Some(Err(
                code.map_or(String::new(), |code| format!(" with code {code}"))
            )),
            Said::Lost => Some(Err(" without a word".to_owned())),
            _ => None,
        });
        match answer {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(how)) => Err(Stop::Failed(format!(
                "the {to:?} was not answered: the Agent ended the link{how}"
            ))),
            None => Err(Stop::Failed(format!(
                "the {to:?} was not answered within {} s",
                self.profile.answer_seconds
            ))),
        }
    }
}

/// The object and the name of a parameter's path.
fn split(path: &str) -> (String, &str) {
    let at = path.rfind('.').map_or(0, |at| at + 1);
    (path[..at].to_owned(), &path[at..])
}

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}
