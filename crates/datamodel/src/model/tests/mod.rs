//! Plans of every kind, against a test owner that answers, answers late, never, wrongly, or with an error.

mod changes;
mod given;
mod home;
mod owners;
mod plans;
mod rare;
mod scene;
mod schedules;
mod trees;
