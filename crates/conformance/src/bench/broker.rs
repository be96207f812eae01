//! What comes to the MQTT or STOMP server that we are, and how a test has it answer.

use std::time::Duration;

use super::{Bench, Said};
use crate::brokered::{
    MqttAnswers, MqttConnect, MqttHow, MqttPublish, MqttSaid, MqttServer, StompAnswers, StompFrame,
    StompSaid, StompServer,
};
use crate::peer::{Seat, Trouble};
use crate::stop::{Done, Stop};
use crate::transcript::Direction;
use usphere_proto::Record;

const NO_MQTT: &str =
    "the Agent is not reached over MQTT here; --listen mqtt://HOST:PORT is its MQTT server";
const NO_STOMP: &str =
    "the Agent is not reached over STOMP here; --listen stomp://HOST:PORT is its STOMP server";

impl Bench {
    /// What can only be done where we are the Agent's MQTT server.
    ///
    /// # Errors
    /// We are not.
    pub fn mqtt(&mut self) -> Result<&mut dyn MqttServer, Stop> {
        self.may_lose_link();
        self.peer.mqtt().ok_or_else(|| Stop::not_runnable(NO_MQTT))
    }

    /// What can only be done where we are the Agent's STOMP server.
    ///
    /// # Errors
    /// We are not.
    pub fn stomp(&mut self) -> Result<&mut dyn StompServer, Stop> {
        self.may_lose_link();
        self.peer
            .stomp()
            .ok_or_else(|| Stop::not_runnable(NO_STOMP))
    }

    /// Changes how the MQTT server answers, until the test ends.
    ///
    /// # Errors
    /// We are none.
    pub fn mqtt_answers(&mut self, change: impl FnOnce(&mut MqttAnswers)) -> Done {
        let before = self.mqtt()?.answers().clone();
        self.undo(move |bench| {
            *bench.mqtt()?.answers() = before.clone();
            Ok(())
        });
        change(self.mqtt()?.answers());
        let answers = self.mqtt()?.answers().clone();
        self.note(format_args!(
            "the MQTT server answers so from now on: {answers:?}"
        ));
        Ok(())
    }

    /// Changes how the STOMP server answers, until the test ends.
    ///
    /// # Errors
    /// We are none.
    pub fn stomp_answers(&mut self, change: impl FnOnce(&mut StompAnswers)) -> Done {
        let before = self.stomp()?.answers().clone();
        self.undo(move |bench| {
            *bench.stomp()?.answers() = before.clone();
            Ok(())
        });
        change(self.stomp()?.answers());
        let answers = self.stomp()?.answers().clone();
        self.note(format_args!(
            "the STOMP server answers so from now on: {answers:?}"
        ));
        Ok(())
    }

    /// Publishes a Record to the Agent, as told.
    ///
    /// # Errors
    /// We are not its MQTT server, or it is not connected.
    pub fn publish(&mut self, record: &Record, how: &MqttHow) -> Done {
        let seat = self.speaker;
        let now = self.now();
        let topic = how.topic.as_deref().unwrap_or("the Agent's topic");
        let title = format!("MQTT PUBLISH to {topic}, Content Type {}", how.content_type);
        self.transcript
            .add(Direction::Sent, title, || record.to_text(), now);
        let bytes = record.to_bytes();
        self.mqtt()?.publish(seat, bytes, how).map_err(gone)
    }

    /// Forgets what was said to the server so far.
    pub fn forget_said(&mut self) {
        let is_said =
            |said: &Said| matches!(said, Said::Mqtt(_) | Said::Stomp(_) | Said::TurnedAway);
        let place = self.place(Seat::Primary);
        place.heard.retain(|heard| !is_said(&heard.said));
    }

    /// The next thing that the Agent says to its MQTT server and that `pick` wants, with when it did.
    pub fn mqtt_said<T>(
        &mut self,
        patience: Duration,
        mut pick: impl FnMut(&MqttSaid) -> Option<T>,
    ) -> Option<(Duration, T)> {
        let until = self.until(patience);
        self.find(Seat::Primary, until, |heard| match &heard.said {
            Said::Mqtt(said) => pick(said).map(|picked| (heard.at, picked)),
            _ => None,
        })
    }

