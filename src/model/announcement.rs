//! A client's body, as airlift 1.34 takes it; 400 where airlift answers 500.

use super::fields::{Fields, quoted};
use super::{Announcement, Service, StaticService};
use std::collections::BTreeMap;

/// The longest node id, service id, type and pool, in bytes.
///
/// Real ones are UUIDs and short words. Each is kept in several indexes, so a long one costs more than its length in a body.
pub const MAX_NAME_BYTES: usize = 1024;

/// Why a body is refused: one line of text that names the field. The answer is 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}")]
pub struct BadAnnouncement {
    line: String,
}

impl BadAnnouncement {
    pub(super) fn new(line: String) -> Self {
        Self {
            line: line.replace(['\r', '\n'], " "),
        }
    }

    fn missing(path: &str, field: &str) -> Self {
        Self::new(format!("{path}{field} is missing"))
    }
}

impl Announcement {
    /// Reads the body of `PUT /v1/announcement/{node id}`.
    ///
    /// - The node id is the one of the path; a `nodeId` in the body is an unknown field, as it is to airlift.
    /// - Fields of a wrong JSON type come first, then the environment, then missing fields: airlift's order.
    /// - Of two services with one id the last one wins.
    ///
    /// # Errors
    /// One line that names the field; for another environment exactly airlift's text.
    pub fn from_json(
        node_id: &str,
        body: &[u8],
        environment: &str,
    ) -> Result<Self, BadAnnouncement> {
        check_name("node id", node_id)?;
        let fields = Fields::from_body(body)?;
        let provided = fields.text("environment")?;
        let pool = fields.text("pool")?;
        let location = fields.text("location")?;
        let services = fields.objects("services")?;
        let services = services
            .map(|list| {
                list.iter()
                    .map(PartialService::read)
                    .collect::<Result<Vec<_>, _>>()
            })
            .transpose()?;

        check_environment(environment, provided.as_deref())?;
        let pool = required_name("", "pool", pool)?;
        let location = location.unwrap_or_else(|| format!("/somewhere/{node_id}"));
        let mut by_id = BTreeMap::new();
        for (i, partial) in services
            .ok_or_else(|| BadAnnouncement::missing("", "services"))?
            .into_iter()
            .enumerate()
        {
            let service = partial.complete(&format!("services[{i}]."))?;
            by_id.insert(service.id.clone(), service);
        }
        Ok(Self {
            node_id: node_id.to_owned(),
            pool,
            location,
            services: by_id.into_values().collect(),
        })
    }
}

impl StaticService {
    /// Reads the body of `POST /v1/announcement/static`; `id` was drawn by the caller.
    ///
    /// # Errors
    /// As for an announcement.
    pub fn from_json(id: &str, body: &[u8], environment: &str) -> Result<Self, BadAnnouncement> {
        check_name("id", id)?;
        let fields = Fields::from_body(body)?;
        let provided = fields.text("environment")?;
        let service_type = fields.text("type")?;
        let pool = fields.text("pool")?;
        let location = fields.text("location")?;
        let properties = fields.texts("properties")?;

        check_environment(environment, provided.as_deref())?;
        Ok(Self {
            id: id.to_owned(),
            service_type: required_name("", "type", service_type)?,
            pool: required_name("", "pool", pool)?,
            location: location.unwrap_or_else(|| format!("/somewhere/{id}")),
            properties: properties.ok_or_else(|| BadAnnouncement::missing("", "properties"))?,
        })
    }
}

/// A service whose fields have the right types, but may be missing.
struct PartialService {
    id: Option<String>,
    service_type: Option<String>,
    properties: Option<BTreeMap<String, String>>,
}

impl PartialService {
    fn read(fields: &Fields<'_>) -> Result<Self, BadAnnouncement> {
        Ok(Self {
            id: fields.strict_text("id")?,
            service_type: fields.text("type")?,
            properties: fields.texts("properties")?,
        })
    }

    fn complete(self, path: &str) -> Result<Service, BadAnnouncement> {
        let id = required_name(path, "id", self.id)?;
        if id.is_empty() {
            return Err(BadAnnouncement::new(format!("{path}id is empty")));
        }
        Ok(Service {
            id,
            service_type: required_name(path, "type", self.service_type)?,
            properties: self
                .properties
                .ok_or_else(|| BadAnnouncement::missing(path, "properties"))?,
        })
    }
}

/// Checks an id that came in a path: not empty, and at most [`MAX_NAME_BYTES`] long.
///
/// # Errors
/// One line that names `field`.
pub fn check_name(field: &str, name: &str) -> Result<(), BadAnnouncement> {
    if name.is_empty() {
        return Err(BadAnnouncement::new(format!("{field} is empty")));
    }
    check_length(field, name)
}

fn check_length(field: &str, name: &str) -> Result<(), BadAnnouncement> {
    if name.len() > MAX_NAME_BYTES {
        return Err(BadAnnouncement::new(format!(
            "{field} has {} bytes; the most is {MAX_NAME_BYTES}",
            name.len()
        )));
    }
    Ok(())
}

fn required_name(
    path: &str,
    field: &str,
    value: Option<String>,
) -> Result<String, BadAnnouncement> {
    let name = value.ok_or_else(|| BadAnnouncement::missing(path, field))?;
    check_length(&format!("{path}{field}"), &name)?;
    Ok(name)
}

fn check_environment(expected: &str, provided: Option<&str>) -> Result<(), BadAnnouncement> {
    if provided == Some(expected) {
        return Ok(());
    }
    // A missing one is `null` in airlift's text too, by Java's `String.format`.
    let provided = quoted(provided.unwrap_or("null"));
    Err(BadAnnouncement::new(format!(
        "Environment mismatch. Expected: {expected}, Provided: {provided}"
    )))
}

#[cfg(test)]
mod tests;
