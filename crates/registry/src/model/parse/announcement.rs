//! Parses announcements and static announcements from request bodies as airlift 1.34 does, except
//! that the response is 400 where airlift responds with 500.

use super::bad_announcement::BadAnnouncement;
use super::fields::{Fields, Path, quoted};
use crate::model::announcement::{Announcement, StaticService};
use crate::model::packed::properties::{PairsWriter, Properties};
use crate::model::packed::services::ServicesWriter;
use crate::model::text::Text;

/// Maximum length of a node id, service id, type or pool, in bytes.
///
/// Typical names are UUIDs and short words. A long name takes more memory than its length in a
/// body, because several indexes store it.
pub const MAX_NAME_BYTES: usize = 1024;

/// Maximum length of an announcement's location in bytes. A lookup repeats the location with each
/// service.
pub const MAX_LOCATION_BYTES: usize = 1_024;

/// Maximum number of properties of one service. Engines announce about ten. Sorting the maximum
/// number of properties takes 64 KiB of memory, four bytes for each property.
const MAX_PROPERTIES: usize = 16 << 10;

impl Announcement {
    /// Parses the body of `PUT /v1/announcement/{node id}`.
    ///
    /// - The node id is the one in the path. A `nodeId` in the body is an unknown field, as in
    ///   airlift.
    /// - Fields of a wrong JSON type are reported first, then a wrong environment, then missing
    ///   fields, in airlift's order.
    /// - The last of several services with the same id wins.
    ///
    /// # Errors
    /// Returns one line that names the field. For a wrong environment, the line is exactly
    /// airlift's text.
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
        // The packed form of a service is never longer than its JSON.
        let mut services = ServicesWriter::with_room(fields.bytes("services"));
        let mut incomplete = None;
        let listed = fields.objects("services", ["id", "type", "properties"], |service| {
            let taken = take_service(&service, &mut services)?;
            incomplete = incomplete.take().or(taken.err());
            if incomplete.is_some() {
                // The announcement is refused. From here on, only the types of fields are checked.
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
    /// Parses the body of `POST /v1/announcement/static`. The caller generated `id`.
    ///
    /// # Errors
    /// Returns one line that names the field. For a wrong environment, the line is exactly
    /// airlift's text.
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

/// Adds a service to `services`. The inner result is an error if a field is missing, empty or too
/// long. The caller reports this error only after it has checked the types of all fields.
///
/// # Errors
/// Returns the outer error, which ends the parsing, if a field has the wrong type.
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

/// Checks the id and the type of a service, and returns both.
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

/// Adds the properties of an object. Returns `None` if the field `properties` is missing or null.
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

/// Returns the location, or airlift's default if there is none. The default is shorter for a very
/// long id, so that it stays within the limit of a location.
fn location_or_somewhere(location: Option<Text<'_>>, id: &str) -> String {
    const SOMEWHERE: &str = "/somewhere";
    match location {
        Some(location) => location.into_owned(),
        None if SOMEWHERE.len() + 1 + id.len() > MAX_LOCATION_BYTES => SOMEWHERE.to_owned(),
        None => format!("{SOMEWHERE}/{id}"),
    }
}

/// Checks an id from a request path: it must not be empty or longer than [`MAX_NAME_BYTES`].
///
/// # Errors
/// Returns one line that names `field`.
pub fn check_name(field: &str, name: &str) -> Result<(), BadAnnouncement> {
    if name.is_empty() {
        return Err(BadAnnouncement::new(format!("{field} is empty")));
    }
    check_length(Path::Body, field, name)
}

fn check_length(path: Path, field: &str, name: &str) -> Result<(), BadAnnouncement> {
    if name.len() > MAX_NAME_BYTES {
        return Err(BadAnnouncement::new(format!(
            "{path}{field} has {} bytes; the limit is {MAX_NAME_BYTES}",
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

/// Checks that a body is for this cluster's environment.
fn check_environment(expected: &str, provided: Option<&str>) -> Result<(), BadAnnouncement> {
    if provided == Some(expected) {
        return Ok(());
    }
    // airlift's text has `null` for a missing environment too, because of Java's `String.format`.
    let provided = quoted(provided.unwrap_or("null"));
    Err(BadAnnouncement::new(format!(
        "Environment mismatch. Expected: {expected}, Provided: {provided}"
    )))
}
