//! A client's body, as airlift 1.34 takes it; 400 where airlift answers 500.

use super::bad_announcement::BadAnnouncement;
use super::fields::{Fields, Path, quoted};
use crate::model::announcement::{Announcement, StaticService};
use crate::model::packed::properties::{PairsWriter, Properties};
use crate::model::packed::services::ServicesWriter;
use crate::model::text::Text;

/// The longest node id, service id, type and pool, in bytes.
///
/// Real ones are UUIDs and short words. Each is kept in several indexes, so a long one costs more than its length in a body.
pub const MAX_NAME_BYTES: usize = 1024;

/// The most properties of one service. Engines announce some ten; to put so many in order takes 64 KiB.
const MAX_PROPERTIES: usize = 16 << 10;

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
        let fields = Fields::from_body(body, ["environment", "pool", "location", "services"])?;
        let provided = fields.text("environment")?;
        let pool = fields.text("pool")?;
        let location = fields.text("location")?;
        // Packed, a service is never longer than its JSON.
        let mut services = ServicesWriter::with_room(fields.bytes("services"));
        let mut incomplete = None;
        let listed = fields.objects("services", ["id", "type", "properties"], |service| {
            let taken = take_service(&service, &mut services)?;
            incomplete = incomplete.take().or(taken.err());
            if incomplete.is_some() {
                // From here on only the types of the fields matter.
                services.clear();
            }
            Ok(())
        })?;

        check_environment(environment, provided.as_deref())?;
        let pool = required_name(Path::Body, "pool", pool)?;
        listed.ok_or_else(|| BadAnnouncement::missing(Path::Body, "services"))?;
        match incomplete {
            Some(incomplete) => Err(incomplete),
            None => Ok(Self {
                node_id: node_id.to_owned(),
                pool: pool.into_owned(),
                location: location_or_somewhere(location, node_id),
                services: services.finish(),
            }),
        }
    }
}

impl StaticService {
    /// Reads the body of `POST /v1/announcement/static`; `id` was drawn by the caller.
    ///
    /// # Errors
    /// As for an announcement.
    pub fn from_json(id: &str, body: &[u8], environment: &str) -> Result<Self, BadAnnouncement> {
        check_name("id", id)?;
        let names = ["environment", "type", "pool", "location", "properties"];
        let fields = Fields::from_body(body, names)?;
        let provided = fields.text("environment")?;
        let service_type = fields.text("type")?;
        let pool = fields.text("pool")?;
        let location = fields.text("location")?;
        let mut listed = None;
        let properties = Properties::packed(fields.bytes("properties"), |pairs| {
            listed = take_properties(&fields, pairs)?;
            Ok(())
        })?;

        check_environment(environment, provided.as_deref())?;
        let service_type = required_name(Path::Body, "type", service_type)?;
        let pool = required_name(Path::Body, "pool", pool)?;
        listed.ok_or_else(|| BadAnnouncement::missing(Path::Body, "properties"))?;
        Ok(Self {
            id: id.to_owned(),
            service_type: service_type.into_owned(),
            pool: pool.into_owned(),
            location: location_or_somewhere(location, id),
            properties,
        })
    }
}

/// Adds a service whose fields have the right types; the inner error is that one is missing.
///
/// # Errors
/// A field of a wrong type.
fn take_service(
    fields: &Fields<'_, 3>,
    services: &mut ServicesWriter,
) -> Result<Result<(), BadAnnouncement>, BadAnnouncement> {
    let id = fields.strict_text("id")?;
    let service_type = fields.text("type")?;
    let named = required_names(fields.path(), id, service_type);
    let (id, service_type) = match &named {
        Ok((id, service_type)) => (&**id, &**service_type),
        Err(_) => ("", ""),
    };
    let mut listed = None;
    services.push(id, service_type, |pairs| {
        listed = take_properties(fields, pairs)?;
        Ok(())
    })?;
    let listed = listed.ok_or_else(|| BadAnnouncement::missing(fields.path(), "properties"));
    Ok(named.map(drop).and(listed))
}

fn required_names<'a>(
    path: Path,
    id: Option<Text<'a>>,
    service_type: Option<Text<'a>>,
) -> Result<(Text<'a>, Text<'a>), BadAnnouncement> {
    let id = required_name(path, "id", id)?;
    if id.is_empty() {
        return Err(BadAnnouncement::new(format!("{path}id is empty")));
    }
    Ok((id, required_name(path, "type", service_type)?))
}

/// Adds the properties of an object; `None` when it has none.
fn take_properties<const N: usize>(
    fields: &Fields<'_, N>,
    pairs: &mut PairsWriter<'_>,
) -> Result<Option<()>, BadAnnouncement> {
    fields.texts("properties", |key, value| {
        if pairs.count() == MAX_PROPERTIES {
            let path = fields.path();
            return Err(BadAnnouncement::new(format!(
                "{path}properties has more than {MAX_PROPERTIES} entries"
            )));
        }
        pairs.push(key, value);
        Ok(())
    })
}

fn location_or_somewhere(location: Option<Text<'_>>, id: &str) -> String {
    location.map_or_else(|| format!("/somewhere/{id}"), Text::into_owned)
}

/// Checks an id that came in a path: not empty, and at most [`MAX_NAME_BYTES`] long.
///
/// # Errors
/// One line that names `field`.
pub fn check_name(field: &str, name: &str) -> Result<(), BadAnnouncement> {
    if name.is_empty() {
        return Err(BadAnnouncement::new(format!("{field} is empty")));
    }
    check_length(Path::Body, field, name)
}

fn check_length(path: Path, field: &str, name: &str) -> Result<(), BadAnnouncement> {
    if name.len() > MAX_NAME_BYTES {
        return Err(BadAnnouncement::new(format!(
            "{path}{field} has {} bytes; the most is {MAX_NAME_BYTES}",
            name.len()
        )));
    }
    Ok(())
}

fn required_name<'a>(
    path: Path,
    field: &str,
    value: Option<Text<'a>>,
) -> Result<Text<'a>, BadAnnouncement> {
    let name = value.ok_or_else(|| BadAnnouncement::missing(path, field))?;
    check_length(path, field, &name)?;
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
