//! Sample announcements and batches.

use crate::model::{Announcement, Lookup};
use crate::{Batch, Command};

pub(super) fn announcement(node: &str, service_type: &str, note: &str) -> Announcement {
    let body = format!(
        r#"{{"environment":"test","pool":"general","location":"/{node}","services":[
            {{"id":"s-{node}","type":"{service_type}","properties":{{
                "note":"{note}","coordinator":false}}}}]}}"#
    );
    Announcement::from_json(node, body.as_bytes(), "test").unwrap()
}

pub(super) fn announce(node: &str, service_type: &str, note: &str) -> Command {
    Command::Announce {
        seen: u64::MAX,
        announcement: announcement(node, service_type, note),
    }
}

pub(super) fn batch(commands: Vec<Command>) -> Batch {
    Batch {
        max_age_ms: 3_000,
        step_ms: 1_000,
        commands,
    }
}

pub(super) fn of_type(service_type: &str) -> Lookup {
    Lookup::Type(service_type.to_owned())
}