    /// The next frame or heart-beat that `pick` wants, with when it came.
    pub fn stomp_said<T>(
        &mut self,
        patience: Duration,
        mut pick: impl FnMut(&StompSaid) -> Option<T>,
    ) -> Option<(Duration, T)> {
        let until = self.until(patience);
        self.find(Seat::Primary, until, |heard| match &heard.said {
            Said::Stomp(said) => pick(said).map(|picked| (heard.at, picked)),
            _ => None,
        })
    }

    /// Waits for a CONNECT.
    ///
    /// # Errors
    /// None comes in time.
    pub fn await_mqtt_connect(&mut self) -> Result<MqttConnect, Stop> {
        let patience = self.profile.connect_patience();
        let came = self.mqtt_said(patience, |said| match said {
            MqttSaid::Connect(connect) => Some(connect.clone()),
            _ => None,
        });
        came.map(|(_, connect)| connect)
            .ok_or_else(|| absent("an MQTT CONNECT", patience))
    }

    /// Waits for a SUBSCRIBE: topics, and their QoS.
    ///
    /// # Errors
    /// None comes in time.
    pub fn await_mqtt_subscribe(&mut self) -> Result<Vec<(String, u8)>, Stop> {
        let patience = self.profile.connect_patience();
        let came = self.mqtt_said(patience, |said| match said {
            MqttSaid::Subscribe(topics) => Some(topics.clone()),
            _ => None,
        });
        came.map(|(_, topics)| topics)
            .ok_or_else(|| absent("an MQTT SUBSCRIBE", patience))
    }

    /// Waits for a PUBLISH.
    ///
    /// # Errors
    /// None comes in time.
    pub fn await_mqtt_publish(&mut self) -> Result<MqttPublish, Stop> {
        let patience = self.profile.answer_patience();
        let came = self.mqtt_said(patience, |said| match said {
            MqttSaid::Publish(publish) => Some(publish.clone()),
            _ => None,
        });
        came.map(|(_, publish)| publish)
            .ok_or_else(|| absent("an MQTT PUBLISH", patience))
    }

    /// Waits for a frame with one of these commands.
    ///
    /// # Errors
    /// None comes in time.
    pub fn await_stomp(&mut self, commands: &[&str]) -> Result<StompFrame, Stop> {
        let patience = self.profile.connect_patience();
        let came = self.stomp_said(patience, |said| match said {
            StompSaid::Frame(frame) if commands.contains(&frame.command.as_str()) => {
                Some(frame.clone())
            }
            _ => None,
        });
        came.map(|(_, frame)| frame)
            .ok_or_else(|| absent(&format!("a STOMP {}", commands.join(" or ")), patience))
    }

    /// Waits until the Agent's connection to the server has ended.
    ///
    /// # Errors
    /// It has not in time.
    pub fn await_end(&mut self, patience: Duration) -> Done {
        let until = self.until(patience);
        let end = self.find(Seat::Primary, until, |heard| {
            matches!(heard.said, Said::Closed(_) | Said::Lost).then_some(())
        });
        end.ok_or_else(|| absent("the end of the Agent's connection", patience))
    }

    /// When the Agent tries to connect next; it is turned away, or let in.
    pub fn next_try(&mut self, patience: Duration) -> Option<Duration> {
        let until = self.until(patience);
        self.find(Seat::Primary, until, |heard| {
            let is_try = matches!(
                heard.said,
                Said::TurnedAway
                    | Said::Mqtt(MqttSaid::Connect(_))
                    | Said::Stomp(StompSaid::Frame(_))
            );
            is_try.then_some(heard.at)
        })
    }
}

fn absent(what: &str, patience: Duration) -> Stop {
    Stop::Failed(format!(
        "{what} was expected within {} s, none came",
        patience.as_secs()
    ))
}

/// What a server cannot do now.
pub fn gone(trouble: Trouble) -> Stop {
    Stop::failed(trouble)
}
